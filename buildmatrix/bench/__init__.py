"""Benchmark runs on a board: begin one, attach to it, bring back its journal, forget it.

The board keeps everything a run needs, so that any machine can collect it later. One run per
board: whoever comes while it is there attaches to it. `request` says what is asked, `order` in
which order, `journal` what the board wrote down, `verdict` what came out; scripts and layout are
in `agent`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.agent import PREFIX, ask, call, failure
from buildmatrix.bench import runstate
from buildmatrix.bench.order import plan_lines, plan_text
from buildmatrix.bench.request import Request, check_run, run_files
from buildmatrix.errors import BenchError
from buildmatrix.protocols import Advanced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.bench.order import Block
    from buildmatrix.bench.runstate import RunState
    from buildmatrix.protocols import Connection, Reporter

TIMEOUT = 120.0  # seconds for one call; the benchmark itself runs detached


@dataclass(frozen=True, slots=True)
class Collected:
    """A finished run as the board kept it."""

    request: Request
    journal: str


def start(connection: Connection, request: Request, *, prefix: str = PREFIX) -> RunState:
    """Begin a run, or attach to the one that is there: compare the state's `run` with yours.

    An unfinished run whose agent died is resumed. Raises BenchError for a bundle that is not on
    the board, DeviceError and LinkLost from the connection.
    """
    files = run_files(request, plan_text(request))
    result = call(
        connection, f"begin {request.run}", prefix=prefix, timeout=TIMEOUT, stdin=lambda: [files]
    )
    if cell := runstate.absent(result.stdout):
        raise BenchError(f"the bundle of {cell} is not on the board", hint="deploy the cell first")
    return runstate.read_state(result.stdout)


def state(connection: Connection, *, prefix: str = PREFIX) -> RunState:
    """The run that a board holds; status 'none' when there is none.

    What a dead agent changed on the board is put back on the way.
    """
    result = call(connection, "state", prefix=prefix, timeout=TIMEOUT, mode="keep")
    return runstate.read_state(result.stdout)


def collect(
    connection: Connection,
    *,
    prefix: str = PREFIX,
    reporter: Reporter,
    deadline: float,
    poll: float = 5.0,
) -> Collected:
    """Wait for the board's run, at most `deadline` seconds, and bring back its journal.

    The run goes on when this call does not: after LinkLost, or BenchError at the deadline or for
    a full disk, call again. The journal is read in pieces, whole lines only.
    """
    run = state(connection, prefix=prefix)
    if run.request is None:
        raise BenchError("the board holds no benchmark run", hint="start one with bench")
    end, journal, status = time.monotonic() + deadline, b"", ""
    while status != "done":
        line = f"follow {run.run} {len(journal)}"
        result = call(connection, line, prefix=prefix, timeout=TIMEOUT)
        status, total, news = runstate.progress(result.stdout)
        journal += news[: news.rfind(b"\n") + 1]
        so_far = f"{_blocks(journal)} of {total} blocks"
        _check_progress(status, run.run, so_far)
        reporter.emit(Advanced(run.run, _blocks(journal), total, "blocks"))
        if status != "done":
            if time.monotonic() >= end:
                raise BenchError(
                    f"run {run.run} is still going: {so_far}",
                    hint="nothing is lost: collect it later with bench --collect",
                )
            time.sleep(poll)
    return Collected(run.request, journal.decode(errors="replace"))


def extend(
    connection: Connection, request: Request, blocks: Sequence[Block], *, prefix: str = PREFIX
) -> RunState:
    """Add a round, from `order.retakes`, to a finished run and resume it.

    A round that somebody else was quicker to add stays the only one. Raises BenchError when the
    run is gone.
    """
    check_run(request.run)
    line = f"extend {request.run} {blocks[0].index}"
    lines = plan_lines(request, blocks).encode()
    result = call(connection, line, prefix=prefix, timeout=TIMEOUT, stdin=lambda: [lines])
    run = runstate.read_state(result.stdout)
    if run.run != request.run:
        raise _gone(request.run)
    return run


def cancel(connection: Connection, *, prefix: str = PREFIX) -> str:
    """End the board's run and remove it, whoever's it is; its name, or '' when there was none.

    Raises BenchError when what the run had changed on the board could not be put back.
    """
    result = call(connection, "cancel", prefix=prefix, timeout=TIMEOUT)
    run, _, left = result.stdout.decode(errors="replace").partition("\n")
    if left:
        raise BenchError(
            f"run {run} is off the board, but not all that it changed could be put back",
            details=left,  # boot id, file, old value
            hint="write these values into these files as root, or reboot the board",
        )
    return run


def forget(connection: Connection, run: str, *, prefix: str = PREFIX) -> None:
    """Remove a finished run from the board, once its results are stored. Twice is harmless."""
    check_run(run)
    result = ask(connection, f"forget {run}", prefix=prefix, timeout=TIMEOUT)
    if result.status == 3:
        raise BenchError(f"run {run} is not finished", hint="collect it first")
    if result.status != 0:
        raise failure(result)


def _blocks(journal: bytes) -> int:
    return sum(line.startswith(b'{"block":') for line in journal.splitlines())


def _check_progress(status: str, run: str, so_far: str) -> None:
    if status == "gone":
        raise _gone(run)
    if status == "full":
        raise BenchError(
            f"the board's disk is full: run {run} stopped after {so_far}",
            hint="free space on the board, then collect again: the run goes on where it stopped",
        )
    if status == "stopped":
        raise BenchError(
            f"the agent of run {run} does not start", hint=f"read runs/{run}/log on the board"
        )


def _gone(run: str) -> BenchError:
    return BenchError(
        f"run {run} is no longer on the board: another machine has collected or cancelled it",
        hint="look for its results there, or start a new run",
    )
