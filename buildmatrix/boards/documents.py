"""The documents of deploys and devices."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, cast

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


def rolled_back(board: BoardAddress, digests: Mapping[str, str]) -> DeployedBoard:
    """What a rollback did on a board: the digests that its cells went back to."""
    rows: list[DeployedCell] = [
        {"id": cell, "digest": digest, "state": "rolled back"} for cell, digest in digests.items()
    ]
    return {"device": board.name, "cells": rows, "refused": []}


def deployed(board: BoardAddress, done: Deployed) -> DeployedBoard:
    """What a deploy did on a board."""
    return {
        **_about(board, done, switched=done.pushed.switched, word="switched"),
        "sent_objects": done.pushed.sent_objects,
        "sent_bytes": done.pushed.sent_bytes,
        "kept_bytes": done.pushed.kept_bytes,
        "seconds": round(done.seconds, 2),
        "removed_bundles": done.removed,
    }


def foretold(board: BoardAddress, foretelling: Foretold) -> DeployedBoard:
    """What a deploy would do on a board."""
    forecast = foretelling.forecast
    return {
        **_about(board, foretelling, switched=forecast.switched, word="would switch"),
        "busy": foretelling.busy,
        "forecast": cast("Forecast", asdict(forecast)),
    }


def _about(
    board: BoardAddress,
    deploy: Deployed | Foretold,
    *,
    switched: Sequence[str],
    word: Literal["switched", "would switch"],
) -> DeployedBoard:
    """What a deploy and its forecast have in common; `word` is the state of a switched cell."""
    rows: list[DeployedCell] = [
        {
            "id": bundle.cell,
            "digest": bundle.digest,
            "bytes": bundle.size,
            "state": word if bundle.cell in switched else "unchanged",
        }
        for bundle in deploy.bundles
    ]
    return {
        "device": board.name,
        "emulated": deploy.info.emulated,
        "cells": rows,
        "refused": _refusals(deploy.refused),
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


def _where(board: BoardAddress) -> Address:
    return {
        "host": board.host,
        "port": board.port,
        "user": board.user,
        "host_key": board.host_key,
        "identity_file": board.identity_file,
        "virtual": board.virtual,
    }
