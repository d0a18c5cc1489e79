"""Large files of a machine that others may take from the shared store: archives, images.

Each lies there as an entry of one file, and on the disk in its own place: not in the store's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix import entries
from buildmatrix.nouns import Entry, FileRecord

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.remote import Remote


def lend(
    remote: Remote, key: str, path: Path, *, sha256: str, material: Mapping[str, object]
) -> None:
    """Put a file into the shared store under a key, with what is to be known of it; wait for it."""
    record = FileRecord("content", sha256, path.stat().st_size)
    entry = entries.written(Entry(key, (record,), material, {}))
    remote.send(key, entry, {sha256: path})


def offered(remote: Remote | None, key: str) -> Entry | None:
    """What the shared store has under a key; None where it has nothing that can be read."""
    data = remote.entry(key) if remote else None
    try:
        return entries.read(key, data) if data is not None else None
    except entries.NewerFormat:
        return None


def borrow(remote: Remote, entry: Entry, to: Path) -> bool:
    """Copy the file of an entry; whether it was there and is what its hash says."""
    (record,) = entry.files
    whole = remote.fetch(record.sha256, to)
    if not whole:
        remote.pass_over(entry.key)
    return whole
