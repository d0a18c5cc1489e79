"""The file as the loader lays it out: code by address, relocated pointers, names of imports."""

from __future__ import annotations

import bisect
import struct
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.bounds import function_starts
from buildmatrix.elf.decoded import Pages
from buildmatrix.elf.tables import (
    ALLOC,
    DYNSYM,
    EXECINSTR,
    NOBITS,
    PT_LOAD,
    REL,
    RELA,
    WRITE,
)
from buildmatrix.elf.taken import taken
from buildmatrix.isa.branches import adr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from buildmatrix.elf.rows import Program
    from buildmatrix.elf.tables import Section

HALF, HALVES, WORD = struct.Struct("<H"), struct.Struct("<HH"), struct.Struct("<I")
LAST = 1 << 64  # behind every address
# What the loader makes read-only once it has relocated it.
PROTECTED = (".got", ".data.rel.ro")
# Relocations that give a place an address of the file's own, and those that give it a symbol's.
# Source: ELF for the Arm Architecture (AAELF32) and the Arm 64-bit Architecture (AAELF64).
RELATIVE, IRELATIVE = {23, 1027}, {160, 1032}
SYMBOLIC = {2, 21, 22, 257, 1025, 1026}  # ABS32, GLOB_DAT, JUMP_SLOT, and their 64-bit forms


class Memory:
    """What stands at an address."""

    def __init__(self, program: Program) -> None:
        self.program, self.image, self.arm = program, program.image, program.arm
        self._code = sorted(
            (s.address, s.address + s.size, s)
            for s in self.image.sections
            if s.flags & EXECINSTR and s.type != NOBITS and s.size
        )
        self._starts = [start for start, _, _ in self._code]
        self._last = 0, 0, self.image.data  # the section looked at last: start, end, content
        self._pointers: dict[int, tuple[int, str]] = {}
        self._imports: dict[int, tuple[int, str] | None] = {}

    @property
    def code(self) -> list[Section]:
        """The executable sections, by address."""
        return [section for _, _, section in self._code]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where functions begin, sorted."""
        return function_starts(self.program)

    @cached_property
    def function_starts(self) -> frozenset[int]:
        return frozenset(self.starts.tolist())

    @cached_property
    def taken(self) -> frozenset[int]:
        """Addresses of possible functions that 32-bit code puts together, with Thumb's low bit."""
        return taken(self.program, self.code)

    @cached_property
    def pages(self) -> Pages | None:
        """The code, decoded; None for a 32-bit file, whose instructions differ in size."""
        return None if self.arm else Pages(self.image, self.section)

    @cached_property
    def _bounds(self) -> memoryview:
        return self.starts.data

    def begin(self, entry: int) -> tuple[int, bool]:
        """Where the function of an entry address begins, and whether it is Thumb's: the low bit of
        the address says so."""
        return (entry & ~1, bool(entry & 1)) if self.arm else (entry, False)

    def next_start(self, address: int) -> int:
        """Where the first function behind an address begins; LAST where there is none."""
        place = bisect.bisect_right(self._bounds, address)
        return self._bounds[place] if place < len(self._bounds) else LAST

    def section(self, address: int) -> Section | None:
        """The executable section there."""
        place = bisect.bisect_right(self._starts, address) - 1
        if place < 0 or address >= self._code[place][1]:
            return None
        return self._code[place][2]

    def half(self, address: int) -> int | None:
        """The halfword of code there; None where there is none."""
        if not self._holds(address, 2):
            return None
        start, _, content = self._last
        value: int = HALF.unpack_from(content, address - start)[0]
        return value

    def halves(self, address: int) -> tuple[int | None, int]:
        """The halfword of code there and the one behind it, which is 0 where there is none."""
        if not self._holds(address, 4):
            return self.half(address), 0
        start, _, content = self._last
        first, second = HALVES.unpack_from(content, address - start)
        return first, second

    def word(self, address: int) -> int | None:
        """The word of code there; None where there is none."""
        if not self._holds(address, 4):
            return None
        start, _, content = self._last
        value: int = WORD.unpack_from(content, address - start)[0]
        return value

    def _holds(self, address: int, size: int) -> bool:
        """Whether a section of code has so many bytes there, which is the last one then."""
        start, end, _ = self._last
        if start <= address <= end - size:  # most of them follow each other
            return True
        section = self.section(address)
        if section is None or address + size > section.address + section.size:
            return False
        start = section.address
        self._last = start, start + section.size, self.image.content(section)
        return True

    def conditional(self, address: int) -> bool:
        """Whether an ARM instruction runs under a condition."""
        word = self.word(address)
        return word is not None and word >> 28 < 0xE

    @cached_property
    def relocations(self) -> NDArray[np.int64]:
        """(place, type, symbol, addend) of every dynamic relocation, by place; columns lie together
        in memory."""
        kinds = (REL, RELA)
        loaded = [s for s in self.image.sections if s.type in kinds and s.flags & ALLOC]
        tables = [np.zeros((4, 0), np.int64), *map(self._relocations, loaded)]
        columns = np.concatenate(tables, 1)
        return columns.take(np.argsort(columns[0], kind="stable"), 1).T

    def _relocations(self, section: Section) -> NDArray[np.int64]:
        """The same of one section, each column a row."""
        size, bits = (8, 32) if self.image.wide else (4, 8)
        width = 3 if section.type == RELA else 2
        content = self.image.content(section)
        count = len(content) // (size * width)
        raw = np.frombuffer(content, f"<u{size}", count * width).reshape(count, width)
        columns = np.empty((4, count), np.int64)
        columns[0] = raw[:, 0]
        columns[1], columns[2] = raw[:, 1] & ((1 << bits) - 1), raw[:, 1] >> bits
        columns[3] = raw[:, 2].view(f"<i{size}") if width == 3 else -1
        return columns

    def pointer(self, place: int) -> tuple[int, str]:
        """The address that the loader leaves in `place`, and the symbol's name where it is one's.

        (0, name) for another file's symbol.
        """
        if place not in self._pointers:
            self._pointers[place] = self._pointer(place)
        return self._pointers[place]

    def assume(self, place: int, address: int) -> None:
        """Take `address` for what the loader leaves in `place`."""
        self._pointers[place] = (address, "")

    def _pointer(self, place: int) -> tuple[int, str]:
        first = int(self._places.searchsorted(place))
        if first < len(self._places) and self._places[first] == place:
            _, kind, symbol, addend = self.relocations[first].tolist()
            if kind in SYMBOLIC:
                return self._symbol(symbol)
            if kind in RELATIVE | IRELATIVE and addend != -1:
                return addend, ""
        return self.stored(place), ""

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        return np.ascontiguousarray(self.relocations[:, 0])

    @cached_property
    def _loaded(self) -> list[tuple[int, int, bool]]:
        """Where each section begins and ends, and whether the program leaves it as it is."""
        return [
            (s.address, s.address + s.size, not s.flags & WRITE or s.name.startswith(PROTECTED))
            for s in self.image.sections
            if s.flags & ALLOC
        ]

    def settled(self, place: int) -> bool:
        """Whether nothing but the loader writes there: read-only data, and what it protects."""
        return next((fixed for start, end, fixed in self._loaded if start <= place < end), False)

    def stored(self, place: int) -> int:
        """The address that the file itself has there."""
        size = 8 if self.image.wide else 4
        for section in self.image.sections:
            inside = section.address <= place <= section.address + section.size - size
            if inside and section.flags & ALLOC and section.type != NOBITS:
                return self._number(section.offset + place - section.address, size)
        for segment in self.image.segments if self.image.headerless else ():
            end = segment.address + segment.file_size
            if segment.type == PT_LOAD and segment.address <= place <= end - size:
                return self._number(segment.offset + place - segment.address, size)
        return 0

    def _number(self, offset: int, size: int) -> int:
        return int.from_bytes(self.image.data[offset : offset + size], "little")

    def _symbol(self, index: int) -> tuple[int, str]:
        for table in self.program.symbols:
            if table.kind == DYNSYM and index < len(table.rows):
                row = table.rows[index]
                value = int(row["value"]) if row["section"] else 0
                return value, table.name(int(row["name"]))
        return 0, ""

    def import_at(self, address: int) -> tuple[int, str] | None:
        """What the stub of a procedure linkage table there leads to: an address, or a name."""
        if address not in self._imports:
            slot = self._arm_slot(address & ~1) if self.arm else self._slot(address)
            self._imports[address] = None if slot is None else self.pointer(slot)
        return self._imports[address]

    def _slot(self, address: int) -> int | None:
        """AArch64: adrp x16; ldr x17, [x16, #n]; perhaps behind bti c."""
        for first in (address, address + 4):
            page, load = self.word(first), self.word(first + 4)
            if page is None or load is None:
                return None
            if page & 0x9F00001F == 0x90000010 and load & 0xFFC003FF == 0xF9400211:
                return (first & ~0xFFF) + (adr(page) << 12) + ((load >> 10 & 0xFFF) << 3)
        return None

    def _arm_slot(self, address: int) -> int | None:
        """ARM: add ip, pc, #n; add ip, ip, #n; ldr pc, [ip, #n]!; perhaps behind bx pc."""
        if self.half(address) == 0x4778:
            address += 4
        words = [self.word(address + 4 * number) for number in range(4)]
        value = 0
        for number, word in enumerate(words):
            if word is None:
                return None
            if word & 0xFFEFF000 == 0xE28FC000 or word & 0xFFFFF000 == 0xE28CC000:
                shift = (word >> 8 & 15) * 2
                constant = word & 0xFF
                rotated = (constant >> shift | constant << (32 - shift)) & 0xFFFFFFFF
                value += rotated + (address + 4 * number + 8 if word >> 16 & 15 == 15 else 0)
            elif word & 0xFF7FF000 == 0xE53CF000 and number:
                offset = word & 0xFFF
                return (value + (offset if word >> 23 & 1 else -offset)) & 0xFFFFFFFF
            else:
                return None
        return None
