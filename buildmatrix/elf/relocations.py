"""Dynamic relocations: which types occur, and which symbols are copied into the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.elf.addresses import distinct
from buildmatrix.elf.rows import relocation_rows
from buildmatrix.elf.tables import ALLOC, DYNAMIC, REL, RELA

if TYPE_CHECKING:
    from buildmatrix.elf.tables import Image

# R_*_COPY: the program has room for a library's variable, and the library must have it.
COPY = {3: 5, 40: 20, 62: 5, 183: 1024}


@dataclass(frozen=True, slots=True)
class Relocations:
    """Numbers of the processor's ABI: all `types` that occur, and those `of_stubs`. `copied` and
    `called` are indices of dynamic symbols."""

    types: tuple[int, ...] = ()
    of_stubs: tuple[int, ...] = ()
    copied: frozenset[int] = frozenset()
    called: frozenset[int] = frozenset()  # and of those that stubs lead to


def relocations(image: Image, stubs: int) -> Relocations:
    """Those that the loader does: of the sections it maps, where there is a dynamic section. At the
    address `stubs` are those of the procedure linkage table.

    A static program does its own, and an object's are the linker's.
    """
    if image.first(DYNAMIC) is None:
        return Relocations()
    copy = COPY.get(image.machine, -1)
    types: set[int] = set()
    of_stubs: set[int] = set()
    copied: set[int] = set()
    called: set[int] = set()
    for section in image.sections:
        if section.type in (REL, RELA) and section.flags & ALLOC:
            symbols, kinds = relocation_rows(image, section)
            occurring = distinct(kinds).tolist()
            types.update(occurring)
            if section.address == stubs:
                of_stubs.update(occurring)
                called.update(distinct(symbols).tolist())
            copied.update(symbols[kinds == copy].tolist())
    return Relocations(
        tuple(sorted(types)), tuple(sorted(of_stubs)), frozenset(copied), frozenset(called)
    )
