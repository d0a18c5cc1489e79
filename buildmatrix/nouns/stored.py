"""What the store holds, and what goes from it to a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of a stored tree. `path` is relative, POSIX, never leaves the tree."""

    path: str
    sha256: str = ""  # empty for a symlink
    size: int = 0
    executable: bool = False
    link: str = ""  # symlink target, relative


@dataclass(frozen=True, slots=True)
class Entry:
    """What the store holds under one key."""

    key: str
    files: tuple[FileRecord, ...]
    material: Mapping[str, object]  # what went into the key
    provenance: Mapping[str, object]  # what did not, but is worth keeping: seconds, builder, log

    def file(self, path: str) -> FileRecord | None:
        """The file at a path of the tree, if there is one."""
        return next((record for record in self.files if record.path == path), None)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What goes to the board for one cell: bin/runner, lib/*, model/*, manifest.json."""

    cell: str
    digest: str  # sha256 of manifest.json, which lists every other file
    files: tuple[FileRecord, ...]  # manifest.json included

    @property
    def size(self) -> int:
        return sum(f.size for f in self.files)
