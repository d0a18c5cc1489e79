"""What a shell may offer behind a flag: cells and boards of a project, and what it may name.

A shell asks while somebody waits with a finger on a key, so nothing of the command line is
imported here, and what it takes a second to read, the cells, is remembered until a file changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from buildmatrix import shelf
from buildmatrix.errors import BuildmatrixError
from buildmatrix.records import read_record, write_record
from buildmatrix.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

Noun = Literal["cells", "hosts", "recipes", "toolchains", "models"]
NOUNS: tuple[Noun, ...] = get_args(Noun)


def answer(arguments: list[str]) -> str:
    """A line for each name, of `[noun, matrix, state folder]`, the last two optional or empty.

    A project that cannot be read offers what it did when it last could: a shell shows no messages.
    """
    noun, matrix, state = (*arguments, "", "", "")[:3]
    path = Path(matrix or "matrix.yaml")
    kept = State(Path(state) if state else shelf.project_folder(path) / ".buildmatrix")
    return "".join(f"{name}\n" for name in _names(noun, path, kept))


def _names(noun: str, matrix: Path, state: State) -> list[str]:
    match noun:
        case "cells":
            return _project(matrix, state).get("cells", [])
        case "hosts":
            folders = state.virtual_boards.glob("*/")
            virtual = sorted(folder.name for folder in folders)
            return [*_project(matrix, state).get("hosts", []), *virtual]
        case "recipes" | "toolchains" | "models":
            return [*shelf.folders(shelf.project_folder(matrix), noun)]
        case _:
            return []


def _project(matrix: Path, state: State) -> dict[str, list[str]]:
    """The cells of a matrix, and its boards and groups; remembered where the project has a state
    folder, for a key that somebody pressed makes none."""
    stamps = [f"{path}@{path.stat().st_mtime_ns}" for path in _written(matrix)]
    last = read_record(state.offered)
    if last.get("stamps") == stamps:
        return last
    from buildmatrix.pipeline import project  # only when something was written

    there = state.root.is_dir()
    try:
        loaded = project.load(matrix, state=state.root if there else None)
    except (BuildmatrixError, OSError):
        return last
    boards = [*loaded.matrix.devices, *loaded.matrix.groups]
    names = {"stamps": stamps, "cells": [cell.id for cell in loaded.cells], "hosts": boards}
    if there:
        write_record(state.offered, names)
    return names


def _written(matrix: Path) -> Iterator[Path]:
    """The files that decide which cells there are, as far as they are the project's own."""
    folder = shelf.project_folder(matrix)
    patterns = ("recipes/*/recipe.yaml", "toolchains/*/toolchain.yaml", "models/*/model.yaml")
    if matrix.is_file():
        yield matrix.resolve()
    for pattern in patterns:
        yield from sorted(folder.glob(pattern))
