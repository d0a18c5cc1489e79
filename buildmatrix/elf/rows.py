"""Symbol tables as arrays: what is asked of a hundred thousand rows at once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import is_one_of
from buildmatrix.elf.tables import DYNSYM, RELA, SYMTAB, Damaged
from buildmatrix.elf.texts import Texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from buildmatrix.elf.tables import Image, Section

EM_ARM, EM_AARCH64 = 40, 183
FUNC, GNU_IFUNC = 2, 10  # st_info's lower half
WIDE = np.dtype(
    {
        "names": ["name", "info", "other", "section", "value", "size"],
        "formats": ["<u4", "u1", "u1", "<u2", "<u8", "<u8"],
    }
)
NARROW = np.dtype(
    {
        "names": ["name", "value", "size", "info", "other", "section"],
        "formats": ["<u4", "<u4", "<u4", "u1", "u1", "<u2"],
    }
)


def symbol_rows(image: Image, section: Section) -> NDArray[np.void]:
    """The rows of a symbol table, in the file's own byte order; an incomplete last one is left."""
    row = (WIDE if image.wide else NARROW).newbyteorder(image.order)
    content = image.content(section)
    return np.frombuffer(content, row, len(content) // row.itemsize)


def relocation_rows(
    image: Image, section: Section
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The symbol and the type of every row of a SHT_REL or SHT_RELA section."""
    content, columns = image.content(section), 3 if section.type == RELA else 2
    size, bits = (8, 32) if image.wide else (4, 8)
    count = len(content) // (size * columns)
    rows = np.frombuffer(content, f"{image.order}u{size}", count * columns)
    info = rows[1::columns].astype(np.uint64)
    return info >> np.uint64(bits), info & np.uint64((1 << bits) - 1)


class SymbolRows:
    """A symbol table: its rows as they stand, their names, and their order by section."""

    def __init__(self, kind: int, rows: NDArray[np.void], texts: Texts) -> None:
        self.kind, self.rows, self.texts = kind, rows, texts  # SYMTAB, DYNSYM

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """The numbers of the rows by section, and the sections in that order."""
        order = np.argsort(self.rows["section"], kind="stable")
        return order, self.rows["section"][order]

    def of(self, section: int) -> NDArray[np.void]:
        """The rows of one section."""
        order, sections = self._order
        first, end = np.searchsorted(sections, (section, section + 1))
        return self.rows[order[first:end]]

    @cached_property
    def special(self) -> NDArray[np.void]:
        """The rows whose name begins with a dollar sign, as those of mapping symbols do."""
        return self.rows[self.texts.beginning("$", self.rows["name"])]

    def name(self, offset: int) -> str:
        return self.texts.at(offset)


class Program:
    """A little-endian file for ARM, with its symbols as arrays."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.arm = image.machine == EM_ARM

    @cached_property
    def symbols(self) -> tuple[SymbolRows, ...]:
        """Each symbol table, .symtab before .dynsym."""
        tables = [s for s in self.image.sections if s.type in (SYMTAB, DYNSYM)]
        return tuple(self._rows(table) for table in sorted(tables, key=lambda s: s.type))

    def _rows(self, table: Section) -> SymbolRows:
        rows = symbol_rows(self.image, table)
        if not 0 < table.link < len(self.image.sections):
            raise Damaged(f"section {table.name} has no string table")
        names = self.image.sections[table.link]
        return SymbolRows(table.type, rows, Texts(self.image, self.image.content(names)))


def program(image: Image) -> Program | None:
    """None for a file of another machine or byte order, whose code is not read."""
    readable = image.little_endian and image.machine in (EM_ARM, EM_AARCH64)
    return Program(image) if readable else None


def are_functions(rows: NDArray[np.void]) -> NDArray[np.bool_]:
    return is_one_of(rows["info"] & 15, (FUNC, GNU_IFUNC))
