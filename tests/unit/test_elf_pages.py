"""With which page sizes a kernel can map the segments of a file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from buildmatrix.elf.pages import largest_page
from buildmatrix.elf.tables import EXECINSTR, PT_LOAD, Segment

READ_CODE, WRITE = 5, 6


def load(offset: int, address: int, size: int, flags: int = READ_CODE) -> Segment:
    return Segment(PT_LOAD, flags, offset, address, size, size, 4096)


def page_of(*segments: Segment, code: tuple[int, int] = (0, 16)) -> int:
    section = SimpleNamespace(flags=EXECINSTR, address=code[0], size=code[1])
    image: Any = SimpleNamespace(segments=segments, sections=[section])
    return largest_page(image)


@pytest.mark.parametrize(
    ("address", "page"),
    # Data at 0xd7e0 of the file, as GNU ld puts it for pages of 4, 8, 16 and 64 KiB.
    [(0x47E7E0, 4096), (0x47F7E0, 8192), (0x4517E0, 16384), (0x41D7E0, 65536), (0x47E7E8, 0)],
)
def test_a_segment_begins_at_the_same_place_of_a_page(address: int, page: int) -> None:
    assert page_of(load(0, 0x400000, 0x1000), load(0xD7E0, address, 64, WRITE)) == page


def test_code_may_not_share_its_page_with_data() -> None:
    """The later mapping wins, and takes the right to execute from the page."""
    segments = (load(0, 0, 0x9000), load(0x9000, 0x9000, 64, WRITE))
    assert page_of(*segments, code=(0x8800, 0x800)) == 4096
    assert page_of(*segments, code=(0x100, 0x800)) == 32768
    assert page_of(load(0, 0, 0x100), load(0x20000, 0x20000, 64, WRITE)) == 65536


def test_a_file_without_segments_fits_any_page() -> None:
    assert page_of() == 65536
