"""Whether the segments of a linked file can be what is mapped: what the sections say lies in them.

The loader and the kernel go by segments alone, all else here by sections. A file in which the two
part runs into what is not mapped, or cannot be written or executed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.elf.sections import has_no_code
from buildmatrix.elf.tables import ALLOC, EXECINSTR, NOBITS, PT_LOAD, WRITE, Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.elf.tables import Image, Section, Segment

LINKED = (2, 3)  # ET_EXEC, ET_DYN
EM_AARCH64 = 183
THREAD_LOCAL = 0x400  # SHF_TLS: without bytes in the file it takes no room of its own
X, W, R = 1, 2, 4  # PF_X, PF_W, PF_R
PAGE = 4096  # the least that Linux has
TABLES = (4, 6, 9, 11, 19, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF)  # RELA, DYNAMIC, REL, DYNSYM, …


def check_segments(image: Image) -> None:
    """Raises Damaged where a section of code, of variables or of the loader's tables is in no
    segment as it has to be, or a segment cannot be mapped on any page. A file that says of no
    segment that it is loaded is none of the loader's, and not judged here."""
    loaded = [s for s in image.segments if s.type == PT_LOAD]
    if image.type not in LINKED or has_no_code(image) or not loaded:
        return
    for segment in loaded:
        if (segment.address - segment.offset) % PAGE:
            where = f"{segment.address:#x}, and at byte {segment.offset} of the file"
            raise Damaged(f"a segment lies at {where}: not at the same place of a page")
        if segment.file_size > segment.memory_size:
            where = f"the segment at {segment.address:#x}"
            raise Damaged(f"{where} is larger in the file than in memory")
    for section, wanted in _wanted(image):
        if not any(_holds(segment, section, wanted) for segment in loaded):
            raise Damaged(f"section {section.name} lies in no segment that is loaded so")


def _wanted(image: Image) -> Iterator[tuple[Section, int]]:
    """The sections that must be in memory, and what must be allowed there."""
    for s in image.sections[1:]:
        if not s.flags & ALLOC or not s.size or (s.flags & THREAD_LOCAL and s.type == NOBITS):
            continue
        if s.flags & EXECINSTR:
            yield s, R | X if image.machine == EM_AARCH64 else X
        elif s.flags & WRITE:
            yield s, R | W
        elif s.type in TABLES:
            yield s, R


def _holds(segment: Segment, section: Section, wanted: int) -> bool:
    start = section.address - segment.address
    size = segment.memory_size if section.type == NOBITS else segment.file_size
    inside = start >= 0 and start + section.size <= size
    there = section.type == NOBITS or section.offset - segment.offset == start
    return inside and there and segment.flags & wanted == wanted
