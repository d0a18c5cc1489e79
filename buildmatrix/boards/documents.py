"""The documents of deploys and devices."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.boards.deploying import Deployed, Foretold
    from buildmatrix.boards.fleet import Look
    from buildmatrix.documents.boards import (
        Address,
        DeployedBoard,
        DeployedCell,
        DeviceRow,
        DeviceUp,
        Forecast,
        RefusedCell,
    )
    from buildmatrix.nouns import BoardAddress, DeviceInfo, Finding


def rolled_back(target: BoardAddress, digests: Mapping[str, str]) -> DeployedBoard:
    """What a rollback did on a board: the digests that its cells went back to."""
    rows: list[DeployedCell] = [
        {"id": cell, "digest": digest, "state": "rolled back"} for cell, digest in digests.items()
    ]
    return {"device": target.name, "cells": rows, "refused": []}


def deployed(target: BoardAddress, done: Deployed) -> DeployedBoard:
    """What a deploy did on a board."""
    rows: list[DeployedCell] = [
        {
            "id": b.cell,
            "digest": b.digest,
            "bytes": b.size,
            "state": "switched" if b.cell in done.pushed.switched else "unchanged",
        }
        for b in done.bundles
    ]
    return {
        "device": target.name,
        "emulated": done.info.emulated,
        "cells": rows,
        "refused": _refusals(done.refused),
        "sent_objects": done.pushed.sent_objects,
        "sent_bytes": done.pushed.sent_bytes,
        "kept_bytes": done.pushed.kept_bytes,
        "seconds": round(done.seconds, 2),
        "removed_bundles": done.removed,
    }


def foretold(target: BoardAddress, foretelling: Foretold) -> DeployedBoard:
    """What a deploy would do on a board."""
    rows: list[DeployedCell] = [
        {
            "id": b.cell,
            "digest": b.digest,
            "bytes": b.size,
            "state": "would switch" if b.cell in foretelling.forecast.switched else "unchanged",
        }
        for b in foretelling.bundles
    ]
    return {
        "device": target.name,
        "emulated": foretelling.info.emulated,
        "cells": rows,
        "refused": _refusals(foretelling.refused),
        "busy": foretelling.busy,
        "forecast": cast("Forecast", asdict(foretelling.forecast)),
    }


def _refusals(refused: Sequence[tuple[str, tuple[Finding, ...]]]) -> list[RefusedCell]:
    return [
        {"id": cell, "findings": [f"{f.code} {f.message}" for f in findings]}
        for cell, findings in refused
    ]


def up(board: BoardAddress, *, name: str, kind: str, link: str) -> DeviceUp:
    """A virtual board that was switched on, and where it answers."""
    return {"version": 1, "name": name, "kind": kind, "link": link, **_where(board)}


def device(info: DeviceInfo) -> dict[str, Any]:
    """What a board is: the fields of `DeviceInfo` beside the version."""
    return {"version": 1, **asdict(info), "features": sorted(info.features)}


def listed(look: Look, kind: str, board: BoardAddress) -> DeviceRow:
    """A board in the list, with what a look at it found."""
    return {
        "board": look.board,
        "name": board.name,
        "kind": kind,
        "state": look.state,
        "owner": look.owner,
        "detail": look.detail,
        "last_seen": look.last_seen,
        **_where(board),
    }


def _where(target: BoardAddress) -> Address:
    return {
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "host_key": target.host_key,
        "identity_file": target.identity_file,
        "virtual": target.virtual,
    }
