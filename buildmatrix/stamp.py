"""Whether files are what they were, told without reading them: by size, times, place and mode."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PASSED_OVER = "__pycache__"  # what Python writes there follows from what is beside it


@dataclass(frozen=True, slots=True)
class Stamp:
    """What files were at a moment. Two are equal only where every file, folder and link is.

    The time of change of a file's inode is part of it: no program can set that one back. It moves
    in steps of milliseconds, so a file that changed twice within a step looks as if it had not:
    who keeps a stamp keeps it only where `newest` lies further back than that.
    """

    digest: str
    newest: int  # the latest time of change among them, nanoseconds since the epoch


def stamp(places: Iterable[Path], alone: Iterable[str] = ()) -> Stamp | None:
    """The stamp of files and of folders with all below them; of what is named under `alone`, of
    that file or folder by itself. What is not there is told as well.

    None where it cannot be told: a folder that may not be read, or one that a link below leads to.
    """
    total, newest = hashlib.sha256(), 0
    found = chain.from_iterable(map(_walk, map(str, places)))
    try:
        for name, about in chain(found, map(_at, alone)):
            line = f"{name}\0{about and _told(about)}\n"
            total.update(line.encode("utf-8", "surrogateescape"))
            newest = max(newest, about.st_ctime_ns if about else 0)
    except OSError:
        return None
    return Stamp(total.hexdigest(), newest)


def _at(name: str) -> tuple[str, os.stat_result | None]:
    """What has a name, through links; None for nothing. Raises OSError where that is not told."""
    try:
        return name, os.stat(name)  # noqa: PTH116 - objects for ten thousand paths are dear
    except (FileNotFoundError, NotADirectoryError):
        return name, None


def _walk(root: str) -> Iterator[tuple[str, os.stat_result | None]]:
    """Everything from `root` down, in an order that names decide. Raises OSError as `_at` does."""
    _, about = _at(root)
    yield root, about
    waiting = [root] if about and stat.S_ISDIR(about.st_mode) else []
    while waiting:
        with os.scandir(waiting.pop()) as found:
            inside = sorted(found, key=lambda one: one.name)
        for one in inside:
            if one.name == PASSED_OVER:
                continue
            yield one.path, one.stat(follow_symlinks=False)
            if one.is_dir(follow_symlinks=False):
                waiting.append(one.path)
            elif one.is_symlink():
                yield from _through(one)


def _through(link: os.DirEntry[str]) -> Iterator[tuple[str, os.stat_result | None]]:
    """The file that a link leads to. A folder there may lead back to where the link is."""
    if link.is_dir():
        raise NotADirectoryError(link.path)
    yield _at(link.path)


def _told(about: os.stat_result) -> tuple[int, ...]:
    times = about.st_mtime_ns, about.st_ctime_ns
    return about.st_dev, about.st_ino, about.st_mode, about.st_size, *times
