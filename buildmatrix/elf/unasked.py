"""Weak names that are used without a look whether they are there: a run comes to address 0.

Who looks has the address in a place of its own that the loader fills. So a name that has no other
place than the jump slot of its stub is looked at by nobody in the file; of one that has such a
place the code is asked (`through`). What an array of constructors names the loader calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from buildmatrix.elf import versions
from buildmatrix.elf.addresses import is_one_of
from buildmatrix.elf.branches import branches_to
from buildmatrix.elf.memory import Memory
from buildmatrix.elf.reach import Walk
from buildmatrix.elf.rows import EM_AARCH64, EM_ARM, relocation_rows, symbol_rows
from buildmatrix.elf.started import listed_of_others
from buildmatrix.elf.symbols import WEAK
from buildmatrix.elf.tables import ALLOC, DYNSYM, NOBITS, REL, RELA, UNDEFINED
from buildmatrix.elf.through import unlooked
from buildmatrix.nouns import Import, Unasked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.tables import Image

JUMP_SLOT = {EM_ARM: 22, EM_AARCH64: 1026}
GLOBAL_DATA = {EM_ARM: 21, EM_AARCH64: 1025}  # R_*_GLOB_DAT
# What the compiler's own start files look for in every file, and libgcc's threads.
LOOKED_FOR = frozenset(
    (
        *("__gmon_start__", "__cxa_finalize", "__pthread_key_create"),
        *("_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable"),
    )
)


class _Weak(NamedTuple):
    """Weak names that others may define, by where the loader leaves their address."""

    slots: dict[str, Import]  # in jump slots alone
    places: dict[str, Import]  # in the global offset table alone
    rest: dict[str, Import]


def unasked(memory: Memory) -> tuple[Unasked, ...]:
    """Those that a run cannot but come to, or who calls an exported function of the file."""
    weak = _weak(memory.image)
    if not any(weak):
        return ()
    if weak.places:
        memory = Memory(memory.program)  # in which something is assumed
    listed = tuple(_listed(memory, weak))
    return (*listed, *_come_to(memory, weak)) if weak.slots or weak.places else listed


def _come_to(memory: Memory, weak: _Weak) -> Iterator[Unasked]:
    calls = dict(branches_to(memory, weak.slots))
    reads: dict[str, NDArray[np.int64]] = {}
    if places := _places(memory, weak.places):
        called, reads = unlooked(memory, places)
        calls |= called
    hits = {**reads, **calls}
    walk = Walk(memory, hits, strict=True)
    ways, exports = walk.paths(), walk.exports(hits)
    for name in hits:
        one = (weak.slots.get(name) or weak.places[name], ways.get(name, ()), exports[name])
        if ways.get(name) or exports[name]:
            yield Unasked(*one, called=name in calls)


def _listed(memory: Memory, weak: _Weak) -> Iterator[Unasked]:
    for name, array in listed_of_others(memory).items():
        for names in weak:
            if name in names:
                yield Unasked(names[name], (array,))


def _places(memory: Memory, names: dict[str, Import]) -> dict[int, str]:
    """Place -> the name whose address the loader leaves there."""
    rows = memory.relocations if names else memory.relocations[:0]
    chosen = rows[rows[:, 1] == GLOBAL_DATA[memory.image.machine]]
    found = {place: memory.pointer(place)[1] for place in chosen[:, 0].tolist()}
    return {place: name for place, name in found.items() if name in names}


def _weak(image: Image) -> _Weak:
    table = image.first(DYNSYM)
    if table is None or table.type == NOBITS:
        return _Weak({}, {}, {})
    rows = symbol_rows(image, table)
    weak = (rows["info"] >> 4 == WEAK) & (rows["section"] == UNDEFINED)
    kinds = (JUMP_SLOT[image.machine], GLOBAL_DATA[image.machine])
    has = np.zeros((3, len(rows)), np.bool_)  # a jump slot, a place in the table, another one
    for section in image.sections if weak.any() else ():
        if section.type in (REL, RELA) and section.flags & ALLOC:
            symbols, types = relocation_rows(image, section)
            for number, kind in enumerate(kinds):
                has[number, symbols[(symbols < len(rows)) & (types == kind)]] = True
            has[2, symbols[(symbols < len(rows)) & ~is_one_of(types, kinds)]] = True
    slots, places = weak & has[0] & ~has[1] & ~has[2], weak & has[1] & ~has[0] & ~has[2]
    strings, indices = image.strings(table), versions.of_symbols(image)
    needed, found = versions.needed(image), _Weak({}, {}, {})
    for number in np.flatnonzero(weak & has.any(0)).tolist():
        index = indices[number] & ~versions.HIDDEN if number < len(indices) else 0
        need = needed.get(index)
        name = strings.at(int(rows["name"][number]))
        # Where a library had it when the file was linked, it has it still.
        if name not in LOOKED_FOR and (need is None or need.weak):
            kept = found.slots if slots[number] else found.places if places[number] else found.rest
            kept[name] = Import(name, *((need.version, need.library) if need else ()))
    return found
