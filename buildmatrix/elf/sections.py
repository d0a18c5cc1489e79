"""Whether the tables of a file can be what it claims, before anything is read from them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from buildmatrix.elf.tables import EXECINSTR, NOBITS, PT_LOAD, Damaged

if TYPE_CHECKING:
    from buildmatrix.elf.tables import Image, Section

# What Python raises on bytes that are not what they claim. A bug of ours would look the same, so
# the cause stays chained.
LAST = 1 << 62  # no program of any machine has an address behind it
PLAIN = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError),
    *(TypeError, ValueError),
)


def faults() -> tuple[type[Exception], ...]:
    """Those and pyelftools' own, which is imported where something was raised."""
    from elftools.common.exceptions import ELFError  # noqa: PLC0415
    from elftools.construct import ConstructError  # noqa: PLC0415

    return (ELFError, ConstructError, *PLAIN)


def check_tables(image: Image) -> None:
    """Every table lies inside the file and no two share bytes. Raises Damaged.

    Without this a damaged count costs minutes, and many sections over the same bytes cost memory
    that the file does not have. Without section headers a file must have segments to go by.
    """
    if not image.sections and not any(segment.type == PT_LOAD for segment in image.segments):
        raise Damaged("the section header table was stripped; audit the file before that")
    size = len(image.data)
    for section in image.sections[1:]:
        if section.type != NOBITS and section.offset + section.size > size:
            end = section.offset + section.size
            raise Damaged(f"section {section.name} ends at byte {end}, the file at {size}")
    for segment in image.segments:
        end = segment.offset + segment.file_size
        if segment.address + segment.memory_size > LAST:
            raise Damaged(f"segment {segment.type:#x} lies at {segment.address:#x}, the kernel's")
        if segment.file_size and end > size and not has_no_code(image):
            raise Damaged(f"segment {segment.type:#x} ends at byte {end}, the file at {size}")
    if image.headerless:
        return  # where its tables end is not written down
    for one, other in pairwise(sorted(map(_span, filter(_takes_room, image.sections[1:])))):
        if other[0] < one[1]:
            raise Damaged(f"sections {one[2]} and {other[2]} share bytes of the file")


def has_no_code(image: Image) -> bool:
    """`objcopy --only-keep-debug` keeps the headers of the code and leaves the code out."""
    code = [s for s in image.sections if s.flags & EXECINSTR]
    return bool(code) and all(s.type == NOBITS for s in code)


def _takes_room(section: Section) -> bool:
    return section.type != NOBITS and section.size > 0


def _span(section: Section) -> tuple[int, int, str]:
    return section.offset, section.offset + section.size, section.name
