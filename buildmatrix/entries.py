"""An entry of the store as the bytes of its file, and read again."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import PurePosixPath

from buildmatrix import records
from buildmatrix.nouns import Entry, FileRecord

FORMAT = 1
SHA256 = re.compile("[0-9a-f]{64}")


class NewerFormat(ValueError):
    """An entry that a newer program wrote; says of which format it is."""


def written(entry: Entry) -> bytes:
    """The bytes of an entry's file, sealed by their checksum."""
    return records.sealed({"version": FORMAT, **asdict(entry)})


def read(key: str, data: bytes) -> Entry | None:
    """The entry of a key out of its file's bytes; None for anything that no store wrote under it.

    Raises NewerFormat for an entry of a later format than this program's.
    """
    content = records.unsealed(data)
    if isinstance(content, dict) and isinstance(content.get("version"), int):
        version = content["version"]
        if version > FORMAT:
            raise NewerFormat(version)
    return _entry_of(key, content)


def _entry_of(key: str, content: object) -> Entry | None:
    """The entry that was written down; None for anything that no store wrote under this key."""
    match content:
        case {
            "version": int(),
            "key": str(named),
            "files": list(files),
            "material": dict(material),
            "provenance": dict(provenance),
        } if named == key:
            records = tuple(record for row in files if (record := _record_of(row)) is not None)
            return Entry(key, records, material, provenance) if len(records) == len(files) else None
        case _:
            return None


def _record_of(row: object) -> FileRecord | None:
    match row:
        case {
            "path": str(path),
            "sha256": str(sha256),
            "size": int(size),
            "executable": bool(executable),
            "link": str(link),
        }:
            inside = _stays_inside(path) and bool(SHA256.fullmatch(sha256)) != bool(link)
            return FileRecord(path, sha256, size, executable, link) if inside else None
        case _:
            return None


def _stays_inside(path: str) -> bool:
    return bool(path) and not path.startswith("/") and ".." not in PurePosixPath(path).parts
