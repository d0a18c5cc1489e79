"""Small JSON files that outlive a run: replaced whole, checked when read, harmless when damaged.

A sealed file is a JSON object of two members, the sha256 of the bytes of the second and the second,
so that one flipped bit is seen before anything in the file is believed. Files of older versions
have no seal: they are read as they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from buildmatrix import regular, scratch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEAD = re.compile(rb'\{"sha256": "([0-9a-f]{64})",\n"content": ')
TAIL = b"}\n"
MEMBERS = ("sha256", "content")


def sealed(content: object) -> bytes:
    """The bytes of a file that holds `content`, anything that JSON can say, with its checksum."""
    body = json.dumps(content, indent=1).encode()
    return b'{"sha256": "%s",\n"content": ' % _digest(body) + body + TAIL


def unsealed(data: bytes) -> object:
    """What `sealed` was given, or None for bytes that are not what was written."""
    try:
        head = HEAD.match(data)
        if head is None:
            content = json.loads(data)
            # A seal that is itself damaged is no file of an older version.
            torn = isinstance(content, dict) and not content.keys().isdisjoint(MEMBERS)
            return None if torn else content
        body = data[head.end() : -len(TAIL)]
        whole = data.endswith(TAIL) and _digest(body) == head[1]
        return json.loads(body) if whole else None
    except (ValueError, RecursionError):
        return None


def read_record(path: Path) -> dict[str, Any]:
    """The object in a record; empty when there is no file or it is not what was written.

    What a record says can be found out again, so a damaged one counts as one that is not there.
    Raises InTheWay for a pipe, a socket or a device in its place.
    """
    try:
        content = unsealed(regular.content(path))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    return content if isinstance(content, dict) else {}


def write_record(path: Path, value: Mapping[str, object]) -> None:
    """Replace a record at once and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, sealed(dict(sorted(value.items()))))


def write_document(path: Path, value: Mapping[str, object]) -> None:
    """Replace a JSON file that others read too: the plain object."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, json.dumps(value, indent=1, sort_keys=True).encode())


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file, or of a folder that something left under its name."""
    with contextlib.suppress(OSError):
        path.rmdir()
    scratch.replace(path, content, through=path.parent, mode=0o600)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
