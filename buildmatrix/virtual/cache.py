"""Directories that are made once and named after what decides them: STEM-DIGEST."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from buildmatrix.protocols import Finished, Started
from buildmatrix.usage import note_use
from buildmatrix.virtual import host, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from buildmatrix.protocols import Reporter

    Used: TypeAlias = Callable[[], set[str]]  # names of directories that boards need


FORM = re.compile(r".+-[0-9a-f]{16}")


def directories(shelf: Path) -> tuple[Path, ...]:
    """Everything below a folder that `made` made, superseded forms included."""
    return tuple(sorted(path for path in shelf.glob("*/") if FORM.fullmatch(path.name)))


def digest(*parts: str | Path) -> str:
    """16 hex digits of a hash over texts and the contents of files."""
    contents = (part.read_bytes() if isinstance(part, Path) else part.encode() for part in parts)
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]


@contextlib.contextmanager
def made(
    directory: Path,
    build: Callable[[Path, Path], None],
    *,
    title: str,
    used: Used = set,
    reporter: Reporter,
) -> Iterator[Path]:
    """`directory`, there for as long as the context lasts.

    When missing, `build(scratch, out)` fills it. Its superseded forms (the same stem, another
    digest) are removed, but for those that `used` names and those that another `made` holds.
    """
    with contextlib.ExitStack() as holds:
        with _locked(directory) as stem:
            if not directory.exists():
                _build(directory, stem, build, title, reporter)
            _remove_superseded(directory, stem, used)
            holds.enter_context(_kept(directory))
            note_use(directory)
        yield directory


def discard(directory: Path, *, wait: bool = True) -> bool:
    """Remove it when nobody holds it any more; it is made anew when asked for.

    Without `wait` what somebody holds stays. Returns whether it is gone.
    """
    with _locked(directory):
        if directory.exists():
            how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
            with contextlib.suppress(BlockingIOError), _kept(directory, how):
                shutil.rmtree(directory)
    return not directory.exists()


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[str]:
    """All forms of its stem are ours alone; the stem."""
    stem = directory.name.rpartition("-")[0]
    with host.locked(directory.with_name(f"{stem}.lock")):
        yield stem


def _build(
    directory: Path,
    stem: str,
    build: Callable[[Path, Path], None],
    title: str,
    reporter: Reporter,
) -> None:
    reporter.emit(Started(f"virtual-image-{stem}", title))
    began = time.monotonic()
    for left_over in directory.parent.glob(f"building.{stem}.*"):  # that build was killed
        machine.stop(left_over)
        shutil.rmtree(left_over)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f"building.{stem}.") as scratch:
        out = Path(scratch) / "out"
        out.mkdir(mode=0o700)  # the guest's private host key is in it
        build(Path(scratch), out)
        out.rename(directory)
    seconds = time.monotonic() - began
    reporter.emit(Finished(f"virtual-image-{stem}", "done", seconds, str(directory)))


def _remove_superseded(directory: Path, stem: str, used: Used) -> None:
    form = re.compile(re.escape(stem) + "-[0-9a-f]{16}")
    forms = {path for path in directory.parent.iterdir() if form.fullmatch(path.name)}
    needed = used() if len(forms) > 1 else set()
    for old in forms - {directory}:
        if old.name not in needed:
            with contextlib.suppress(BlockingIOError), _kept(old, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(old)


@contextlib.contextmanager
def _kept(directory: Path, how: int = fcntl.LOCK_SH) -> Iterator[None]:
    """Hold a lock on the directory itself; shared: nobody removes it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
