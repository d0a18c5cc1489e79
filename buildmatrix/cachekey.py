"""Cache keys: canonical JSON of what went in, hashed; and the words for what changed.

The material itself is stored beside every entry, so that 'why was this rebuilt' can always be
answered by comparing two documents, never by guessing from two hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1  # part of every key: bump it when the meaning of the material changes


def canonical(material: object) -> bytes:
    """One byte string per value, on every machine: sorted keys, no spaces, UTF-8.

    >>> canonical({"b": 1, "a": "x"})
    b'{"a":"x","b":1}'
    """
    return json.dumps(
        material, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(material: object) -> str:
    """sha256 of the canonical form, 64 hex digits."""
    return hashlib.sha256(canonical(material)).hexdigest()


def changes(old: object, new: object) -> tuple[str, ...]:
    """What differs, one sentence a place, in the order of the new document.

    >>> changes({"options": {"neon": False}}, {"options": {"neon": True}})
    ('options.neon: false -> true',)
    """
    return tuple(_changes("", old, new))


def _changes(path: str, old: object, new: object) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            below = f"{path}.{name}" if path else str(name)
            if name not in old:
                yield f"{below}: added {_short(new[name])}"
            elif name not in new:
                yield f"{below}: removed {_short(old[name])}"
            else:
                yield from _changes(below, old[name], new[name])
    else:
        yield f"{path}: {_short(old)} -> {_short(new)}"


def _short(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:28]} … {text[-28:]}"
