"""The tables of one ELF file: headers, sections, segments, strings.

pyelftools builds every row through a parsing library, some 20 microseconds each: seconds for a
library of a hundred thousand symbols, and most of the time of an archive of ten thousand objects.
Here a table is one `struct` walk over the file's bytes, and those of symbols and relocations are
arrays (`rows`). What is judged nowhere by speed (debug
information) stays with pyelftools. Numbers are those of the System V ABI (gABI), chapters 4 and 5.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from buildmatrix.elf.names import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC = b"\x7fELF"
MACHINES = {3: "EM_386", 40: "EM_ARM", 62: "EM_X86_64", 183: "EM_AARCH64"}  # met most
TYPES = {0: "ET_NONE", 1: "ET_REL", 2: "ET_EXEC", 3: "ET_DYN", 4: "ET_CORE"}

PROGBITS, NOBITS, DYNAMIC, REL, RELA, DYNSYM, SYMTAB, RELR = 1, 8, 6, 9, 4, 11, 2, 19
INIT_ARRAY, FINI_ARRAY, PREINIT_ARRAY = 14, 15, 16
VERSYM, VERNEED, VERDEF = 0x6FFFFFFF, 0x6FFFFFFE, 0x6FFFFFFD
ARM_ATTRIBUTES = 0x70000003
WRITE, ALLOC, EXECINSTR = 0x1, 0x2, 0x4
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_TLS, PT_GNU_STACK = 1, 2, 3, 7, 0x6474E551
CURRENT, GNU = 1, 3  # EV_CURRENT, ELFOSABI_GNU
UNDEFINED, RESERVED, EXTENDED = 0, 0xFF00, 0xFFFF  # section indices


class Damaged(ValueError):
    """The bytes are not what the file says they are; the text says where."""


class Section(NamedTuple):
    """A section header, its name resolved."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    row: int  # sh_entsize


class Segment(NamedTuple):
    """A program header."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int
    alignment: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """The two ELF classes: struct formats without byte order, and the order of fields."""

    header: str
    section: str
    segment: str
    segment_order: tuple[int, ...]
    word: str  # an address, and either half of a dynamic entry


NARROW = _Layout("HHIIIIIHHHHHH", "10I", "8I", (0, 6, 1, 2, 4, 5, 7), "I")
WIDE = _Layout("HHIQQQIHHHHHH", "IIQQQQIIQQ", "IIQQQQQQ", (0, 1, 2, 3, 5, 6, 7), "Q")


class Image:
    """One ELF file in memory. Raises Damaged where a table does not lie inside the file."""

    def __init__(
        self, data: bytes | memoryview, *, sections: tuple[Section, ...] | None = None
    ) -> None:
        """`sections` take the place of a section header table that is not there."""
        self._given = sections
        self.data = memoryview(data)
        ident = bytes(self.data[:16])
        if len(ident) < 16 or not ident.startswith(MAGIC):
            raise Damaged("the ELF header ends outside the file")
        if ident[4] not in (1, 2) or ident[5] not in (1, 2):
            raise Damaged(f"ELF class {ident[4]} and byte order {ident[5]} do not exist")
        self.wide = ident[4] == 2
        self.layout = WIDE if self.wide else NARROW
        self.order: Literal["<", ">"] = "<" if ident[5] == 1 else ">"
        self.osabi = ident[7]
        self._ident = ident
        fields = self._rows(self.layout.header, 16, 1, "the ELF header")[0]
        self.type, self.machine, self._version, self.entry = fields[:4]
        self._segment_table, self._section_table, self.flags = fields[4:7]
        self._segment_row, self._segments = fields[8:10]
        self._section_row, self._sections, self._names = fields[10:13]

    @property
    def odd_header(self) -> tuple[str, ...]:
        """The fields of the ELF header that no linker writes so and glibc's loader refuses in a
        library (elf/dl-load.c, open_verify; 2.31 to 2.41)."""
        odd = {
            "EI_VERSION": self._ident[6] != CURRENT,
            "EI_ABIVERSION": self._ident[8] != 0 and self.osabi != GNU,
            "EI_PAD": any(self._ident[9:]),
            "e_version": self._version != CURRENT,
        }
        return tuple(name for name, is_odd in odd.items() if is_odd)

    def forget(self) -> None:
        """Gives back the memory of what was read of a mapped file; a further look reads it again.

        Worth it behind a piece of some megabytes: all that was looked at counts as the process's.
        """
        if isinstance(self.data.obj, mmap.mmap):
            self.data.obj.madvise(mmap.MADV_DONTNEED)

    @property
    def little_endian(self) -> bool:
        return self.order == "<"

    @property
    def headerless(self) -> bool:
        """Whether the section header table was stripped, or is not gone by."""
        return not self._section_table or self._given is not None

    @property
    def cut(self) -> bool:
        """Whether its section headers, which the loader does not look at, lie beyond its end."""
        end = self._section_table + max(self._sections, 1) * self._section_row
        loaded = any(segment.type == PT_LOAD for segment in self.segments)
        return not self.headerless and loaded and end > len(self.data)

    @property
    def headers_end(self) -> int:
        """Where the program headers end in the file."""
        return int(self._segment_table + self._segments * self._segment_row)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """In table order, the empty first one included."""
        if self._given is not None:
            return self._given
        if self.headerless:
            return ()
        size = struct.calcsize(self.order + self.layout.section)
        if self._section_row != size:
            raise Damaged(f"section headers of {self._section_row} bytes")
        first = self._rows(self.layout.section, self._section_table, 1, "the section headers")[0]
        count = self._sections or first[5]
        rows = self._rows(self.layout.section, self._section_table, count, "the section headers")
        index = first[6] if self._names == EXTENDED else self._names
        names = self._names_of(rows, index)
        return tuple(Section(names.at(row[0]), *row[1:]) for row in rows)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        count = self._segments
        if count == EXTENDED and self.sections:
            count = self.sections[0].info
        if not count:
            return ()
        if self._segment_row != struct.calcsize(self.order + self.layout.segment):
            raise Damaged(f"program headers of {self._segment_row} bytes")
        rows = self._rows(self.layout.segment, self._segment_table, count, "the program headers")
        return tuple(Segment(*(row[i] for i in self.layout.segment_order)) for row in rows)

    @property
    def asks_for_loader(self) -> bool:
        """Whether the kernel starts another program for it, the loader."""
        return any(segment.type == PT_INTERP for segment in self.segments)

    def first(self, kind: int) -> Section | None:
        return next((s for s in self.sections if s.type == kind), None)

    def named(self, name: str) -> Section | None:
        return next((s for s in self.sections if s.name == name), None)

    def content(self, section: Section) -> memoryview:
        """The section's bytes as they lie in the file; none for one that takes no room there."""
        if section.type == NOBITS:
            return self.data[:0]
        end, size = section.offset + section.size, len(self.data)
        if end > size:
            raise Damaged(f"section {section.name} ends at byte {end}, the file at {size}")
        return self.data[section.offset : end]

    def strings(self, section: Section) -> Strings:
        """The string table that a section's rows name."""
        if not 0 < section.link < len(self.sections):
            raise Damaged(f"section {section.name} has no string table")
        return Strings(bytes(self.content(self.sections[section.link])))

    def rows(self, section: Section, layout: str) -> Iterator[tuple[int, ...]]:
        """The section as rows of one struct format; an incomplete last row is left out."""
        content = self.content(section)
        size = struct.calcsize(self.order + layout)
        return struct.iter_unpack(self.order + layout, content[: len(content) // size * size])

    def numbers(self, offset: int, layout: str, data: memoryview) -> tuple[int, ...]:
        """One row at `offset` of `data`."""
        try:
            return struct.unpack_from(self.order + layout, data, offset)
        except struct.error as exc:
            raise Damaged(f"a table ends at byte {offset} of its section") from exc

    def _rows(self, layout: str, offset: int, count: int, what: str) -> list[tuple[int, ...]]:
        end = offset + struct.calcsize(self.order + layout) * count
        if end > len(self.data):
            raise Damaged(f"{what} end at byte {end}, the file at {len(self.data)}")
        return list(struct.iter_unpack(self.order + layout, self.data[offset:end]))

    def _names_of(self, rows: list[tuple[int, ...]], index: int) -> Strings:
        if not 0 < index < len(rows):
            return Strings(b"")
        offset, size = rows[index][4:6]
        return Strings(bytes(self.data[offset : offset + size]))


@dataclass(frozen=True, slots=True)
class Strings:
    """A string table; `names.text` says how its bytes are shown."""

    data: bytes

    def at(self, offset: int) -> str:
        """The text that starts there, empty outside the table."""
        end = self.data.find(b"\0", offset)
        raw = self.data[offset:] if end < 0 else self.data[offset:end]
        return text(bytes(raw))

    def every(self, offsets: Iterable[int]) -> list[str]:
        """The texts of many offsets: those of a table of plain letters are cut out of one text."""
        if self.data.isascii():
            whole = self.data.decode("ascii") + "\0"
            if whole.replace("\0", "").isprintable():
                return [whole[offset : whole.find("\0", offset)] for offset in offsets]
        return [self.at(offset) for offset in offsets]


def machine_name(image: Image) -> str:
    """EM_ARM and the like; a machine that has no name yet by its number.

    Another byte order, and 64-bit code with addresses of 32 bits (gcc -mabi=ilp32, -mx32), are
    machines of their own: Linux on a Raspberry Pi starts neither.
    """
    word = MACHINES.get(image.machine) or _rare(image.machine)
    narrow = not image.wide and word in ("EM_AARCH64", "EM_X86_64")
    abi = ("x32" if word == "EM_X86_64" else "ILP32") if narrow else ""
    kinds = [abi, "" if image.little_endian else "big-endian"]
    told = ", ".join(kind for kind in kinds if kind)
    return f"{word} ({told})" if told else word


def _rare(machine: int) -> str:
    from elftools.elf.enums import ENUM_E_MACHINE  # noqa: PLC0415

    names = {number: name for name, number in ENUM_E_MACHINE.items() if name != "_default_"}
    return names.get(machine, f"EM_{machine}")
