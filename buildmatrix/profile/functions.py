"""Which function lies where in an ELF file, by its symbol tables, and where these were stripped by
the tables that unwind the stack: those have no names, but bounds."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.elf.bounds import function_starts
from buildmatrix.elf.rows import FUNC, GNU_IFUNC, program
from buildmatrix.elf.tables import EXECINSTR, PT_LOAD, Damaged, Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.elf.rows import Program

UNTYPED = 0  # assembly that declares no type, as much of OpenBLAS's
EM_AARCH64 = 183


@dataclass(frozen=True, slots=True, order=True)
class Function:
    """A function of a file; a `size` of 0 reaches to the next one."""

    start: int
    size: int
    name: str  # as the symbol table has it
    thumb: bool


class Code:
    """A file's bytes and functions, asked by the offset in the file."""

    def __init__(self, data: bytes) -> None:
        """Raises Damaged where the bytes are no whole ELF file."""
        self.data = data
        image = Image(data)
        self.wide = image.machine == EM_AARCH64
        loaded = [(s.offset, s.file_size, s.address) for s in image.segments if s.type == PT_LOAD]
        sections = [(s.offset, s.size, s.address) for s in image.sections if s.flags & EXECINSTR]
        self._places = [*loaded, *sections]
        read = program(image)
        self._functions = _functions(read) if read else []
        self._starts = [function.start for function in self._functions]
        self._bounds: list[int] = function_starts(read).tolist() if read else []

    def at(self, offset: int) -> tuple[Function | None, int]:
        """The function at an offset in the file, and the address that the file gives it."""
        address = self._address(offset)
        place = bisect.bisect_right(self._starts, address) - 1
        function = self._functions[place] if place >= 0 else None
        if function and function.size and address >= function.start + function.size:
            return self._unnamed(address, function.start), address
        return function or self._unnamed(address, -1), address

    def _unnamed(self, address: int, before: int) -> Function | None:
        """A function without a symbol that begins behind `before`."""
        place = bisect.bisect_right(self._bounds, address) - 1
        start = self._bounds[place] if place >= 0 else before
        return (
            Function(start, 0, f"function at {start:#x}", thumb=False) if start > before else None
        )

    def _address(self, offset: int) -> int:
        for begin, size, address in self._places:
            if begin <= offset < begin + size:
                return offset - begin + address
        return offset


def code(data: bytes) -> Code | None:
    """None for what is no ELF file that can be read."""
    try:
        return Code(data)
    except Damaged:
        return None


def _functions(read: Program) -> list[Function]:
    """In order; of several names at one address, a typed and global one is kept."""
    chosen: dict[int, tuple[tuple[bool, bool, bool], Function]] = {}
    for rank, function in _symbols(read):
        known = chosen.get(function.start)
        if known is None or rank > known[0]:
            chosen[function.start] = (rank, function)
    return sorted(function for _, function in chosen.values())


def _symbols(read: Program) -> Iterator[tuple[tuple[bool, bool, bool], Function]]:
    executable = [n for n, s in enumerate(read.image.sections) if s.flags & EXECINSTR]
    for table in read.symbols:
        for section in executable:
            for row in table.of(section).tolist():
                fields = dict(zip(table.rows.dtype.names or (), row, strict=True))
                kind, value = fields["info"] & 15, fields["value"]
                name = table.name(fields["name"])
                if kind not in (UNTYPED, FUNC, GNU_IFUNC) or not name or name.startswith("$"):
                    continue
                thumb = read.arm and kind != UNTYPED and bool(value & 1)
                start = value & ~1 if read.arm else value
                rank = (kind != UNTYPED, bool(fields["size"]), fields["info"] >> 4 == 1)
                yield rank, Function(start, fields["size"], name, thumb)
