"""Several boards at once: which ones are meant, and the same work on each, side by side."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from buildmatrix import bench, virtual
from buildmatrix.boards import reach
from buildmatrix.errors import BuildmatrixError, InputError
from buildmatrix.records import read_record, write_record
from buildmatrix.selector import fits
from buildmatrix.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from buildmatrix.bench.runstate import RunState
    from buildmatrix.nouns import BoardAddress

T = TypeVar("T")
LOOK = 8.0  # seconds that a board has to answer a look


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """How the work on one board ended: with a value, or an error of ours."""

    board: str
    value: T | None = None
    error: BuildmatrixError | None = None


def chosen(
    hosts: Sequence[str],
    *,
    devices: Mapping[str, BoardAddress],
    groups: Mapping[str, Sequence[str]],
    state: Path,
) -> tuple[BoardAddress, ...]:
    """The boards that `--host` means, each once: names, groups of matrix.yaml, globs, addresses.

    Without any, the only board there is. Raises InputError for what fits nothing, and for
    two boards that have one name.
    """
    if not hosts:
        return (reach.find("", devices=devices, state=state),)
    names = [*devices, *(b.address.name for b in virtual.boards(state) if b.running)]
    chosen: dict[str, BoardAddress] = {}
    for text in [member for host in hosts for member in groups.get(host, (host,))]:
        meant = [name for name in names if fits(name, text)] if _is_glob(text) else [text]
        if not meant:
            raise InputError(
                f"no board fits '{text}'", hint=f"known here: {', '.join([*groups, *names])}"
            )
        for name in meant:
            board = reach.find(name, devices=devices, state=state)
            if _other(chosen.setdefault(board.name, board), board):
                raise InputError(
                    f"two boards at {board.host}: {reach.spoken(chosen[board.name])} and "
                    f"{reach.spoken(board)}",
                    hint="results are kept by a board's name: give each one under `devices:` in "
                    "matrix.yaml",
                )
    return tuple(chosen.values())


def _other(one: BoardAddress, two: BoardAddress) -> bool:
    """Two boards behind one address, told apart by the port alone."""
    return one.host == two.host and (one.port or 22) != (two.port or 22)


def each(boards: Sequence[BoardAddress], work: Callable[[BoardAddress], T]) -> tuple[Ended[T], ...]:
    """Do the work on every board, side by side; a board that fails does not stop the others.

    The threads are daemons: after Ctrl-C nobody waits for them, and a board whose connection ends
    stays as it was or becomes as it was to be.
    """
    if len(boards) == 1:
        return (_ended(boards[0], work),)
    ended: Queue[Ended[T]] = Queue()
    for board in boards:
        Thread(target=_put, args=(ended, board, work), daemon=True).start()
    ends = {end.board: end for end in (ended.get() for _ in boards)}
    return tuple(ends[board.name] for board in boards)


def values(ended: Sequence[Ended[T]]) -> tuple[T, ...]:
    return tuple(end.value for end in ended if end.value is not None)


def raise_worst(ended: Sequence[Ended[T]]) -> None:
    """One board's error as it is; of several, one that names them all and exits as the first."""
    failed = [(end.board, end.error) for end in ended if end.error is not None]
    if len(ended) == 1 and failed:
        raise failed[0][1]
    if failed:
        raise type(failed[0][1])(
            f"{len(failed)} of {len(ended)} boards failed: {', '.join(name for name, _ in failed)}",
            details="\n".join(f"{name}: {error}" for name, error in failed),
        )


def _ended(board: BoardAddress, work: Callable[[BoardAddress], T]) -> Ended[T]:
    try:
        return Ended(board.name, work(board))
    except BuildmatrixError as error:
        return Ended(board.name, error=error)


def _put(ended: Queue[Ended[T]], board: BoardAddress, work: Callable[[BoardAddress], T]) -> None:
    try:
        ended.put(_ended(board, work))
    except Exception as error:  # noqa: BLE001 # else all would wait for ever
        fault = BuildmatrixError(f"unexpected: {error!r}", details=traceback.format_exc())
        ended.put(Ended(board.name, error=fault))


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a board found: 'idle', 'running', 'stale', 'stopped', 'done' or 'away'."""

    board: str
    state: str
    owner: str = ""  # who holds its lease
    detail: str = ""  # the run and how far it is, or why there was no answer
    last_seen: str = ""  # ISO 8601, UTC; from this state folder, empty if never


def look(boards: Sequence[BoardAddress], *, access: reach.Access, state: Path) -> tuple[Look, ...]:
    """Ask every board, side by side, who is at work on it; remember when it last answered."""

    def ask(board: BoardAddress) -> RunState:
        with reach.connect(board, access, timeout=LOOK) as connection:
            return bench.state(connection)

    path = State(state).seen
    seen = read_record(path)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    ended = each(boards, ask)
    seen |= {end.board: now for end in ended if end.error is None}
    if ended:
        write_record(path, seen)
    return tuple(_look(end, str(seen.get(end.board, ""))) for end in ended)


def _look(ended: Ended[RunState], last_seen: str) -> Look:
    state = ended.value
    if state is None:
        why = ended.error.brief if ended.error else ""
        return Look(ended.board, "away", detail=why, last_seen=last_seen)
    if state.status == "none":
        return Look(ended.board, "idle", last_seen=last_seen)
    silent = f", silent for {state.heartbeat} s" if state.status == "stale" else ""
    detail = f"run {state.run}, {state.done} of {state.total} blocks{silent}"
    return Look(ended.board, state.status, state.owner, detail, last_seen)


def _is_glob(text: str) -> bool:
    return any(sign in text for sign in "*?[")
