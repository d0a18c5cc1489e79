"""What a board says of the run that it holds, judged before anything is concluded from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from buildmatrix.agent import CELL
from buildmatrix.bench.request import Request, read_request
from buildmatrix.errors import DeviceError

# stale: its agent lives but has not been heard of for a minute; whoever collects takes it over
RunStatus = Literal["none", "running", "stale", "stopped", "done"]

STATUSES: dict[str, RunStatus] = {
    "running": "running",
    "stale": "stale",
    "stopped": "stopped",
    "done": "done",
}
STATE = re.compile(rf"({CELL.pattern}) ([a-z]+) (\d{{1,9}}) (\d{{1,9}}) (\d{{0,15}})", re.ASCII)
PROGRESS = re.compile(rb"([a-z]+) (\d{1,9})")


@dataclass(frozen=True, slots=True)
class RunState:
    """The run a board holds, if any; `done` and `total` count blocks."""

    run: str
    status: RunStatus
    done: int = 0
    total: int = 0
    heartbeat: int | None = None  # seconds since the agent was heard of; None without an agent
    request: Request | None = None

    @property
    def owner(self) -> str:
        """Who asked for the run, user@machine; empty when nobody said."""
        return self.request.owner if self.request else ""


def read_state(answer: bytes) -> RunState:
    """'none', or a line 'RUN STATUS DONE TOTAL SILENT' and the request.

    Raises DeviceError for any other answer, BenchError for a request that cannot be read.
    """
    first, _, request = answer.decode(errors="replace").partition("\n")
    if first == "none":
        return RunState("", "none")
    line = STATE.fullmatch(first)
    if line is None or line[2] not in STATUSES:
        raise _unreadable(answer)
    status = STATUSES[line[2]]
    heard = int(line[5] or 0) if status in ("running", "stale") else None
    return RunState(line[1], status, int(line[3]), int(line[4]), heard, read_request(request))


def progress(answer: bytes) -> tuple[str, int, bytes]:
    """Of 'STATUS TOTAL' and what follows: status, blocks in all, new lines of the journal.

    Raises DeviceError for any other answer.
    """
    first, _, news = answer.partition(b"\n")
    line = PROGRESS.fullmatch(first)
    if line is None:
        raise _unreadable(answer)
    return line[1].decode(), int(line[2]), news


def absent(answer: bytes) -> str:
    """The cell whose bundle the board lacks, empty for another answer."""
    words = answer.decode(errors="replace").split()
    named = len(words) == 2 and words[0] == "absent" and CELL.fullmatch(words[1])
    return words[1] if named else ""


def _unreadable(answer: bytes) -> DeviceError:
    return DeviceError(
        "what the board says of its run is no answer",
        details=ascii(answer[:200].decode(errors="replace")),
        hint="look into runs/ on the board; `inv bench --cancel` ends the run and removes it",
    )
