"""Temporary files and folders that are known to be nobody's once their maker is dead.

Whoever makes one holds a lock on it; the kernel lets go when the holder dies, however it dies. So
`sweep` removes what a killed maker left and never what a living one works in.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

YOUNG = 60.0  # seconds in which something may have been made and not yet be locked


@contextlib.contextmanager
def folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new empty folder below `parent`, which is there; removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with _locked(path):
            yield path
    finally:
        discard(path)


@contextlib.contextmanager
def file(parent: Path, prefix: str) -> Iterator[Path]:
    """A new empty file in `parent`; removed afterwards, unless it was moved to its place."""
    handle, name = tempfile.mkstemp(prefix=prefix, dir=parent)
    os.close(handle)
    path = Path(name)
    try:
        with _locked(path):
            yield path
    finally:
        path.unlink(missing_ok=True)


def replace(path: Path, content: bytes | BinaryIO, *, through: Path, mode: int) -> None:
    """Put `content` in the place of a file, by way of a new file in `through`, a folder of the same
    file system.

    A reader sees the old or the new, whenever the writer is killed and after a power cut too.
    """
    with file(through, f".{path.name}-") as written:
        with written.open("wb") as stream:
            if isinstance(content, bytes):
                stream.write(content)
            else:
                shutil.copyfileobj(content, stream)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        written.replace(path)
    _sync_folder(path.parent)


def claim(parent: Path, prefix: str) -> Path:
    """A new file in `parent` whose lock this process holds until it ends, however it ends.

    An orderly end removes it: one that nobody holds is of a process that was killed."""
    parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=prefix, dir=parent)
    fcntl.flock(handle, fcntl.LOCK_EX)  # and never closed
    atexit.register(Path(name).unlink, missing_ok=True)
    return Path(name)


def is_claimed(path: Path) -> bool:
    """Whether the process that made a file by `claim` is alive."""
    try:
        with _locked(path):
            return False
    except BlockingIOError:
        return True
    except OSError:  # gone: swept after its maker's death
        return False


def sweep(parent: Path, pattern: str = "*", *, now: float | None = None) -> tuple[Path, ...]:
    """Remove what dead makers left in `parent` under names like `pattern`; returns what it was.

    What is younger than a minute stays: its maker may be about to lock it.
    """
    moment = time.time() if now is None else now
    return tuple(path for path in sorted(parent.glob(pattern)) if _swept(path, moment))


def _swept(path: Path, now: float) -> bool:
    try:
        if now - path.lstat().st_mtime < YOUNG or path.is_symlink():
            return False
        with _locked(path):
            if path.is_dir():
                discard(path)
            else:
                path.unlink()
        return not path.exists()
    except OSError:  # it is somebody's, or it has just gone
        return False


def remove(path: Path) -> None:
    """Remove what has this name, whether it is a file, a link or a folder, or not there at all."""
    if path.is_dir() and not path.is_symlink():
        discard(path)
    else:
        path.unlink(missing_ok=True)


def make_way(path: Path) -> None:
    """Remove what lies where a file is about to be opened for writing and is none: a pipe would
    wait for a reader."""
    if path.exists() and not path.is_file():
        remove(path)


def discard(folder: Path) -> None:
    """Remove a folder and all in it that this process may remove; what somebody else removes
    meanwhile is no error."""
    try:
        _discard(folder)
    except RecursionError:  # deeper than Python goes, on purpose
        for words in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*words, "--", folder], check=False, stderr=subprocess.DEVNULL)


def _discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir() and not folder.is_symlink():
        # Folders that nobody may write or read, as Go's module cache has them: root never notices.
        for place, folders, _ in os.walk(folder):
            for path in (Path(place), *(Path(place) / name for name in folders)):
                if not path.is_symlink():
                    with contextlib.suppress(OSError):
                        path.chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file or folder. Raises BlockingIOError when somebody else holds it."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for a writer
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
