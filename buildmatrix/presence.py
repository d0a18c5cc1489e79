"""Who is at work in a state folder: many processes at once, or one alone.

The kernel lets go of a process's part when it ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildmatrixError

if TYPE_CHECKING:
    from pathlib import Path


class Presence:
    """This process's part in a state folder: it is there, beside others, once it has entered."""

    def __init__(self, path: Path) -> None:
        """`path` is the file that all of them lock; it holds nothing."""
        self.path = path
        self.descriptor: int | None = None

    def enter(self) -> None:
        """Be there, once whoever is alone there has gone. In a folder that cannot be written nobody
        is ever alone, so nothing is held there."""
        if self.descriptor is not None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return
        weakref.finalize(self, os.close, self.descriptor)
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)

    def be_alone(self) -> None:
        """Keep all others out until this process ends. Raises BuildmatrixError when others are
        there, or when the folder cannot be written."""
        self.enter()
        where = str(self.path.parent)
        if self.descriptor is None:
            raise BuildmatrixError("the state folder cannot be written", where=where)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Changing a lock lets go of the old one first: be there again before anything is said.
            fcntl.flock(self.descriptor, fcntl.LOCK_SH)
            raise BuildmatrixError(
                "another command is at work with this state folder",
                where=where,
                hint="run it again when the other has ended",
            ) from None
