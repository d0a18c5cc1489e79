"""Weak functions that are called without a look whether they are there: a jump to address 0.

Who looks has the address in a place of its own that the loader fills. So a name that has no other
place than the jump slot of its stub is looked at by nobody in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf import versions
from buildmatrix.elf.branches import branches_to
from buildmatrix.elf.memory import Memory
from buildmatrix.elf.reach import Walk
from buildmatrix.elf.rows import EM_AARCH64, EM_ARM, program, relocation_rows, symbol_rows
from buildmatrix.elf.symbols import WEAK
from buildmatrix.elf.tables import ALLOC, DYNSYM, NOBITS, REL, RELA, UNDEFINED
from buildmatrix.nouns import Import, Unasked

if TYPE_CHECKING:
    from buildmatrix.elf.tables import Image

JUMP_SLOT = {EM_ARM: 22, EM_AARCH64: 1026}


def unasked(image: Image) -> tuple[Unasked, ...]:
    """Those that a run cannot but come to, or who calls an exported function of the file."""
    readable = program(image)
    names = _slots_alone(image) if readable is not None else {}
    if readable is None or not names:
        return ()
    memory = Memory(readable)
    calls = dict(branches_to(memory, names))
    walk = Walk(memory, calls, strict=True)
    ways, exports = walk.paths(), walk.exports(calls)
    found = (Unasked(names[name], ways.get(name, ()), exports[name]) for name in calls)
    return tuple(one for one in found if one.path or one.exports)


def _slots_alone(image: Image) -> dict[str, Import]:
    """Weak names that others may define, with no relocation but jump slots."""
    table = image.first(DYNSYM)
    if table is None or table.type == NOBITS:
        return {}
    rows = symbol_rows(image, table)
    weak = (rows["info"] >> 4 == WEAK) & (rows["section"] == UNDEFINED)
    if not weak.any():
        return {}
    slots, others = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    for section in image.sections:
        if section.type in (REL, RELA) and section.flags & ALLOC:
            symbols, kinds = relocation_rows(image, section)
            known = symbols < len(rows)
            are_slots = kinds == JUMP_SLOT[image.machine]
            slots[symbols[known & are_slots]] = True
            others[symbols[known & ~are_slots]] = True
    strings, indices = image.strings(table), versions.of_symbols(image)
    needed, names = versions.needed(image), dict[str, Import]()
    for number in np.flatnonzero(weak & slots & ~others).tolist():
        index = indices[number] & ~versions.HIDDEN if number < len(indices) else 0
        need = needed.get(index)
        if need is None or need.weak:  # a library had it when the file was linked, and has it still
            name = strings.at(int(rows["name"][number]))
            names[name] = Import(name, *((need.version, need.library) if need else ()))
    return names
