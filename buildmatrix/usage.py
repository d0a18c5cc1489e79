"""What a thing on the disk weighs, and when it was last of use."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def note_use(path: Path) -> None:
    """Write down that a file or folder was of use now, as its time of change."""
    with contextlib.suppress(OSError):  # a state folder that is only read tells nothing new
        os.utime(path)


def last_use(path: Path) -> float:
    """When a file or folder was made or last noted to be of use, in seconds since the epoch; 0 for
    what is not there."""
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def weight(path: Path) -> tuple[int, float]:
    """Bytes of a file, or of all files below a folder, and the newest time of change among them.

    Counted is what the file system gave them, so that the holes of a disk image weigh nothing.
    """
    total, newest = 0, 0.0
    waiting = [path]
    while waiting:  # no calls of its own: what a build leaves may be deeper than Python goes
        at = waiting.pop()
        with contextlib.suppress(OSError):  # gone, closed, or longer than a path may be
            about = at.lstat()
            newest = max(newest, about.st_mtime)
            if stat.S_ISDIR(about.st_mode):
                with os.scandir(at) as inside:
                    waiting += [at / entry.name for entry in inside]
            else:
                total += about.st_blocks * 512
    return total, newest
