"""Names as a person and a JSON document can have them, whatever bytes a file system holds."""

from __future__ import annotations

import os


def text(raw: bytes) -> str:
    r"""UTF-8 decoded; what is not UTF-8, and what does not print, as an escape.

    >>> text(b"lib\xff\x1b[2J.so")
    'lib\\xff\\x1b[2J.so'
    """
    decoded = raw.decode(errors="backslashreplace")
    if decoded.isprintable():
        return decoded
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in decoded)


def path_text(path: os.PathLike[str] | str) -> str:
    """A path of this machine in the form of `text`."""
    return text(os.fsencode(path))
