"""Where the images of a project's boards are: in its state folder, or on a shelf of several.

The state folder names the shelf in a file, and the shelf has a file for each state folder. What a
board of any of them stands on stays, and so does what was of use within a month: projects may have
different versions of this program, whose images differ.
"""

from __future__ import annotations

import time
from pathlib import Path

from buildmatrix.state import State
from buildmatrix.usage import last_use
from buildmatrix.virtual import cache, record

MONTH = 30 * 86_400  # seconds


def share(state: Path, shelf: Path) -> None:
    """Let boards of a state folder stand on images of a shelf from now on, unless it has some."""
    here = state.absolute()
    own = State(here).virtual
    if not _pointer(here).exists():
        if any(own.glob("root-*")):
            return
        own.mkdir(parents=True, exist_ok=True)
        _pointer(here).write_text(f"{shelf}\n")
    projects = shelf_of(here) / "projects"  # gone with the shelf, where somebody emptied the cache
    projects.mkdir(parents=True, exist_ok=True, mode=0o700)
    (projects / cache.digest(str(here))).write_text(f"{here}\n")


def shelf_of(state: Path) -> Path:
    """The folder of the images that boards of a state folder are made from."""
    here = state.absolute()
    return _named(_pointer(here)) if _pointer(here).exists() else State(here).virtual


def needed(state: Path) -> set[str]:
    """Names of the images that boards stand on: those of `state`, and of all who share with it."""
    states = {state.absolute(), *map(_named, shelf_of(state).glob("projects/*"))}
    return {name for one in states for board in record.boards(one) for name in board.uses}


def lasting(state: Path) -> set[str]:
    """Names of the images that stay when another form of them is made."""
    names = needed(state)
    if _pointer(state.absolute()).exists():
        fresh = time.time() - MONTH
        names |= {one.name for one in cache.directories(shelf_of(state)) if last_use(one) > fresh}
    return names


def _pointer(state: Path) -> Path:
    return State(state).virtual / "shelf"


def _named(file: Path) -> Path:
    return Path(file.read_text().removesuffix("\n"))
