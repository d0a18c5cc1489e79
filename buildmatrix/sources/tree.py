"""Git's id of a tree, from files on disk: how alternates of one source are known to be the same.

The format is git's own (git-scm.com, 'Git Internals - Git Objects'): a blob is
`blob <size>\\0<content>`, a tree lists `<mode> <name>\\0<sha1>` sorted with a folder's name taken
as if it ended in a slash. sha1 identifies here; what was downloaded is checked by sha256.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

from buildmatrix.errors import SourceUnavailable

if TYPE_CHECKING:
    from pathlib import Path


MOST_DEEP = 200  # folders around a file; Python ends at its 1,000 calls
Counts = Callable[[bytes], bool]  # whether a file at this path below the folder is part of it


def tree_id(folder: Path, counts: Counts = lambda _path: True) -> str:
    """40 hex digits; equals `git add -A -f . && git write-tree` in that folder with the files that
    count alone in it. Raises SourceUnavailable for one that goes deeper than any source, or holds
    a pipe, a socket or a device."""
    return _tree(folder, b"", counts).hex()


def _tree(folder: Path, below: bytes, counts: Counts) -> bytes:
    if below.count(b"/") > MOST_DEEP:
        raise SourceUnavailable(
            f"a file lies deeper than {MOST_DEEP} folders", where=f"{os.fsdecode(below[:80])}…"
        )
    rows: list[tuple[bytes, bytes]] = []
    with os.scandir(folder) as listed:
        entries = list(listed)
    for entry in entries:
        name = os.fsencode(entry.name)
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            child = _tree(folder / entry.name, below + name + b"/", counts)
            if child != _object(b"tree", b""):  # git knows no empty folders
                rows.append((name + b"/", b"40000 " + name + b"\0" + child))
        elif not counts(below + name):
            continue
        elif stat.S_ISLNK(mode):
            blob = _object(b"blob", os.fsencode((folder / entry.name).readlink()))
            rows.append((name, b"120000 " + name + b"\0" + blob))
        elif not stat.S_ISREG(mode):  # reading a pipe would wait for ever
            raise SourceUnavailable(
                "is no file, folder or link, and no source can hold it",
                where=str(folder / entry.name),
            )
        else:
            blob = _object(b"blob", (folder / entry.name).read_bytes())
            kind = b"100755 " if mode & 0o100 else b"100644 "
            rows.append((name, kind + name + b"\0" + blob))
    return _object(b"tree", b"".join(row for _, row in sorted(rows)))


def _object(kind: bytes, content: bytes) -> bytes:
    return hashlib.sha1(b"%s %d\0" % (kind, len(content)) + content, usedforsecurity=False).digest()
