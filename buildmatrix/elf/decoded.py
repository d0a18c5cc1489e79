"""A64 code decoded a page at a time, as arrays: where a run turns, and what becomes of registers.

A walk looks at most instructions only to see that they lead on and that they write a register.
"""

from __future__ import annotations

import bisect
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from buildmatrix.elf.tables import Image, Section

PAGE = 1 << 12  # bytes
# What an instruction does to the registers: nothing; it leaves one or two of them unknown; it
# makes one of another; it has an address in it; it is a call.
KEEPS, WRITES, WRITES_TWO, DERIVES, FORMS, CALLS = range(6)


class Page:
    """Words that follow each other. Most pages are only asked where they turn; what becomes of
    registers is a byte for each word in every column, made when it is asked for."""

    def __init__(self, words: NDArray[np.uint32], start: int) -> None:
        self.start, self.end = start, start + 4 * len(words)
        self._words = words
        (turns,) = TURNS.take(words >> UPPER).nonzero()
        self.turns: list[int] = (start + 4 * turns).tolist()  # of the words that may lead elsewhere

    @cached_property
    def words(self) -> list[int]:
        words: list[int] = self._words.tolist()
        return words

    @cached_property
    def effects(self) -> bytes:
        words = self._words
        effects = EFFECTS.take(words >> UPPER)
        effects[self._moves] = DERIVES
        effects[words & 0xFFFFFC1F == 0xD63F0000] = CALLS  # blr
        return effects.tobytes()

    @cached_property
    def to(self) -> bytes:
        """The register that is written."""
        return (self._words & 31).astype(np.uint8).tobytes()

    @cached_property
    def source(self) -> bytes:
        """The one that it is made of."""
        source = np.where(self._moves, self._words >> 16, self._words >> 5) & 31
        return source.astype(np.uint8).tobytes()

    @cached_property
    def _moves(self) -> NDArray[np.bool_]:
        moves: NDArray[np.bool_] = self._words & 0xFFE0FFE0 == 0xAA0003E0
        return moves


class Pages:
    """The code of a 64-bit file, each page decoded when it is first looked at."""

    def __init__(self, image: Image, section: Callable[[int], Section | None]) -> None:
        """`section` is the executable section at an address."""
        self._image, self._section = image, section
        self._pages: dict[int, Page] = {}
        self._last: Page | None = None

    def at(self, address: int) -> Page | None:
        """The page that holds the word there; None where no word begins."""
        if (page := self._last) and page.start <= address < page.end:
            return None if (address - page.start) & 3 else page
        section = self._section(address)
        if section is None or (address - section.address) & 3:
            return None
        start = address - (address - section.address) % PAGE
        if start not in self._pages:
            end = min(start + PAGE, section.address + section.size)
            content = self._image.content(section)
            inside = content[start - section.address : end - section.address & ~3]
            self._pages[start] = Page(np.frombuffer(inside, "<u4"), start)
        self._last = page = self._pages[start]
        return page if address < page.end else None

    def turn(self, address: int, bound: int) -> int:
        """The first word from `address` on that may lead elsewhere; `bound`, or where the code
        ends, where there is none before."""
        while address < bound:
            page = self.at(address)
            if page is None:
                return address
            place = bisect.bisect_left(page.turns, address)
            if place < len(page.turns):
                return min(page.turns[place], bound)
            address = page.end
        return bound


def _turns(words: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which words may lead elsewhere, by their upper bits: rather too many than too few."""
    turns: NDArray[np.bool_] = words & 0x7C000000 == 0x14000000
    turns |= (words & 0xFF000000 == 0x54000000) | (words & 0x7C000000 == 0x34000000)
    turns |= (words & 0xFE000000 == 0xD6000000) | (words & 0xFF900000 == 0xD4000000)
    turns |= words == 0
    return turns


def _effects(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """As `values` takes the instructions, by their upper bits; what is said later goes before what
    is said first."""
    effects = np.full(len(words), WRITES, np.uint8)
    pair, single = words & 0x3A000000 == 0x28000000, words & 0x3A000000 == 0x38000000
    effects[pair] = WRITES_TWO
    effects[(pair & (words & 0x400000 == 0)) | (single & (words & 0xC00000 == 0))] = KEEPS
    system = words & 0x1C000000 == 0x14000000
    effects[system] = KEEPS
    effects[system & (words >> 20 == 0xD53)] = WRITES
    effects[words >> 26 == 0x25] = CALLS
    effects[(words & 0xFF800000 == 0x91000000) | (words & 0xFFC00000 == 0xF9400000)] = DERIVES
    effects[words & 0x1F000000 == 0x10000000] = FORMS
    return effects


UPPER = 20  # the bits above tell all that follows, but for moves and blr
_EACH = np.arange(0, 1 << 32, 1 << UPPER).astype(np.uint32)
TURNS, EFFECTS = _turns(_EACH), _effects(_EACH)
