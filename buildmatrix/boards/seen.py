"""What a board said of itself, now or when it last answered: kept under the state folder."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from buildmatrix import device
from buildmatrix.boards import reach
from buildmatrix.errors import LinkLost
from buildmatrix.nouns import DeviceInfo  # noqa: TC001 - read at run time by LOOK
from buildmatrix.records import read_record, write_record
from buildmatrix.ssh.failures import NoSuchHost
from buildmatrix.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.boards.reach import Access
    from buildmatrix.nouns import BoardAddress


@dataclass(frozen=True, slots=True)
class Look:
    """A board's answer, and when it was given."""

    info: DeviceInfo
    sonames: tuple[str, ...]  # the shared libraries in the folders of its loader
    at: str  # ISO 8601, UTC
    cached: bool  # the board did not answer now


LOOK = TypeAdapter(Look)


def look(board: BoardAddress, access: Access, state: Path) -> Look:
    """Ask a board what it is, and keep the answer.

    Raises DeviceError and LinkLost as a connection does.
    """
    with reach.connect(board, access) as connection:
        info = device.probe(connection, board.name)
        sonames = device.sonames(connection, board.name)
    seen = Look(info, sonames, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), cached=False)
    keep(seen, state)
    return seen


def keep(seen: Look, state: Path) -> None:
    """Remember an answer."""
    write_record(
        _file(state, seen.info.name), {"version": 1, **LOOK.dump_python(seen, mode="json")}
    )


def look_or_recall(
    host: str, *, devices: Mapping[str, BoardAddress], access: Access, state: Path
) -> Look:
    """As `look`, by the name of `--host`; of a board that is out of reach the last answer.

    Raises as `look` does where there is none, and for a board that is there and refuses.
    """
    try:
        return look(reach.find(host, devices=devices, state=state), access, state)
    except (LinkLost, NoSuchHost):
        last = recall(host, state)
        if last is None:
            raise
        return last


def recall(name: str, state: Path) -> Look | None:
    """The last answer of a board; None where there is none, or one of another version."""
    try:
        return replace(LOOK.validate_python(read_record(_file(state, name))), cached=True)
    except ValidationError:
        return None


def _file(state: Path, name: str) -> Path:
    return State(state).board(name)
