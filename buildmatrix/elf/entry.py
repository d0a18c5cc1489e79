"""Where a run begins: whether there is code, and in a file marked for BTI a landing pad."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.memory import Memory
from buildmatrix.elf.roots import exported, roots
from buildmatrix.elf.rows import EM_AARCH64, EM_ARM, program
from buildmatrix.elf.started import is_code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.elf.roots import Root
    from buildmatrix.elf.tables import Image

# The note in which linkers say what all objects of a file were compiled for. Source: Linux
# Extensions to gABI (NT_GNU_PROPERTY_TYPE_0), ELF for the Arm 64-bit Architecture.
PROPERTY_NOTE, PROPERTY_TYPE = ".note.gnu.property", 5
FEATURE_1_AND, BTI = 0xC0000000, 1
# Where a call through a pointer may land: bti c, bti jc, paciasp, pacibsp; and what stops by itself
# at any rate: brk, hlt. Source: Arm Architecture Reference Manual, DDI 0487, D8.4.4.
PADS = frozenset((0xD503245F, 0xD50324DF, 0xD503233F, 0xD503237F))
STOPS, STOPS_MASK = (0xD4200000, 0xD4400000), 0xFFE0001F


def entry_is_code(image: Image) -> bool:
    """Whether the entry point is an address of code at which an instruction may begin."""
    address = image.entry & ~1 if image.machine == EM_ARM else image.entry
    if image.machine in (EM_ARM, EM_AARCH64) and address % (2 if image.entry & 1 else 4):
        return False
    return is_code(image, address)


def unlanded(image: Image) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where a file that is marked for BTI has no landing pad: of what the loader and the C library
    call through a pointer, and of the functions that it offers, by name.

    A processor that has BTI ends the run there. Nothing for a file without the mark.
    """
    readable = program(image)
    if readable is None or readable.arm or not _is_marked(image):
        return (), ()
    memory = Memory(readable)
    by_kernel = () if image.asks_for_loader else ("_start",)
    called = (root for root in roots(memory) if root.label not in by_kernel)
    return _padless(memory, called), _padless(memory, exported(memory))


def _padless(memory: Memory, places: Iterable[Root]) -> tuple[str, ...]:
    words = ((place.label, memory.word(place.address)) for place in places)
    labels = (
        label
        for label, word in words
        if word is not None and word not in PADS and word & STOPS_MASK not in STOPS
    )
    return tuple(dict.fromkeys(labels))


def _is_marked(image: Image) -> bool:
    """Whether the file's property note has the bit of BTI."""
    note = image.named(PROPERTY_NOTE)
    if note is None:
        return False
    words = np.frombuffer(image.content(note), "<u4")
    # Name size, description size, type, 'GNU'; then properties of type, size, value and padding.
    place = 4
    while len(words) >= 4 and words[2] == PROPERTY_TYPE and place + 2 < len(words):
        if words[place] == FEATURE_1_AND:
            return bool(words[place + 2] & BTI)
        place += 2 + (int(words[place + 1]) + 7) // 8 * 2
    return False
