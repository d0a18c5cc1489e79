"""What a board said of itself, now or when it last answered: kept under the state folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from buildmatrix import device
from buildmatrix.boards import reach
from buildmatrix.errors import LinkLost
from buildmatrix.nouns import DeviceInfo
from buildmatrix.records import read_record, write_record
from buildmatrix.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.boards.reach import Access
    from buildmatrix.nouns import BoardAddress

ANSWER = TypeAdapter(DeviceInfo)


@dataclass(frozen=True, slots=True)
class Look:
    """A board's answer, and when it was given."""

    info: DeviceInfo
    at: str  # ISO 8601, UTC
    cached: bool  # the board did not answer now


def look(target: BoardAddress, access: Access, state: Path) -> Look:
    """Ask a board what it is, and keep the answer.

    Raises DeviceError and LinkLost as a connection does.
    """
    with reach.connect(target, access) as connection:
        info = device.probe(connection, target.name)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    keep(info, at, state)
    return Look(info, at, cached=False)


def keep(info: DeviceInfo, at: str, state: Path) -> None:
    """Remember an answer that was given `at` (ISO 8601, UTC)."""
    write_record(
        _file(state, info.name),
        {"version": 1, "at": at, "info": ANSWER.dump_python(info, mode="json")},
    )


def look_or_recall(
    host: str, *, devices: Mapping[str, BoardAddress], access: Access, state: Path
) -> Look:
    """As `look`, by the name of `--host`; of a board that is out of reach the last answer.

    Raises LinkLost where there is none, and DeviceError for a board that is there and refuses.
    """
    try:
        return look(reach.find(host, devices=devices, state=state), access, state)
    except LinkLost:
        last = recall(host, state)
        if last is None:
            raise
        return last


def recall(name: str, state: Path) -> Look | None:
    """The last answer of a board; None where there is none, or one of another version."""
    kept = read_record(_file(state, name))
    try:
        return Look(ANSWER.validate_python(kept["info"]), str(kept["at"]), cached=True)
    except (KeyError, ValidationError):
        return None


def _file(state: Path, name: str) -> Path:
    return State(state).board(name)
