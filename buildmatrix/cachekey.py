"""Cache keys: canonical JSON of what went in, hashed; and the words for what changed.

The material itself is stored beside every entry, so that 'why was this rebuilt' can always be
answered by comparing two documents, never by guessing from two hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def file_digest(path: Path) -> str:
    """sha256 of a file's content, read piece by piece."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


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
                yield f"{below}: added{_named(new[name])}"
            elif name not in new:
                yield f"{below}: removed{_named(old[name])}"
            else:
                yield from _changes(below, old[name], new[name])
    elif _is_digest(old) and _is_digest(new):
        yield path  # what a hash was and is says nothing to people
    else:
        yield f"{path}: {' -> '.join(_around(old, new))}"


def _named(value: object) -> str:
    return "" if _is_digest(value) else f" {_short(value)}"


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and value.isalnum()


def _around(old: object, new: object) -> tuple[str, str]:
    """Two values on one line, each cut in its middle, or down to where they begin to differ; of
    texts of several lines the first line that differs.

    >>> _around("make\\nstrip a\\nmake install\\n", "make\\nstrip b\\nmake install\\n")
    ('"strip a"', '"strip b"')
    >>> flags = "-g " * 20
    >>> _around(f"cc {flags} -O2 {flags}", f"cc {flags} -O3 {flags}")[1]
    '… -g -g -g -g  -O3 -g -g -g -g -g -g -g -g -g -g -g -g -g …'
    """
    if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        pairs = zip_longest(old.splitlines(), new.splitlines(), fillvalue="")
        old, new = next(((left, right) for left, right in pairs if left != right), (old, new))
    one, other = _short(old), _short(new)
    if one != other:
        return one, other
    texts = [json.dumps(value, sort_keys=True, ensure_ascii=False) for value in (old, new)]
    letters = enumerate(zip(*texts, strict=False))
    start = next((i for i, (left, right) in letters if left != right), 15) - 15
    cut = [f"… {text[start : start + 55]} …" for text in texts]
    return cut[0], cut[1]


def _short(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:28]} … {text[-28:]}"
