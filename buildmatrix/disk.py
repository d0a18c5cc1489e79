"""What the operating system said of a file, in the words of whoever has to mend it."""

from __future__ import annotations

import errno
import os
import pwd
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildmatrixError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RAISE_FILES = "raise it for this shell: ulimit -n 1024"
FULL = {errno.ENOSPC: "is full", errno.EDQUOT: "has used up its quota"}


def explained(error: OSError, written: Iterable[Path] = ()) -> BuildmatrixError:
    """The error of a file system as one of ours: which file, what is in the way, what to do.

    Of a disk that is full the system names no file: of the places that may have been `written` to
    it is the one with the least room.
    """
    path = Path(os.fsdecode(error.filename or error.filename2 or ""))
    named = error.filename is not None or error.filename2 is not None
    where = str(path) if named else None
    if errno.EMFILE in _numbers(error):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        brief = f"too many open files: this program may have {limit} at once"
        return BuildmatrixError(brief, where=where, hint=RAISE_FILES)
    if error.errno in FULL:
        return _full(error.errno, path.parent if named else _fullest(written))
    if error.errno == errno.EROFS:
        brief = "its file system is mounted read-only"
        return BuildmatrixError(brief, where=where, hint="name a folder that can be written")
    if error.errno in (errno.EACCES, errno.EPERM) and named:
        return BuildmatrixError(
            f"permission denied: {_owner(path)}, this program runs as {_name(os.geteuid())}",
            where=where,
            hint="run as the owner, or give the folder to this user with chown -R",
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and named:
        brief = f"is in the way ({os.strerror(error.errno).lower()})"
        return BuildmatrixError(brief, where=where, hint="move it away, or name another folder")
    if error.errno is None:  # the engine's answer, say: requests' errors are OSErrors too
        brief = str(error) or type(error).__name__
        return BuildmatrixError(brief, where=where, hint="`inv doctor` looks at this machine")
    brief = error.strerror or str(error)
    return BuildmatrixError(brief, where=where, hint="see that the file is there and can be read")


def _numbers(error: BaseException) -> Iterator[int | None]:
    """Of the error and of those that it was made of: requests' holds urllib3's, and that ours."""
    if isinstance(error, OSError):
        yield error.errno
    for part in error.args:
        if isinstance(part, BaseException):
            yield from _numbers(part)


def closed(folder: Path) -> Path | None:
    """The first thing in a folder, two levels down at most, that this user may not use: a folder
    not to be written, a file not to be read. None: all of it is open."""
    for path in sorted([folder, *folder.glob("*"), *folder.glob("*/*")]):
        needed = os.R_OK | os.W_OK | os.X_OK if path.is_dir() else os.R_OK
        if not path.is_symlink() and not os.access(path, needed, effective_ids=True):
            return path
    return None


def _full(number: int, folder: Path | None) -> BuildmatrixError:
    place = f"the file system {_mount_point(folder)}" if folder else "a file system"
    return BuildmatrixError(
        f"{place} {FULL[number]}",
        where=str(folder) if folder else None,
        hint="free space there, or name a folder elsewhere: for the state that is --state or "
        "BUILDMATRIX_STATE",
    )


def _fullest(places: Iterable[Path]) -> Path | None:
    """The folder with the least room, of those that are there or will be."""
    there = (next(at for at in (one, *one.parents) if at.is_dir()) for one in places)
    return min(there, key=lambda folder: shutil.disk_usage(folder).free, default=None)


def _mount_point(path: Path) -> str:
    for folder in (path.absolute(), *path.absolute().parents):
        if folder.is_mount():
            return str(folder)
    return "/"


def _owner(path: Path) -> str:
    """Who owns the file, or the nearest folder above it that is there to be seen."""
    for place in (path, *path.parents):
        try:
            about = place.stat()
        except OSError:
            continue
        what = "it" if place == path else str(place)
        return f"{what} is {_name(about.st_uid)}'s, mode {about.st_mode & 0o7777:o}"
    return "its owner cannot be seen"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
