"""What a thing on the disk weighs, and when it was last of use."""

from __future__ import annotations

import contextlib
import os
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
    if not path.is_dir() or path.is_symlink():
        try:
            about = path.lstat()
        except OSError:
            return 0, 0.0
        return about.st_blocks * 512, about.st_mtime
    total, newest = 0, last_use(path)
    with contextlib.suppress(OSError), os.scandir(path) as inside:
        for entry in inside:
            size, changed = weight(path / entry.name)
            total, newest = total + size, max(newest, changed)
    return total, newest
