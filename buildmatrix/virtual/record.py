"""The directories of virtual boards: what is written down, listed, locked and thrown away."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import regular
from buildmatrix.errors import UsageError
from buildmatrix.nouns import BoardAddress
from buildmatrix.state import State
from buildmatrix.virtual import host, link, power
from buildmatrix.virtual.rootfs import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Board:
    """A virtual board as its directory describes it."""

    address: BoardAddress  # at the far end of the link, when there is one
    kind: str  # one of KINDS
    uses: tuple[str, ...]  # directories of the image under its disk
    port: int  # where the board itself answers
    link: str  # as `up` was asked for it
    running: bool

    @property
    def again(self) -> str:
        """The command that switches it on as it was."""
        link = f" --link {self.link}" if self.link else ""
        return f"inv device up --name {self.address.name} --kind {self.kind}{link}"


def boards(state: Path) -> tuple[Board, ...]:
    """Every board of this state directory, by name."""
    records = map(read, sorted(State(state.absolute()).virtual_boards.glob("*/")))
    return tuple(board for board in records if board is not None)


def read(directory: Path) -> Board | None:
    """None also for a directory whose making was interrupted. Raises InTheWay for a pipe, a socket
    or a device in the place of its record."""
    try:
        record = json.loads(regular.content(directory / "board.json"))
        # Version 1 had no `uses`: its disk fits no image of today.
        kind, uses, wire = record["kind"], tuple(record.get("uses", ())), record.get("link", "")
        port, host_key = record["port"], record["host_key"]
        door = record.get("relay") or port
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    running = power.of(directory).alive(directory)
    return Board(
        address=_address(directory, door, host_key),
        kind=kind,
        uses=uses,
        port=port,
        link=wire,
        running=running,
    )


def write(
    directory: Path, *, kind: str, uses: Sequence[str], port: int, link: str = "", relay: int = 0
) -> Board:
    """Keep what `read` needs, and a known_hosts file for people who use ssh by hand."""
    public = directory / "host_key.pub"
    record = {"version": 2, "kind": kind, "uses": uses, "port": port, "link": link}
    record |= {"relay": relay, "host_key": fingerprint(public)}
    doors = (f"[127.0.0.1]:{door} {public.read_text()}" for door in (port, relay) if door)
    (directory / "known_hosts").write_text("".join(doors))
    (directory / "board.json").write_text(json.dumps(record, indent=1) + "\n")
    board = read(directory)
    assert board is not None
    return board


@contextlib.contextmanager
def held(state: Path, name: str) -> Iterator[Path]:
    """The board's directory, ours alone; what is no board at the end leaves nothing behind."""
    directory = _directory(state, name)
    lock = directory.with_name(f".{name}.lock")
    with host.locked(lock):
        try:
            yield directory
        finally:
            if read(directory) is None:
                throw_away(directory)
                lock.unlink()


def switch_off(directory: Path) -> None:
    link.cut(directory)
    power.of(directory).stop(directory)


def throw_away(directory: Path) -> None:
    """Off, and neither disk nor key is left."""
    link.cut(directory)
    power.of(directory).remove(directory)
    if directory.exists():
        shutil.rmtree(directory)


def _address(directory: Path, port: int, host_key: str) -> BoardAddress:
    return BoardAddress(
        name=directory.name,
        host="127.0.0.1",
        port=port,
        user="pi",
        host_key=host_key,
        identity_file=str(directory / "id_ed25519"),
        virtual=True,
    )


def _directory(state: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a board's name", hint="use lower-case letters, digits, - _ ."
        )
    return State(state.absolute()).virtual_boards / name
