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
from buildmatrix.elf.branches import OUTSIDE, PIECE, Ways, branches_of, signed
from buildmatrix.elf.tables import ALLOC, EXECINSTR, PROGBITS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory

    Addresses = NDArray[np.int64]

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
            return self.functions(self._memory.taken)
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
        branches = branches_of(self._memory, self._named)
        ways = [branches.jumps, branches.calls, *self._formed()]
        sources = self._numbers(np.concatenate([way.sources for way in ways]))
        targets = self._numbers(np.concatenate([way.targets for way in ways]))
        chosen = (sources >= 0) & (targets >= 0) & (sources != targets)
        both = distinct(targets[chosen] * len(self._starts) + sources[chosen])
        return both % len(self._starts), both // len(self._starts)

    def _formed(self) -> Iterator[Ways]:
        """Addresses that 64-bit code puts together."""
        for section in () if self._memory.arm else self._memory.image.sections:
            if section.flags & EXECINSTR and section.type == PROGBITS:
                content = self._memory.image.content(section)
                for start in range(0, section.size & ~3, PIECE):
                    size = min(PIECE, section.size - start) & ~3
                    words = np.frombuffer(content[start : start + size], "<u4")
                    yield from _formed(words, section.address + start)


def _formed(words: NDArray[np.uint32], start: int) -> Iterator[Ways]:
    places = np.flatnonzero(words & 0x9F000000 == 0x10000000)  # adr
    yield Ways(start + 4 * places, start + 4 * places + _offsets(words[places]))
    pages = np.flatnonzero(words & 0x9F000000 == 0x90000000)  # adrp
    for distance in range(1, NEAR + 1):
        first = pages[pages + distance < len(words)]
        added = words[first + distance].astype(np.int64)
        fits = (added & 0xFFC00000 == 0x91000000) & (added >> 5 & 31 == words[first] & 31)
        where = start + 4 * first[fits]
        page = (where & ~0xFFF) + (_offsets(words[first[fits]]) << 12)
        yield Ways(where, page + (added[fits] >> 10 & 0xFFF))


def _offsets(words: NDArray[np.uint32]) -> Addresses:
    some = words.astype(np.int64)
    return signed(some >> 5, 19) << 2 | some >> 29 & 3
