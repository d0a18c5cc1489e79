"""What the board wrote down: a JSON line for each block done or skipped, and for each event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from buildmatrix.bench import door
from buildmatrix.errors import BenchError
from buildmatrix.printable import printable

Event = Mapping[str, Any]  # "event": its name; "at": seconds since 1970 by the board's clock


@dataclass(frozen=True, slots=True)
class BlockResult:
    """One block as the board saw it. `result` is the runner's own JSON; None when it gave none."""

    block: int
    round: int
    sentinel: bool
    cell: str
    batch: int
    started: int  # seconds since 1970 by the board's clock
    before: Mapping[str, Any]  # what board.sh read: clock, throttle bits, swap, load
    exit: int = 0
    seconds: int = 0
    after: Mapping[str, Any] | None = None  # None for a block that was skipped
    result: Mapping[str, Any] | None = None
    stderr_tail: str = ""
    skipped: Mapping[str, Any] | None = None  # why the agent did not run it, in numbers
    # uptime and watts of each reading of the meter, while the runner was there
    power: Sequence[tuple[float | None, float | None]] = ()


@dataclass(frozen=True, slots=True)
class Journal:
    """`blocks` in the order in which they ran, each once."""

    blocks: tuple[BlockResult, ...]
    events: tuple[Event, ...]


def parse(journal: str) -> Journal:
    """The journal's blocks and events. A last line that is torn is dropped: its block runs again.

    Raises BenchError naming any other line that is neither.
    """
    blocks: dict[int, BlockResult] = {}
    events: list[Event] = []
    for number, line in enumerate(journal.split("\n")[:-1], start=1):
        try:
            _take(line, blocks, events)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BenchError(
                f"line {number} of the journal is not a block: {printable(line[:60])!r}",
                details=_reason(error),
                hint="look at runs/current/journal.jsonl on the board",
            ) from error
    return Journal(tuple(blocks.values()), tuple(events))


def readable(journal: str) -> Journal:
    """All of a stored journal that can be read; it may be from before lines were judged."""
    blocks: dict[int, BlockResult] = {}
    events: list[Event] = []
    for line in journal.split("\n"):
        if '"block"' not in line and '"event"' not in line:
            continue  # a million of them would each be read for nothing
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            _take(line, blocks, events)
    return Journal(tuple(blocks.values()), tuple(events))


def _take(line: str, blocks: dict[int, BlockResult], events: list[Event]) -> None:
    data = door.read(line)
    door.check_line(data)
    if "event" in data:
        events.append(data)
    else:
        blocks.setdefault(data["block"], _block(data))


def _block(data: dict[str, Any]) -> BlockResult:
    if "skipped" not in data:
        data["result"] = runner_line(data.pop("stdout"))
    return BlockResult(**data)


def runner_line(text: str) -> dict[str, Any] | None:
    """The runner's JSON, or None for a line that is none: killed in the middle of it.

    A line with a field of another kind is an answer that failed, and says which.
    """
    try:
        data = door.read(text)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    if words := door.fault(data):
        return {"status": "unreadable", "message": f"the runner's line is none: {words}"}
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return printable(str(error))
