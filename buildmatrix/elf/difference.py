"""Where two files that should be one differ first, in the words of what they are."""

from __future__ import annotations

import contextlib
import io
import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from buildmatrix.elf import archive, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elftools.elf.sections import Section

# Sums over the rest of a file, which say nothing of why they differ: looked at last.
DERIVED = (".note.gnu.build-id", ".gnu_debuglink")
SHORTEST = 4  # characters of a string, as strings(1) has it

Part = tuple[str, bytes]  # of a file, with its name: a section, a member, a line


def first_difference(one: bytes, other: bytes) -> str:
    """The first part in which two files differ: of a static library a member and what differs in
    it, of ELF a section, of a text a line; of all else the byte. Empty for equal files.

    >>> first_difference(b"made 1 May\\n", b"made 2 May\\n")
    "line 1: 'made 1 May' and 'made 2 May'"
    """
    if one == other:
        return ""
    parts = _parts(one), _parts(other)
    for mine, theirs in zip_longest(*map(_listed, parts)):
        if mine != theirs:
            return _words(mine, theirs)
    return _first_byte(one, other)


def _listed(parts: Iterator[Part]) -> list[Part]:
    """The parts until one cannot be read: what is damaged differs by its bytes."""
    read: list[Part] = []
    with contextlib.suppress(ELFError, ValueError):
        read.extend(parts)
    return read


def _parts(data: bytes) -> Iterator[Part]:
    if data.startswith(archive.MAGICS):
        yield from (
            (f"member {one.name}", one.content) for one in archive.members(memoryview(data))
        )
    elif data.startswith(tables.MAGIC):
        yield from _sections(data)
    elif b"\0" not in data:
        yield from ((f"line {n}", line) for n, line in enumerate(data.splitlines(), 1))


def _sections(data: bytes) -> Iterator[Part]:
    sections = ELFFile(io.BytesIO(data)).iter_sections()
    for section in sorted(sections, key=lambda one: one.name in DERIVED):
        yield f"section {section.name or section['sh_type']}", _content(section)


def _content(section: Section) -> bytes:
    """What lies in the file: of a section without a place there, its size alone."""
    if section["sh_type"] == "SHT_NOBITS":
        return str(section["sh_size"]).encode()
    section.stream.seek(section["sh_offset"])
    return bytes(section.stream.read(section["sh_size"]))


def _words(mine: Part | None, theirs: Part | None) -> str:
    if mine is None or theirs is None or mine[0] != theirs[0]:
        there = [part[0] if part else "nothing" for part in (mine, theirs)]
        return f"{there[0]}, where the other has {there[1]}"
    name, (one, other) = mine[0], (mine[1], theirs[1])
    if name.startswith("member "):
        return f"{name}, {first_difference(one, other)}"
    if name.startswith("line "):
        return f"{name}: {_shown(one)} and {_shown(other)}"
    return f"{name}, {_first_byte(one, other)}"


def _first_byte(one: bytes, other: bytes) -> str:
    pairs = zip(one, other, strict=False)
    offset = next((n for n, pair in enumerate(pairs) if pair[0] != pair[1]), None)
    if offset is None:
        return f"{len(one)} bytes and {len(other)}, alike as far as the shorter goes"
    return f"byte {offset}: {_around(one, offset)} and {_around(other, offset)}"


def _around(data: bytes, offset: int) -> str:
    """What stands at an offset: the string that it lies in, where it lies in one."""
    before = re.search(rb"[ -~]{0,24}\Z", data[max(0, offset - 24) : offset])
    after = re.match(rb"[ -~]{0,48}", data[offset : offset + 48])
    word = (before[0] if before else b"") + (after[0] if after and after[0] else b"")
    is_text = bool(after and after[0]) and len(word) >= SHORTEST
    return _shown(word if is_text else data[offset : offset + 16])


def _shown(data: bytes) -> str:
    """Text where it is text, else hexadecimal."""
    is_text = data.isascii() and data.decode("ascii").isprintable()
    return repr(data[:72].decode("ascii")) if is_text else data[:16].hex(" ")
