"""deploy: bundles onto boards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, progress, say, workshop
from buildmatrix.cli.devices import HOSTS, access, boards_of
from buildmatrix.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from buildmatrix.documents.boards import (
        Deploy,
        DeployedBoard,
        Forecast,
    )
    from buildmatrix.nouns import BoardAddress

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
    from buildmatrix.boards import deploying, documents, fleet
    from buildmatrix.pipeline.stored import shippable, stored

    _check(dry_run=dry_run, rollback=rollback, keep=keep, quota_mib=quota_mib)
    left = keep or (KEEP if prune else 0)
    wish = deploying.Wish(verify=verify, force=force, keep=left, quota_mib=quota_mib)
    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        ways, boards = access(shop.state), boards_of(host, shop)
        cells = () if rollback else shippable(stored(shop).values())

        def put(board: BoardAddress) -> DeployedBoard:
            if rollback:
                names = [cell.id for cell in shop.project.cells]
                digests = deploying.roll_back(names, board, access=ways, force=force)
                return documents.rolled_back(board, digests)
            means = deploying.Means(ways, shop.store, reporter, wish)
            if dry_run:
                return documents.foretold(board, deploying.foretell(cells, board, means))
            return documents.deployed(board, deploying.deploy_all(cells, board, means))

        ended = fleet.each(boards, put)
    done = fleet.values(ended)
    if json:
        document: Deploy = {"version": 1, "boards": list(done)}
        print_json(document)
    else:
        for board in done:
            _say(board)
    fleet.raise_worst(ended)
    refused = [f"{row['id']} on {d['device']}" for d in done for row in d["refused"]]
    if refused:
        raise DeviceError(f"cannot run: {', '.join(refused)}", hint="see the findings above")


def _check(*, dry_run: bool, rollback: bool, keep: int, quota_mib: int) -> None:
    if dry_run and rollback:
        raise UsageError("a rollback sends nothing, so it has no dry run", hint="leave one out")
    if keep < 0 or quota_mib < 0:
        raise UsageError("--keep and --quota-mib take a number above 0")


def _say(document: DeployedBoard) -> None:
    for row in document["cells"]:
        size = f"  {row['bytes'] / 1e6:.1f} MB" if "bytes" in row else ""
        say(f"{row['id']}  {row['state']}  {row['digest'][:12]}{size}")
    if "forecast" in document:
        _say_forecast(document["device"], document["forecast"], document["busy"])
    elif "seconds" in document:
        removed, resumed = document["removed_bundles"], document["kept_bytes"]
        say(
            f"{document['device']}: {document['sent_objects']} objects, "
            f"{document['sent_bytes'] / 1e6:.1f} MB sent in {document['seconds']:.1f} s"
            + (f", {resumed / 1e6:.1f} MB were there from a push that was cut" if resumed else "")
            + (f", {removed} old bundles removed" if removed else "")
        )


def _say_forecast(device: str, forecast: Forecast, busy: str) -> None:
    say(
        f"{device}: would send {forecast['objects']} objects, {forecast['bytes'] / 1e6:.1f} MB, "
        f"{forecast['wire_bytes'] / 1e6:.2f} MB of them on the wire, "
        f"in about {forecast['seconds']:.1f} s"
    )
    if forecast["rate"]:
        say(
            f"  measured now: {forecast['rate'] * 8 / 1e6:.1f} Mbit/s, round trip "
            f"{forecast['round_trip_s'] * 1000:.0f} ms; unpacking there is not in it"
        )
    if forecast["kept_bytes"]:
        say(f"  {forecast['kept_bytes'] / 1e6:.1f} MB are there from a push that was cut")
    used, adds = forecast["used_kib"] / 1024, forecast["adds_kib"] / 1024
    say(f"  {used:.1f} MiB are used there, {adds:.1f} MiB would be added")
    for digest in forecast["removed"]:
        say(f"  would remove bundle {digest[:12]}")
    if busy:
        say(f"  {busy}'s benchmark runs there: it would be refused without --force")


TASKS = (deploy,)
