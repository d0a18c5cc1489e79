"""What compilers wrote down of their command line, where they did.

GCC does so in the debug information (DW_AT_producer) and, asked with -frecord-gcc-switches, in
.GCC.command.line; clang in the same two places with -grecord-command-line. GCC writes what its
driver made of the words: for -march=native it is the processor's own name and its caches' sizes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from elftools.common.exceptions import DWARFError

from buildmatrix.elf.sections import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.elf.tables import Image

PREFIXES = ("-m", "--param=l1-cache-", "--param=l2-cache-")

# Damaged, newer than pyelftools, or relocated in a way that it does not know.
UNREADABLE = (*FAULTS, DWARFError, NotImplementedError)


def machine_switches(image: Image) -> tuple[str, ...]:
    """The recorded switches that speak of the processor, each once, sorted."""
    words = (word for line in (*_command_lines(image), *_producers(image)) for word in line.split())
    return tuple(sorted({word for word in words if word.startswith(PREFIXES)}))


def _command_lines(image: Image) -> Iterator[str]:
    """Each ends with a NUL; GCC before 11 ended each word with one."""
    section = image.named(".GCC.command.line")
    if section is not None:
        yield from bytes(image.content(section)).decode(errors="replace").split("\0")


def _producers(image: Image) -> list[str]:
    """DW_AT_producer of every unit. What cannot be read is left out: it is evidence only where it
    is there, and a library is no worse for debug information that we cannot follow."""
    found: list[str] = []
    if image.named(".debug_info") is None:
        return found
    # What few files have need not cost all.
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415

    try:
        elf = ELFFile(io.BytesIO(image.data))
        for unit in elf.get_dwarf_info(follow_links=False).iter_CUs():
            producer = unit.get_top_DIE().attributes.get("DW_AT_producer")
            if producer is not None and isinstance(producer.value, bytes):
                found.append(producer.value.decode(errors="replace"))
    except UNREADABLE:
        pass
    return found
