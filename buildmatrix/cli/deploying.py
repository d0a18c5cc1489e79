"""deploy: bundles onto boards."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.common import command, print_json, progress, say, workshop
from buildmatrix.cli.devices import HOSTS, access, boards_of
from buildmatrix.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.boards.deploying import Deployed, Foretold
    from buildmatrix.nouns import BoardAddress, Finding

KEEP = 2  # bundles of each cell that --prune leaves


@command(
    {
        **HOSTS,
        "dry_run": "say what would be sent, how many bytes and seconds; nothing is changed",
        "rollback": "switch the selected cells back to their previous bundle",
        "prune": f"remove old bundles afterwards, keeping {KEEP} of each cell",
        "keep": "prune, and keep that many of each cell",
        "quota_mib": "what deploys may use there in all (default: the device's, else no limit)",
        "verify": "hash again what is already on the board, and mend it",
        "force": "also while somebody's benchmark runs there",
    },
    iterable=["only", "host"],
)
def deploy(
    _c: Any,
    host: Any = None,
    matrix: str = "matrix.yaml",
    only: Any = None,
    dry_run: bool = False,
    rollback: bool = False,
    prune: bool = False,
    keep: int = 0,
    quota_mib: int = 0,
    verify: bool = False,
    force: bool = False,
    json: bool = False,
    state: str = "",
) -> None:
    """Put built, audited bundles on boards: only what is missing, verified, switched at once."""
    from buildmatrix.boards import deploying, fleet
    from buildmatrix.pipeline.stored import shippable, stored

    _check(dry_run=dry_run, rollback=rollback, keep=keep, quota_mib=quota_mib)
    left = keep or (KEEP if prune else 0)
    wish = deploying.Wish(verify=verify, force=force, keep=left, quota_mib=quota_mib)
    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        ways, boards = access(shop.state), boards_of(host, shop)
        cells = () if rollback else shippable(stored(shop).values())

        def put(board: BoardAddress) -> dict[str, Any]:
            if rollback:
                names = [cell.id for cell in shop.project.cells]
                digests = deploying.roll_back(names, board, access=ways, force=force)
                return _rolled_back(board, digests)
            means = deploying.Means(ways, shop.store, reporter, wish)
            if dry_run:
                return _foretold(board, deploying.foretell(cells, board, means))
            return _deployed(board, deploying.deploy_all(cells, board, means))

        ended = fleet.each(boards, put)
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


def _check(*, dry_run: bool, rollback: bool, keep: int, quota_mib: int) -> None:
    if dry_run and rollback:
        raise UsageError("a rollback sends nothing, so it has no dry run", hint="leave one out")
    if keep < 0 or quota_mib < 0:
        raise UsageError("--keep and --quota-mib take a number above 0")


def _say(document: dict[str, Any]) -> None:
    for row in document["cells"]:
        size = f"  {row['bytes'] / 1e6:.1f} MB" if "bytes" in row else ""
        say(f"{row['id']}  {row['state']}  {row['digest'][:12]}{size}")
    if "forecast" in document:
        _say_forecast(document["device"], document["forecast"], document["busy"])
    elif "seconds" in document:
        removed, kept = document["removed_bundles"], document["kept_bytes"]
        say(
            f"{document['device']}: {document['sent_objects']} objects, "
            f"{document['sent_bytes'] / 1e6:.1f} MB sent in {document['seconds']:.1f} s"
            + (f", {kept / 1e6:.1f} MB were there from a push that was cut" if kept else "")
            + (f", {removed} old bundles removed" if removed else "")
        )


def _say_forecast(device: str, told: dict[str, Any], busy: str) -> None:
    say(
        f"{device}: would send {told['objects']} objects, {told['bytes'] / 1e6:.1f} MB, "
        f"{told['wire_bytes'] / 1e6:.2f} MB of them on the wire, in about {told['seconds']:.1f} s"
    )
    if told["rate"]:
        say(
            f"  measured now: {told['rate'] * 8 / 1e6:.1f} Mbit/s, round trip "
            f"{told['round_trip_s'] * 1000:.0f} ms; unpacking there is not in it"
        )
    if told["kept_bytes"]:
        say(f"  {told['kept_bytes'] / 1e6:.1f} MB are there from a push that was cut")
    used, adds = told["used_kib"] / 1024, told["adds_kib"] / 1024
    say(f"  {used:.1f} MiB are used there, {adds:.1f} MiB would be added")
    for digest in told["removed"]:
        say(f"  would remove bundle {digest[:12]}")
    if busy:
        say(f"  {busy}'s benchmark runs there: it would be refused without --force")


def _rolled_back(target: BoardAddress, back: dict[str, str]) -> dict[str, Any]:
    rows = [{"id": cell, "digest": digest, "state": "rolled back"} for cell, digest in back.items()]
    return {"device": target.name, "cells": rows, "refused": []}


def _deployed(target: BoardAddress, done: Deployed) -> dict[str, Any]:
    rows = [
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


def _foretold(target: BoardAddress, found: Foretold) -> dict[str, Any]:
    rows = [
        {
            "id": b.cell,
            "digest": b.digest,
            "bytes": b.size,
            "state": "would switch" if b.cell in found.forecast.switched else "unchanged",
        }
        for b in found.bundles
    ]
    return {
        "device": target.name,
        "emulated": found.info.emulated,
        "cells": rows,
        "refused": _refusals(found.refused),
        "busy": found.busy,
        "forecast": asdict(found.forecast),
    }


def _refusals(refused: Sequence[tuple[str, tuple[Finding, ...]]]) -> list[dict[str, Any]]:
    return [
        {"id": cell, "findings": [f"{f.code} {f.message}" for f in findings]}
        for cell, findings in refused
    ]


TASKS = (deploy,)
