"""How large the pages of a kernel may be for the segments of a file to be mapped as they are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from buildmatrix.elf.tables import EXECINSTR, PT_LOAD

if TYPE_CHECKING:
    from buildmatrix.elf.tables import Image, Segment

LARGEST, SMALLEST = 65536, 4096  # that Linux has on ARM
EXECUTE = 1  # PF_X


def largest_page(image: Image) -> int:
    """The largest page, in bytes, with which each segment begins in the file where it does in
    memory, and no code shares its page with what may not be executed; 0: none of 4 KiB.

    Whatever p_align says: Linux maps a program by this alone, and so does glibc a library from 2.36
    on ('ELF load command address/offset not page-aligned').
    """
    loaded = sorted((s for s in image.segments if s.type == PT_LOAD), key=lambda s: s.address)
    page = LARGEST
    while page >= SMALLEST and not _is_mappable(image, loaded, page):
        page //= 2
    return page if page >= SMALLEST else 0


def _is_mappable(image: Image, loaded: list[Segment], page: int) -> bool:
    if any((s.address - s.offset) % page for s in loaded):
        return False
    return not any(
        before.flags & EXECUTE and not after.flags & EXECUTE and _code_in(image, before, start)
        for before, after in pairwise(loaded)
        if (start := after.address - after.address % page) < before.address + before.memory_size
    )


def _code_in(image: Image, segment: Segment, start: int) -> bool:
    """Whether the segment holds code from `start` on; without sections all of it is code."""
    end = segment.address + segment.memory_size
    return not image.sections or any(
        s.flags & EXECINSTR and s.address < end and s.address + s.size > start
        for s in image.sections
    )
