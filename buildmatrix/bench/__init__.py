"""Benchmark runs on a board: begin one, attach to it, bring back its journal, forget it.

The board keeps everything a run needs, so that any machine can collect it later. One run per
board: whoever comes while it is there attaches to it. `request` says what is asked, `verdict`
what came out; scripts and layout are in `agent`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from buildmatrix.agent import PREFIX, call, failure, script
from buildmatrix.bench.request import Request, check_run, read_request, run_files
from buildmatrix.errors import BenchError
from buildmatrix.protocols import Advanced

if TYPE_CHECKING:
    from buildmatrix.protocols import Connection, Reporter

TIMEOUT = 120.0  # seconds for one call; the benchmark itself runs detached

RunStatus = Literal["none", "running", "stopped", "done"]


@dataclass(frozen=True, slots=True)
class RunState:
    """The run a board holds, if any; `done` and `total` count blocks."""

    run: str
    status: RunStatus
    done: int = 0
    total: int = 0
    request: Request | None = None


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
    program = script(("runs",), f"begin {request.run}", prefix=prefix)
    result = call(connection, program, timeout=TIMEOUT, stdin=[run_files(request)])
    words = result.stdout.decode()
    if words.startswith("absent "):
        raise BenchError(
            f"the bundle of {words.split()[1]} is not on the board", hint="deploy the cell first"
        )
    return read_state(words)


def state(connection: Connection, *, prefix: str = PREFIX) -> RunState:
    """The run that a board holds; status 'none' when there is none."""
    result = call(connection, script(("runs",), "state", prefix=prefix), timeout=TIMEOUT)
    return read_state(result.stdout.decode())


def collect(
    connection: Connection,
    *,
    prefix: str = PREFIX,
    reporter: Reporter,
    deadline: float,
    poll: float = 5.0,
) -> Collected:
    """Wait for the board's run, at most `deadline` seconds, and bring back its journal.

    The run goes on when this call does not: after LinkLost, or BenchError at the deadline, call
    again. The journal is read in pieces, whole lines only.
    """
    held = state(connection, prefix=prefix)
    if held.request is None:
        raise BenchError("the board holds no benchmark run", hint="start one with bench")
    end, journal, status = time.monotonic() + deadline, b"", ""
    while status != "done":
        line = f"follow {held.run} {len(journal)}"
        result = call(connection, script(("runs",), line, prefix=prefix), timeout=TIMEOUT)
        first, _, news = result.stdout.partition(b"\n")
        status = first.decode()
        journal += news[: news.rfind(b"\n") + 1]
        reporter.emit(Advanced(held.run, _lines(journal), held.total, "blocks"))
        _check_progress(status, held.run)
        if status != "done":
            if time.monotonic() >= end:
                raise BenchError(
                    f"run {held.run} is still going: {_lines(journal)} of {held.total} blocks",
                    hint="nothing is lost: collect it later with bench --collect",
                )
            time.sleep(poll)
    return Collected(held.request, journal.decode())


def forget(connection: Connection, run: str, *, prefix: str = PREFIX) -> None:
    """Remove a finished run from the board, once its results are stored. Twice is harmless."""
    check_run(run)
    program = script(("runs",), f"forget {run}", prefix=prefix)
    result = connection.run(program, timeout=TIMEOUT)
    if result.status == 3:
        raise BenchError(f"run {run} is not finished", hint="collect it first")
    if result.status != 0:
        raise failure(result)


def read_state(text: str) -> RunState:
    """'none', or a line 'RUN STATUS DONE TOTAL' and the request."""
    first, _, request = text.partition("\n")
    if first == "none":
        return RunState("", "none")
    run, status, done, total = first.split()
    known: dict[str, RunStatus] = {"running": "running", "stopped": "stopped", "done": "done"}
    return RunState(run, known[status], int(done), int(total), read_request(request))


def _lines(journal: bytes) -> int:
    return journal.count(b"\n")


def _check_progress(status: str, run: str) -> None:
    if status == "gone":
        raise BenchError(
            f"run {run} is no longer on the board: another machine has collected it",
            hint="look for its results there, or start a new run",
        )
    if status == "stopped":
        raise BenchError(
            f"the agent of run {run} does not start", hint=f"read runs/{run}/log on the board"
        )
