"""Sources that are folders of the project: as they are now, without what git is told to ignore."""

from __future__ import annotations

import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

from buildmatrix.errors import SourceUnavailable
from buildmatrix.sources.tree import tree_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Keep = frozenset[bytes] | None  # paths below the folder that count; None: all but git's own
# The project is the user's own, and nothing that its configuration names is run.
GIT = ("git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "ls-files", "-z")


def folder_tree(base: Path, path: str) -> str:
    """Git's tree id of a folder of the project `base`, edits and new files included.

    Raises SourceUnavailable when it is not there, or is a link that leaves the project.
    """
    folder = _placed(base, path)
    return tree_id(folder, _counts(_kept(folder)))


def archive_folder(base: Path, path: str, destination: Path) -> None:
    """Pack a folder of the project `base`, so that all sources look the same from here on.

    Raises SourceUnavailable as `folder_tree` does.
    """
    folder = _placed(base, path)
    counts = _counts(_kept(folder))

    def taken(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        below = os.fsencode(member.name.removeprefix("source").removeprefix("/"))
        return member if (member.isdir() and not _is_git(below)) or counts(below) else None

    with tarfile.open(destination, "w") as archive:
        archive.add(folder, arcname="source", filter=taken)


def _placed(base: Path, path: str) -> Path:
    folder = base / path
    if not folder.is_dir():
        raise SourceUnavailable("no such folder", where=str(folder))
    if not folder.resolve().is_relative_to(base.resolve()):
        raise SourceUnavailable("is a link out of the project", where=str(folder))
    return folder


def _kept(folder: Path) -> Keep:
    """What git tracks there or would; None where there is no git or no working tree.

    Of a repository within, a submodule or a clone, git lists the folder alone: it is asked there.
    """
    listed = _git((*GIT, "--cached", "--others", "--exclude-standard"), folder)
    if listed in (None, b"./\0"):  # a submodule's folder that is no repository any more
        return None
    kept: set[bytes] = set()
    for name in filter(None, (listed or b"").split(b"\0")):
        path = folder / os.fsdecode(name)
        if path.is_dir() and not path.is_symlink():
            kept.update(name.rstrip(b"/") + b"/" + inside for inside in _within(path))
        else:
            kept.add(name)
    return frozenset(kept)


def _within(folder: Path) -> Iterator[bytes]:
    """What counts of a repository within another: all of it where git does not say."""
    own = _kept(folder) if (folder / ".git").exists() else None
    if own is not None:
        yield from own
        return
    for path in folder.rglob("*"):
        name = os.fsencode(path.relative_to(folder))
        if not _is_git(name) and (path.is_symlink() or not path.is_dir()):
            yield name


def _git(command: tuple[str, ...], folder: Path) -> bytes | None:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_OPTIONAL_LOCKS": "0",
    }
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _counts(keep: Keep) -> Callable[[bytes], bool]:
    if keep is None:
        return lambda path: not _is_git(path)
    return keep.__contains__


def _is_git(path: bytes) -> bool:
    return b".git" in path.split(b"/")
