"""The compile units of a file's debug information: how each was compiled, and where its code lies.

GCC writes its command line into DW_AT_producer, clang and zig with -grecord-command-line. DWARF is
pyelftools' to read; of its sections only those that name units are given to it, and none where they
are larger than LARGEST: a library's debug information may not fit into memory.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elftools.common.exceptions import DWARFError
from elftools.dwarf.ranges import BaseAddressEntry
from elftools.elf.elffile import ELFFile

from buildmatrix.elf.sections import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.dwarfinfo import DWARFInfo
    from elftools.elf.sections import Section

    from buildmatrix.elf.tables import Image

# What tells of units, their names and their addresses; lines, places of variables and unwinding,
# most of what debug information is, do not.
READ = frozenset(
    (
        *(".debug_info", ".debug_abbrev", ".debug_str", ".debug_line_str", ".debug_str_offsets"),
        *(".debug_ranges", ".debug_rnglists", ".debug_addr"),
    )
)
LARGEST = 1 << 28  # bytes of them, decompressed
MOST_RANGES = 50_000  # that are read of one file; some 50 microseconds each

# Damaged, newer than pyelftools, or relocated in a way that it does not know.
UNREADABLE: tuple[type[Exception], ...] = (*faults(), DWARFError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Unit:
    """One source file as a compiler saw it."""

    name: str  # as the compiler was given it: kernels/sve.c
    switches: tuple[str, ...]  # the words of its producer: GNU, C17, 12.2.0, -march=armv8-a, ...
    number: int  # in the order of the file


class Units:
    """The units of one file; none where its debug information cannot be read.

    What cannot be read is left out: it is evidence only where it is there, and a library is no
    worse for debug information that we cannot follow.
    """

    def __init__(self, image: Image) -> None:
        self.rows: list[Unit] = []
        self._units: list[CompileUnit] = []
        self._budget = MOST_RANGES
        self._dwarf: DWARFInfo | None = None
        try:
            self._dwarf = _File(io.BufferedReader(_Bytes(image.data))).dwarf()
            self._fill()
        except UNREADABLE:
            pass

    def ranges(self, unit: Unit) -> list[tuple[int, int]]:
        """The addresses of a unit's code in a linked file, each from and to."""
        try:
            return [*self._ranges(self._units[unit.number])]
        except UNREADABLE:
            return []

    def _fill(self) -> None:
        if self._dwarf is None:
            return
        known: dict[bytes, tuple[str, ...]] = {}
        for unit in self._dwarf.iter_CUs():
            row = unit.get_top_DIE().attributes
            producer, name = row.get("DW_AT_producer"), row.get("DW_AT_name")
            if producer is not None and isinstance(producer.value, bytes):
                words = producer.value
                if words not in known:
                    known[words] = tuple(words.decode(errors="replace").split())
                source = name.value if name is not None else b""
                label = source.decode(errors="replace") if isinstance(source, bytes) else ""
                self.rows.append(Unit(label, known[words], len(self._units)))
                self._units.append(unit)

    def _ranges(self, unit: CompileUnit) -> Iterator[tuple[int, int]]:
        row = unit.get_top_DIE().attributes
        low = row["DW_AT_low_pc"].value if "DW_AT_low_pc" in row else 0
        if "DW_AT_high_pc" in row:
            high = row["DW_AT_high_pc"]
            yield low, high.value if high.form == "DW_FORM_addr" else low + high.value
        if "DW_AT_ranges" not in row or self._dwarf is None:
            return
        lists = self._dwarf.range_lists()
        if lists is None or self._budget <= 0:
            return
        for entry in lists.get_range_list_at_offset(row["DW_AT_ranges"].value, unit):
            self._budget -= 1
            if isinstance(entry, BaseAddressEntry):
                low = entry.base_address
            else:
                base = 0 if entry.is_absolute else low
                yield base + entry.begin_offset, base + entry.end_offset


class _File(ELFFile):
    """A file of which pyelftools sees the sections in READ alone."""

    def dwarf(self) -> DWARFInfo | None:
        rows = [self.get_section_by_name(name) for name in sorted(READ)]
        size = sum(row.data_size for row in rows if row is not None)
        return self.get_dwarf_info(follow_links=False) if size <= LARGEST else None

    def get_section_by_name(self, name: str) -> Section | None:
        return super().get_section_by_name(name) if name in READ else None


class _Bytes(io.RawIOBase):
    """A file's bytes as a stream that copies none of them but those that are asked for."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._place = data, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        some = self._data[self._place : self._place + len(buffer)]
        buffer[: len(some)] = some
        self._place += len(some)
        return len(some)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: len(self._data)}
        self._place = origins[whence] + offset
        return self._place
