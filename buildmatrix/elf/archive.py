"""Static libraries: the members of an ar(5) file, with their names as GNU ar keeps them.

python-debian's ar reader knows no long names, and a finding must say which object it means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.elf.names import text

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"!<arch>\n"
THIN = b"!<thin>\n"  # names objects that lie elsewhere, and holds none
MAGICS = (MAGIC, THIN)
HEADER = 60  # name 16, date 12, user 6, group 6, mode 8, size 10, end 2
END = b"`\n"


@dataclass(frozen=True, slots=True)
class Member:
    """One object. A thin archive's has no content, and `name` is its path from the archive."""

    name: str
    content: bytes


def members(data: memoryview) -> Iterator[Member]:
    """Every member, symbol tables left out. Raises ValueError when damaged."""
    thin = bytes(data[: len(THIN)]) == THIN
    long_names = b""
    position = len(MAGIC)
    while position < len(data):
        header = bytes(data[position : position + HEADER])
        start = position + HEADER
        if len(header) < HEADER or not header.endswith(END):
            raise ValueError(f"no member header at byte {position}")
        name, size = header[:16].rstrip(), int(header[48:58])
        here = 0 if thin and name not in (b"/", b"//", b"/SYM64/") else size
        if here < 0 or start + here > len(data):
            raise ValueError(f"the member at byte {position} ends outside the file")
        content = bytes(data[start : start + here])
        if name == b"//":
            long_names = content
        elif name.startswith(b"#1/"):  # BSD's form: the name stands before the content
            length = int(name[3:])
            yield Member(text(content[:length].rstrip(b"\0")), content[length:])
        elif name not in (b"/", b"/SYM64/"):
            yield Member(_name(name, long_names), content)
        position = start + here + here % 2


def _name(name: bytes, long_names: bytes) -> str:
    """`short.o/`, or `/OFFSET` into the table of long names, where `/` and a line feed end one."""
    if name.startswith(b"/") and name[1:].isdigit():
        offset = int(name[1:])
        end = long_names.find(b"\n", offset)
        name = long_names[offset : end if end >= 0 else None]
    return text(name.removesuffix(b"/"))
