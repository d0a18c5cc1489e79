"""Root at work in somebody else's folder: what it leaves there is theirs."""

from __future__ import annotations

import atexit
import contextlib
import os
import stat
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOTS = (0, 65534)  # a build by root runs as nobody in its container


@cache
def keep(folder: Path) -> None:
    """Once this process, which is root's, has ended, give what is root's below `folder` to whoever
    has the folder now, or the folder that it will be made in."""
    if os.geteuid() != 0:
        return
    there = next(one for one in (folder, *folder.parents) if one.exists())
    owner = there.stat()
    if owner.st_uid != 0:
        atexit.register(give, folder, owner.st_uid, owner.st_gid)


def give(folder: Path, user: int, group: int) -> None:
    """Make what is root's below `folder`, and the folder, that user's.

    A symbolic link stays as it is, and so does a file that has another name: that may be one of the
    system's, linked here by who owns the folder.
    """
    if not folder.exists():  # nothing was made
        return
    for _, _, files, descriptor in os.fwalk(folder):
        for name in (".", *files):
            with contextlib.suppress(OSError):  # gone by now, or a link
                _give_one(name, descriptor, user, group)


def _give_one(name: str, folder: int, user: int, group: int) -> None:
    """By a descriptor: between a look at a name and a change of it another file could be there."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder)
    try:
        about = os.fstat(descriptor)
        alone = stat.S_ISDIR(about.st_mode) or (stat.S_ISREG(about.st_mode) and about.st_nlink == 1)
        if about.st_uid in ROOTS and alone:
            os.chown(f"/proc/self/fd/{descriptor}", user, group)
    finally:
        os.close(descriptor)
