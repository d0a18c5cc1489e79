"""deploy: bundles onto boards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.cli.common import command, print_json, progress, say, workshop
from buildmatrix.cli.devices import HOSTS, access, targets_of
from buildmatrix.errors import DeviceError

if TYPE_CHECKING:
    from buildmatrix.model import SshTarget
    from buildmatrix.pipeline.boards import Access, Deployed
    from buildmatrix.pipeline.workshop import Workshop


@command(
    {
        **HOSTS,
        "rollback": "switch the selected cells back to their previous bundle",
        "prune": "remove old bundles afterwards, keeping two of each cell",
        "verify": "hash again what is already on the board, and mend it",
    },
    iterable=["only", "host"],
)
def deploy(
    _c: Any,
    host: Any = None,
    matrix: str = "matrix.yaml",
    only: Any = None,
    rollback: bool = False,
    prune: bool = False,
    verify: bool = False,
    json: bool = False,
    state: str = "",
) -> None:
    """Put built, audited bundles on boards: only what is missing, verified, switched at once."""
    from buildmatrix.pipeline import boards, fleet  # noqa: PLC0415

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        ways = access(shop.state)

        def put(target: SshTarget) -> dict[str, Any]:
            if rollback:
                return _rolled_back(shop, target, ways)
            done = boards.deploy_all(shop, target, access=ways, verify=verify)
            removed = _pruned(target, ways) if prune else 0
            return _deployed(target, done, removed)

        ended = fleet.each(targets_of(host, shop), put)
    documents = fleet.values(ended)
    if json:
        print_json({"version": 1, "boards": list(documents)})
    else:
        for document in documents:
            _say(document)
    fleet.raise_worst(ended)
    refused = [f"{row['id']} on {d['device']}" for d in documents for row in d["refused"]]
    if refused:
        raise DeviceError(f"cannot run: {', '.join(refused)}", hint="see the findings above")


def _say(document: dict[str, Any]) -> None:
    for row in document["cells"]:
        size = f"  {row['bytes'] / 1e6:.1f} MB" if "bytes" in row else ""
        say(f"{row['id']}  {row['state']}  {row['digest'][:12]}{size}")
    if "seconds" in document:
        removed = document["removed_bundles"]
        say(
            f"{document['device']}: {document['sent_objects']} objects, "
            f"{document['sent_bytes'] / 1e6:.1f} MB sent in {document['seconds']:.1f} s"
            + (f", {removed} old bundles removed" if removed else "")
        )


def _rolled_back(shop: Workshop, target: SshTarget, access: Access) -> dict[str, Any]:
    from buildmatrix import deploy as deploying  # noqa: PLC0415
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with boards.connect(target, access) as connection:
        there = deploying.active(connection)
        cells = [cell.id for cell in shop.project.cells if cell.id in there]
        if not cells:
            raise DeviceError(f"none of the selected cells is on {target.name}")
        back = {cell: deploying.rollback(connection, cell) for cell in cells}
    rows = [{"id": cell, "digest": digest, "state": "rolled back"} for cell, digest in back.items()]
    return {"device": target.name, "cells": rows, "refused": []}


def _pruned(target: SshTarget, access: Access) -> int:
    from buildmatrix import deploy as deploying  # noqa: PLC0415
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with boards.connect(target, access) as connection:
        return deploying.prune(connection)


def _deployed(target: SshTarget, done: Deployed, removed: int) -> dict[str, Any]:
    rows = [
        {"id": b.cell, "digest": b.digest, "bytes": b.size,
         "state": "switched" if b.cell in done.pushed.switched else "unchanged"}
        for b in done.bundles
    ]  # fmt: skip
    return {
        "device": target.name,
        "emulated": done.info.emulated,
        "cells": rows,
        "refused": [
            {"id": cell, "findings": [f"{f.code} {f.message}" for f in findings]}
            for cell, findings in done.refused
        ],
        "sent_objects": done.pushed.sent_objects,
        "sent_bytes": done.pushed.sent_bytes,
        "seconds": round(done.seconds, 2),
        "removed_bundles": removed,
    }


TASKS = (deploy,)
