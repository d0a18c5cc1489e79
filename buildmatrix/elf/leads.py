"""Which functions of a file may lead to others: a graph with rather too many ways than too few.

A function leads to what it branches to or calls, and on AArch64 to what it takes the address of.
What the file's data has the address of may be called by anybody; on 32-bit ARM so may what the code
puts together, which is not told by function.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import distinct
from buildmatrix.elf.marks import A32, T32, marks_of
from buildmatrix.elf.tables import ALLOC, EXECINSTR, PROGBITS
from buildmatrix.elf.taken import taken

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory
    from buildmatrix.elf.tables import Section

    Addresses = NDArray[np.int64]

PIECE = 1 << 22  # bytes of code that are looked at in one go; a multiple of 4
OUTSIDE = 1 << 62  # an address behind all others
NEAR = 16  # instructions from adrp to the addition of its lower half
UNWINDING = (".eh_frame", ".gcc_except")  # tells of functions and calls none


class Leads:
    """The functions of one file by number, in the order of their addresses.

    Behind the last one stands `outside`, for the other files' functions that are `named`; with
    such, what lies before the first function that is known counts as one more.
    """

    def __init__(self, memory: Memory, named: Collection[str] = ()) -> None:
        self._memory, self._named = memory, named
        self._starts = distinct(np.array([*([0] if named else []), *memory.starts, OUTSIDE]))
        self.outside = len(self._starts) - 1

    def number(self, address: int) -> int:
        """The number of the function that holds an address."""
        return (
            int(self._starts.searchsorted(address & (~1 if self._memory.arm else -1), "right")) - 1
        )

    def functions(self, addresses: Iterable[int]) -> frozenset[int]:
        """The numbers of the functions that hold the addresses, with or without Thumb's low bit."""
        low = ~1 if self._memory.arm else -1
        places = np.array([*addresses], np.int64) & low
        return frozenset(self._numbers(places).tolist()) - {-1}

    def leading_to(self, functions: Iterable[int]) -> frozenset[int]:
        """Those, and every function from which one of them may be come to."""
        sources, targets = self._edges
        seen = set(functions)
        waiting = [*seen]
        while waiting:
            first, end = np.searchsorted(targets, (waiting[-1], waiting.pop() + 1))
            new = set(sources[first:end].tolist()) - seen
            seen |= new
            waiting += new
        return frozenset(seen)

    @cached_property
    def taken(self) -> frozenset[int]:
        """The functions whose address something other than one function's code has."""
        if self._memory.arm:
            return self.functions(taken(self._memory))
        stored = np.concatenate([self._memory.relocations[:, 3], *self._words()])
        return frozenset(self._numbers(stored[np.isin(stored, self._starts)]).tolist())

    def _numbers(self, addresses: Addresses) -> Addresses:
        return np.searchsorted(self._starts, addresses, side="right") - 1

    def _words(self) -> Iterator[Addresses]:
        for section in self._memory.image.sections:
            data = section.flags & ALLOC and not section.flags & EXECINSTR
            if data and section.size and not section.name.startswith(UNWINDING):
                content = self._memory.image.content(section)
                yield np.frombuffer(content[: len(content) & ~7], "<i8").astype(np.int64)

    @cached_property
    def _edges(self) -> tuple[Addresses, Addresses]:
        """Numbers of functions: who leads, and to whom; sorted by the latter."""
        parts = [np.zeros((2, 0), np.int64)]
        for index, section in enumerate(self._memory.image.sections):
            if section.flags & EXECINSTR and section.type == PROGBITS:
                ways = self._ways32(index) if self._memory.arm else self._ways64(section)
                parts += [self._numbered(*way) for way in ways]
        sources, targets = np.concatenate(parts, axis=1)
        both = distinct(targets * len(self._starts) + sources)
        return both % len(self._starts), both // len(self._starts)

    def _numbered(self, sources: Addresses, targets: Addresses) -> Addresses:
        """Two rows of numbers; a function's branches within itself are left out."""
        numbers = np.stack([self._numbers(sources), self._numbers(self._behind_stubs(targets))])
        return numbers[:, (numbers >= 0).all(0) & (numbers[0] != numbers[1])]

    def _behind_stubs(self, targets: Addresses) -> Addresses:
        """The targets, of stubs in a procedure linkage table what they lead to."""
        stubs = np.zeros(len(targets), np.bool_)
        for section in self._memory.image.sections:
            if section.name.startswith((".plt", ".iplt")):
                end = section.address + section.size
                stubs |= (targets >= section.address) & (targets < end)
        places, which = np.unique(targets[stubs], return_inverse=True)
        behind = [self._behind(place) for place in places.tolist()]
        found = targets.copy()
        found[stubs] = np.array(behind, np.int64)[which]
        return found

    def _behind(self, stub: int) -> int:
        address, name = self._memory.import_at(stub) or (-1, "")
        return OUTSIDE if not address and name in self._named else address or -1

    def _ways64(self, section: Section) -> Iterator[tuple[Addresses, Addresses]]:
        content = self._memory.image.content(section)
        for start in range(0, section.size & ~3, PIECE):
            size = min(PIECE, section.size - start) & ~3
            words = np.frombuffer(content[start : start + size], "<u4").astype(np.int64)
            yield from _a64(words, section.address + start)

    def _ways32(self, index: int) -> Iterator[tuple[Addresses, Addresses]]:
        section = self._memory.image.sections[index]
        content = self._memory.image.content(section)
        marks = marks_of(self._memory.program, index, np.zeros(0, np.int64))
        words = np.frombuffer(content[: len(content) & ~3], "<u4").astype(np.int64)
        halves = np.frombuffer(content[: len(content) & ~1], "<u2").astype(np.int64)
        for size, which, (places, targets) in (
            *((4, A32, way) for way in _a32(words)),
            *((2, T32, way) for way in _t32(halves)),
        ):
            sources = section.address + size * places
            # Without mapping symbols it may be either.
            sure = marks is not None and marks.mapped
            ours = marks.at(sources)[0] == which if marks and sure else sources >= 0
            yield sources[ours], (section.address + targets)[ours]


def _a64(words: Addresses, start: int) -> Iterator[tuple[Addresses, Addresses]]:
    places = start + 4 * np.arange(len(words), dtype=np.int64)
    near = (words & 0xFF000000 == 0x54000000) | (words & 0x7E000000 == 0x34000000)
    for chosen, low, bits in (
        (words & 0x7C000000 == 0x14000000, 0, 26),
        (near, 5, 19),
        (words & 0x7E000000 == 0x36000000, 5, 14),
    ):
        yield places[chosen], places[chosen] + _signed(words[chosen] >> low, bits) * 4
    offsets = _signed(words >> 5, 19) << 2 | words >> 29 & 3
    chosen = words & 0x9F000000 == 0x10000000  # adr
    yield places[chosen], places[chosen] + offsets[chosen]
    pages = np.flatnonzero(words & 0x9F000000 == 0x90000000)  # adrp
    for distance in range(1, NEAR + 1):
        first = pages[pages + distance < len(words)]
        added = words[first + distance]
        fits = (added & 0xFFC00000 == 0x91000000) & (added >> 5 & 31 == words[first] & 31)
        page = (places[first] & ~0xFFF) + (offsets[first] << 12)
        yield places[first][fits], (page + (added >> 10 & 0xFFF))[fits]


def _a32(words: Addresses) -> Iterator[tuple[Addresses, Addresses]]:
    places = np.flatnonzero(words & 0x0E000000 == 0x0A000000)  # b, bl, blx
    yield places, 4 * places + 8 + 4 * _signed(words[places], 24)


def _t32(halves: Addresses) -> Iterator[tuple[Addresses, Addresses]]:
    first, second = halves[:-1], halves[1:]
    sign = first >> 10 & 1
    high = ~((second >> 13 & 1) ^ sign) & 1, ~((second >> 11 & 1) ^ sign) & 1
    far = sign << 24 | high[0] << 23 | high[1] << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    opens = first & 0xF800 == 0xF000
    places = np.flatnonzero(opens & (second & 0x9000 == 0x9000))  # b.w, bl
    yield places, 2 * places + 4 + _signed(far[places], 25)
    places = np.flatnonzero(opens & (second & 0xD001 == 0xC000))  # blx
    yield places, (2 * places + 4 & ~3) + _signed(far[places], 25)
    near = (
        sign << 20
        | (second >> 11 & 1) << 19
        | (second >> 13 & 1) << 18
        | (first & 0x3F) << 12
        | (second & 0x7FF) << 1
    )
    places = np.flatnonzero(opens & (second & 0xD000 == 0x8000))  # b<c>.w
    yield places, 2 * places + 4 + _signed(near[places], 21)
    places = np.flatnonzero(halves & 0xF800 == 0xE000)  # b
    yield places, 2 * places + 4 + 2 * _signed(halves[places], 11)
    places = np.flatnonzero(halves & 0xF000 == 0xD000)  # b<c>
    yield places, 2 * places + 4 + 2 * _signed(halves[places], 8)


def _signed(values: Addresses, bits: int) -> Addresses:
    """The lower `bits` of each value as a signed number."""
    return values << 64 - bits >> 64 - bits
