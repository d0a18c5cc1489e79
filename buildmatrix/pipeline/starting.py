"""A project that builds, from nothing: the files of a start, written into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import shelf
from buildmatrix.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

STARTS = shelf.PACKAGE / "start"
SCHEMAS = ".schemas"  # of the files that people write, for editors


def names() -> tuple[str, ...]:
    """The starts that there are."""
    return tuple(sorted(path.name for path in STARTS.iterdir() if path.is_dir()))


def write(folder: Path, start: str, schemas: Mapping[str, str]) -> tuple[Path, ...]:
    """Write a start's files and the schemas (file name -> text) into a folder, which is made when
    it is not there; returns the files, relative to it.

    Raises UsageError when there is no such start, or when a file is there already: none is written.
    """
    if start not in names():
        near = did_you_mean(start, [*names()])
        raise UsageError(f"no start '{start}'{near}", hint=f"there are: {', '.join(names())}")
    texts = {
        path.relative_to(STARTS / start): path.read_text()
        for path in sorted((STARTS / start).rglob("*"))
        if path.is_file()
    }
    files = {_hidden(path): text for path, text in texts.items()}
    files |= {Path(SCHEMAS, name): text for name, text in schemas.items()}
    there = [str(path) for path in files if (folder / path).exists()]
    if there:
        raise UsageError(
            f"nothing is written, because this is there: {', '.join(there)}",
            where=str(folder),
            hint="run it in an empty folder, or name a new one: `inv init NAME`",
        )
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return tuple(files)


def _hidden(path: Path) -> Path:
    """A start has its .gitignore without the dot, or it would be one here."""
    return path.with_name(".gitignore") if path.name == "gitignore" else path
