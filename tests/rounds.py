"""Rounds of the build that goes on beside the tests: who makes one says so, who needs one waits.

A round is a file that its maker has locked. The kernel lets go of it whatever becomes of the maker,
so nobody waits for ever; what the file says then is what went wrong. Where nobody builds nobody
waits, and a test builds by itself what it needs.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.boards import STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

FIRST, ALL = "first", "all"
NAMES = (FIRST, ALL)
KILLED = "`python -m tests.stacks` ended before it had built this"
FOLDER = STATE / "stages"  # scripts/test empties it


@dataclass(frozen=True, slots=True)
class Round:
    """One that is being made. Left without a word it counts as killed."""

    file: IO[str]

    def done(self) -> None:
        """Let go of those who wait."""
        self.failed("")

    def failed(self, words: str) -> None:
        """Let go of those who wait, with these words."""
        self.file.seek(0)
        self.file.truncate()
        self.file.write(words)
        self.file.flush()
        fcntl.flock(self.file, fcntl.LOCK_UN)


@contextmanager
def begun(name: str, folder: Path = FOLDER) -> Iterator[Round]:
    """A round that others wait for from here on."""
    folder.mkdir(parents=True, exist_ok=True)
    with _file(name, folder).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(KILLED)
        file.flush()
        yield Round(file)


def wait(name: str, enough: Callable[[], bool] = lambda: False, *, folder: Path = FOLDER) -> None:
    """Return once the round is made, nobody makes it, or it is far enough.

    Raises AssertionError with what its maker said when it failed.
    """
    try:
        with _file(name, folder).open() as file:
            while not enough():
                if _free(file):
                    words = file.read()
                    assert not words, f"the build of the stacks failed: {words}"
                    return
                time.sleep(0.5)
    except FileNotFoundError:
        return


def _free(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _file(name: str, folder: Path) -> Path:
    return folder / f"round-{name}"
