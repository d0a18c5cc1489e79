"""Submodules of a source: git's archive of a commit has an empty folder in the place of each, and
so has a code host's. They stay out, as alternates of one source are to be one tree; a build that
fails is told of them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PATH = re.compile(r"^\s*path\s*=\s*(\S.*?)\s*$", re.MULTILINE)  # gitmodules(5)
LONGEST = 1 << 16  # bytes of a .gitmodules that are looked at


def absent(folder: Path) -> tuple[str, ...]:
    """Paths in an unpacked source at which a submodule belongs and nothing is, as it names them."""
    named = folder / ".gitmodules"
    if named.is_symlink() or not named.is_file():
        return ()
    with named.open("rb") as stream:
        text = stream.read(LONGEST).decode(errors="replace")
    paths = sorted({path.strip('"') for path in PATH.findall(text)})
    return tuple(path for path in paths if _inside(path) and not _filled(folder / path))


def _inside(path: str) -> bool:
    return "\0" not in path and not path.startswith("/") and ".." not in PurePosixPath(path).parts


def _filled(folder: Path) -> bool:
    try:
        return folder.is_symlink() or any(folder.iterdir())
    except OSError:
        return False
