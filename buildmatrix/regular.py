"""Files of ours that somebody may have put something else in the place of: a pipe's reader waits
for ever, and a device acts when it is opened."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildmatrixError

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

OTHERS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class InTheWay(BuildmatrixError):
    """A pipe, a socket or a device lies where a file of ours belongs."""


def opened(path: Path) -> BufferedReader:
    """The file, to be read. Raises InTheWay for what is none, without having waited for it; and
    OSError as `open` does, for a folder too."""
    check(path)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _check(path, os.fstat(handle).st_mode)  # it may have been put there since
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def content(path: Path) -> bytes:
    """What is in the file. Raises as `opened` does."""
    with opened(path) as stream:
        return stream.read()


def check(path: Path) -> None:
    """See that nothing lies there that is neither file nor folder, before it is opened. Raises
    InTheWay, and OSError where nothing is there."""
    _check(path, path.stat().st_mode)


def _check(path: Path, mode: int) -> None:
    if (what := OTHERS.get(stat.S_IFMT(mode))) is not None:
        raise InTheWay(
            f"is in the way: {what}, where a file belongs", where=str(path), hint="move it away"
        )
