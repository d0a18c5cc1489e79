"""Which bytes of a section are instructions, of which set, and in which function.

Told by the mapping symbols ($a, $t, $x, $d) of .symtab. A stripped file has none: then the low bit
of each function's address tells, of those in .dynsym, of the entry point and of the constructors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import is_one_of
from buildmatrix.elf.bounds import function_starts
from buildmatrix.elf.rows import are_functions
from buildmatrix.elf.tables import EXECINSTR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from buildmatrix.elf.rows import Program, SymbolRows
    from buildmatrix.elf.tables import Section

A32, T32, A64, DATA = range(4)
# What tells an unnamed function's set: so many words, and the share of 0xE in Thumb's, in ARM's.
SHORTEST, AT_MOST, AT_LEAST = 8, 0.3, 0.6
# What every linker, and glibc's crti.o, writes in ARM's own set.
ALWAYS_ARM = frozenset((".plt", ".iplt", ".init", ".fini"))
KINDS = np.full(128, DATA, np.uint8)  # by the letter of a mapping symbol
KINDS[[ord(letter) for letter in "atx"]] = A32, T32, A64


@dataclass(frozen=True, slots=True)
class Marks:
    """From each address on, in order, what the bytes are."""

    addresses: NDArray[np.int64]
    sets: NDArray[np.uint8]
    mapped: bool = False  # by mapping symbols, which also tell data

    def at(self, addresses: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The set at each address, and where its piece begins; the first mark tells of before."""
        place = np.maximum(np.searchsorted(self.addresses, addresses, side="right") - 1, 0)
        return self.sets[place], self.addresses[place]


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of one section, by address."""

    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    names: NDArray[np.int64]  # offsets in the table's texts
    table: SymbolRows | None

    def of(self, addresses: NDArray[np.int64]) -> NDArray[np.int64]:
        """The index of the function at each address, -1 where it is in none."""
        if not len(self.starts):
            return np.full(len(addresses), -1)
        place = np.searchsorted(self.starts, addresses, side="right") - 1
        size = self.sizes[np.maximum(place, 0)]
        outside = (size > 0) & (addresses >= self.starts[np.maximum(place, 0)] + size)
        return np.where(outside, -1, place)

    def at(self, address: int) -> int:
        """The same for one address."""
        place = int(self.starts.searchsorted(address, side="right")) - 1
        if place < 0:
            return -1
        size = int(self.sizes[place])
        return -1 if size > 0 and address >= int(self.starts[place]) + size else place

    def name(self, index: int) -> str:
        return self.table.name(int(self.names[index])) if self.table else ""


def marks_of(program: Program, index: int, pointers: NDArray[np.int64]) -> Marks | None:
    """The marks of section `index`; None where nothing tells what its bytes are.

    `pointers` are addresses of code that the file holds, with Thumb's low bit.
    """
    mapped = mapping_of(program, index)
    if mapped is not None:
        return mapped
    if not program.arm:
        return Marks(np.array([0]), np.array([A64], np.uint8))
    return _by_functions(program, index, pointers)


def mapping_of(program: Program, index: int) -> Marks | None:
    """The same where mapping symbols tell it."""
    for table in program.symbols:
        chosen = table.special[table.special["section"] == index]
        if not len(chosen):
            continue
        names = chosen["name"].astype(np.int64)
        second, third = (table.texts.letters(names + place) for place in (1, 2))
        mapping = is_one_of(second, map(ord, "atxd")) & is_one_of(third, map(ord, "\0."))
        if mapping.any():
            addresses = chosen["value"][mapping].astype(np.int64)
            return replace(_ordered(addresses, KINDS[second[mapping]]), mapped=True)
    return None


def functions_of(program: Program, index: int) -> Functions:
    """The functions of section `index`, of .symtab where it is there, else of .dynsym."""
    thumb = program.arm
    for table in program.symbols:
        chosen = table.of(index)
        chosen = chosen[are_functions(chosen)]
        if len(chosen):
            starts = chosen["value"].astype(np.int64) & (~1 if thumb else -1)
            order = np.argsort(starts, kind="stable")
            offsets = chosen["name"].astype(np.int64)[order]
            return Functions(starts[order], chosen["size"].astype(np.int64)[order], offsets, table)
    none = np.zeros(0, np.int64)
    return Functions(none, none, none, None)


class Names:
    """Names of functions by address."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._functions = {
            index: functions_of(program, index)
            for index, section in enumerate(program.image.sections)
            if section.flags & EXECINSTR
        }

    def of(self, address: int) -> str:
        """The function there; without a symbol its address."""
        for index, functions in self._functions.items():
            section = self._program.image.sections[index]
            if section.address <= address < section.address + section.size:
                place = functions.at(address)
                if place >= 0 and (name := functions.name(place)):
                    return name
        return f"0x{address:x}"


def _by_functions(program: Program, index: int, pointers: NDArray[np.int64]) -> Marks | None:
    section = program.image.sections[index]
    rows = [table.of(index) for table in program.symbols]
    values = [row["value"][are_functions(row)].astype(np.int64) for row in rows]
    inside = (pointers & ~1 >= section.address) & (pointers < section.address + section.size)
    addresses = np.concatenate(values) if values else np.zeros(0, np.int64)
    new = pointers[inside & ~np.isin(pointers & ~1, addresses & ~1)]
    addresses = np.concatenate([addresses, new])
    if section.name in ALWAYS_ARM:
        return Marks(np.array([section.address]), np.array([A32], np.uint8))
    if not len(addresses):
        return None
    known = _ordered(addresses & ~1, np.where(addresses & 1, T32, A32).astype(np.uint8))
    return _with_unnamed(program, section, known)


def _with_unnamed(program: Program, section: Section, known: Marks) -> Marks:
    """The marks of named functions, and those of functions that only the unwinder's table names.

    Nearly every ARM instruction is unconditional, its upper four bits 0xE; of Thumb code, read as
    words, few are. Rust's extension modules for Python have both, and export a handful.
    """
    content = program.image.content(section)
    words = np.frombuffer(content[: len(content) & ~3], "<u4")
    end = section.address + 4 * len(words)
    starts = np.array(sorted(function_starts(program)), np.int64)
    starts = starts[(starts >= section.address) & (starts < end)]
    always = np.concatenate([[0], np.cumsum(words >> 28 == 0xE)])
    bounds = np.union1d(np.concatenate([known.addresses, starts]), [end])
    first = bounds[:-1] - section.address + 3 >> 2
    last = np.clip(bounds[1:] - section.address >> 2, 0, len(words))
    first = np.clip(first, 0, last)
    unnamed = np.isin(bounds[:-1], starts) & ~np.isin(bounds[:-1], known.addresses)
    share = (always[last] - always[first]) / np.maximum(last - first, 1)
    unnamed &= (last - first >= SHORTEST) & ((share < AT_MOST) | (share > AT_LEAST))
    sets = np.where(share > AT_LEAST, A32, T32).astype(np.uint8)
    return _ordered(
        np.concatenate([known.addresses, bounds[:-1][unnamed]]),
        np.concatenate([known.sets, sets[unnamed]]),
    )


def _ordered(addresses: NDArray[np.int64], sets: NDArray[np.uint8]) -> Marks:
    order = np.argsort(addresses, kind="stable")
    return Marks(addresses[order], sets[order])
