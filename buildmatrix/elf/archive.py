"""Static libraries: the members of an ar(5) file, with their names as GNU ar keeps them.

python-debian's ar reader knows no long names, and a finding must say which object it means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"!<arch>\n"
THIN = b"!<thin>\n"  # names objects that lie elsewhere, and holds none
MAGICS = (MAGIC, THIN)
HEADER = 60  # name 16, date 12, user 6, group 6, mode 8, size 10, end 2
END = b"`\n"


def is_archive(data: bytes) -> bool:
    return data.startswith(MAGICS)


def members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content) of every member, symbol tables left out. Raises ValueError when damaged."""
    if data.startswith(THIN):
        raise ValueError("a thin archive holds no objects: audit the objects")
    long_names = b""
    position = len(MAGIC)
    while position < len(data):
        header = data[position : position + HEADER]
        start = position + HEADER
        if len(header) < HEADER or not header.endswith(END):
            raise ValueError(f"no member header at byte {position}")
        name, size = header[:16].rstrip(), int(header[48:58])
        content = data[start : start + size]
        if size < 0 or len(content) < size:
            raise ValueError(f"the member at byte {position} ends outside the file")
        if name == b"//":
            long_names = content
        elif name.startswith(b"#1/"):  # BSD's form: the name stands before the content
            length = int(name[3:])
            yield content[:length].rstrip(b"\0").decode(errors="replace"), content[length:]
        elif name not in (b"/", b"/SYM64/"):
            yield _name(name, long_names), content
        position = start + size + size % 2


def _name(name: bytes, long_names: bytes) -> str:
    """`short.o/`, or `/OFFSET` into the table of long names, where `/` and a line feed end one."""
    if name.startswith(b"/") and name[1:].isdigit():
        name = long_names[int(name[1:]) :].split(b"\n", 1)[0]
    return name.removesuffix(b"/").decode(errors="replace")
