"""bench: the common forward pass, on one board or many."""

from __future__ import annotations

import getpass
import os
import platform
from typing import TYPE_CHECKING, Any

from buildmatrix import extras
from buildmatrix.cli import run_flags
from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, print_table, progress, say, workshop
from buildmatrix.cli.devices import HOSTS, access, boards_of
from buildmatrix.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from buildmatrix.bench.request import Request
    from buildmatrix.boards.fleet import Ended
    from buildmatrix.boards.measuring import Lab
    from buildmatrix.boards.reach import Access
    from buildmatrix.cli.run_flags import Given
    from buildmatrix.nouns import BoardAddress, Measurement
    from buildmatrix.pipeline.workshop import Workshop


@command(
    {
        **HOSTS,
        **run_flags.explained(),
        "replay": "a stored run's id, or its beginning: the same bundles, settings and order again",
        "collect": "wait for the run, store and print its results; alone, of a run that is there",
        "cancel": "end the run on the board and throw its data away",
        "timeout": "seconds that --collect waits",
    },
    iterable=["only", "host"],
)
@run_flags.with_flags()
def bench(
    _c: Any,
    host: Any = None,
    matrix: str = "matrix.yaml",
    only: Any = None,
    model: str = "",
    given: Given = run_flags.NONE,
    replay: str = "",
    collect: bool = False,
    cancel: bool = False,
    timeout: int = 86400,
    json: bool = False,
    state: str = "",
) -> None:
    """Run the common forward pass on a board, detached; --collect waits and prints the table."""
    from buildmatrix.boards import measuring

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter, model=model)
        settings = shop.project.matrix.bench.overruled(given)
        boards, ways = boards_of(host, shop), access(shop.state)
        if cancel:
            _cancelled(boards, ways)
            return
        lab = measuring.lab(shop)

        def request() -> Request:  # one for each board: a run is of one board
            if replay:
                return measuring.replayed(lab, replay, owner())
            return measuring.ask(lab, settings, owner())

        if not collect:
            _started(lab, boards, request, ways)
            return
        extras.require("verdicts")  # for the table at the end of hours
        follow = bool(given or replay or only or model)
        ended = _measured(lab, boards, request, ways, deadline=timeout, follow=follow)
    _tell(shop, ended, as_json=json)


def _measured(
    lab: Lab,
    boards: Sequence[BoardAddress],
    request: Callable[[], Request],
    access: Access,
    *,
    deadline: float,
    follow: bool,
) -> Sequence[Ended[tuple[Measurement, ...]]]:
    """What each board measured, or how that ended."""
    from buildmatrix.boards import fleet, measuring

    def measure(board: BoardAddress) -> tuple[Measurement, ...]:
        return measuring.measure(
            lab, board, request(), access=access, deadline=deadline, follow=follow
        )

    return fleet.each(boards, measure)


def _started(
    lab: Lab, boards: Sequence[BoardAddress], request: Callable[[], Request], access: Access
) -> None:
    from buildmatrix.boards import fleet, measuring, reach

    def start(board: BoardAddress) -> str:
        asked = measuring.fitted(lab, board, request(), access=access)
        run = measuring.start(lab, board, asked, access=access)
        there = f"run {run.run} is on {board.name}: {run.done} of {run.total} blocks done"
        return f"{there}\n  inv bench --host {reach.called(board)} --collect"

    ended = fleet.each(boards, start)
    for words in fleet.values(ended):
        say(words)
    fleet.raise_worst(ended)


def owner() -> str:
    """Who begins a run, for whoever finds the board busy."""
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (OSError, KeyError):  # a user without a name, as in a container
        return f"{os.getuid()}@{platform.node()}"


def refuse_wrong(blocks: Sequence[Measurement]) -> None:
    """Raise BenchError, exit code 7, for an answer that is wrong or did not come."""
    from buildmatrix.nouns import Status

    reasons = {
        (m.cell, m.batch): f"{m.cell} batch {m.batch}: {m.status} {m.void_reason}"
        for m in blocks
        if m.status in (Status.WRONG, Status.FAILED)
    }
    if reasons:
        raise BenchError(f"no time for {'; '.join(reasons.values())}")


def _cancelled(boards: Sequence[BoardAddress], access: Access) -> None:
    from buildmatrix import bench as benching
    from buildmatrix.boards import fleet, reach

    def cancel(board: BoardAddress) -> str:
        with reach.connect(board, access) as connection:
            run = benching.cancel(connection)
        return f"run {run} is off {board.name}" if run else f"{board.name} holds no run"

    ended = fleet.each(boards, cancel)
    for words in fleet.values(ended):
        say(words)
    fleet.raise_worst(ended)


def _tell(
    shop: Workshop, ended: Sequence[Ended[tuple[Measurement, ...]]], *, as_json: bool
) -> None:
    """Print what was measured, then raise for the boards and answers that failed."""
    from buildmatrix.boards import fleet
    from buildmatrix.verdicts import publishing, reporting

    blocks = [block for of_board in fleet.values(ended) for block in of_board]
    if blocks:
        measured = reporting.with_notes(shop, blocks)
        if as_json:
            print_json(publishing.document(shop, measured))
        else:
            print_table(publishing.table(shop, measured))
    fleet.raise_worst(ended)
    refuse_wrong(blocks)


TASKS = (bench,)
