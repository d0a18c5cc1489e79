"""Where a run begins: what the loader and the C library call, and what others may call.

Those are the entry point, main, constructors, destructors, the resolvers of indirect functions, and
the functions that a library exports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import is_one_of
from buildmatrix.elf.dynamic import dynamic
from buildmatrix.elf.flow import follow
from buildmatrix.elf.memory import IRELATIVE
from buildmatrix.elf.rows import FUNC, GNU_IFUNC
from buildmatrix.elf.tables import (
    DYNSYM,
    EXECINSTR,
    FINI_ARRAY,
    INIT_ARRAY,
    PREINIT_ARRAY,
)
from buildmatrix.isa.branches import adr

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.flow import Body
    from buildmatrix.elf.memory import Memory
    from buildmatrix.elf.rows import SymbolRows
    from buildmatrix.elf.tables import Image

LOCAL = 0  # STB_LOCAL
MAIN = re.compile(rb"main\0")
MOST_STRIPPED = 100_000  # instructions that are followed to find functions


@dataclass(frozen=True, slots=True)
class Root:
    """Where a run begins: an address, with Thumb's low bit, and what calls it."""

    address: int
    label: str


def roots(memory: Memory) -> Iterator[Root]:
    """What runs whether or not anybody calls it: the loader calls it, or the C library."""
    yield from resolvers(memory)
    image = memory.image
    asked = dynamic(image)
    size = 8 if image.wide else 4
    for label, address in asked.called.items():
        if memory.section(address):
            yield Root(address, label)
    for section in image.sections:
        if section.name in (".init", ".fini") and section.flags & EXECINSTR:
            yield Root(section.address, section.name)
        if section.type in (INIT_ARRAY, FINI_ARRAY, PREINIT_ARRAY):
            for place in range(section.address, section.address + section.size, size):
                address, _ = memory.pointer(place)
                if memory.section(address):
                    yield Root(address, section.name)
    if is_program(image):
        yield Root(image.entry, "_start")
        yield from _mains(memory)


def is_program(image: Image) -> bool:
    """By its kind, its interpreter, or DF_1_PIE (one of -static-pie has no other)."""
    return image.type == 2 or image.asks_for_loader or "PIE" in dynamic(image).flags


def resolvers(memory: Memory) -> Iterator[Root]:
    """The functions by which a file chooses between others of its own (IFUNC)."""
    for table in memory.program.symbols:
        kinds = (table.rows["info"] & 15) == GNU_IFUNC
        for row in table.rows[kinds & (table.rows["section"] > 0)]:
            yield Root(int(row["value"]), "IFUNC resolver")
    rows = memory.relocations
    for place, _, _, addend in rows[is_one_of(rows[:, 1], IRELATIVE)].tolist():
        address = addend if addend != -1 else memory.stored(place)
        if memory.section(address):
            yield Root(address, "IFUNC resolver")


def _mains(memory: Memory) -> Iterator[Root]:
    """`main` by its name, else what _start hands to the C library."""
    for table in memory.program.symbols:
        offsets = [*table.texts.matches(MAIN)]
        named = np.isin(table.rows["name"], offsets) & (table.rows["section"] > 0)
        for row in table.rows[named]:
            yield Root(int(row["value"]), "main")
            return
    for address in _handed_over(memory):
        if memory.section(address) and may_be_code(memory, address):
            yield Root(address, "main")


def may_be_code(memory: Memory, address: int) -> bool:
    """Whether a function may begin there: hardly any of ARM's first instructions has a condition.

    What ARMv8 adds, vrint and vmaxnm, has none either: 0xF where others have 'always'.
    """
    if not memory.arm or address & 1:
        return True
    words = [memory.word(address + 4 * number) for number in range(3)]
    if address % 4 or any(word is None for word in words):
        return False
    conditions = [(word or 0) >> 28 for word in words]
    return conditions[0] == 0xE and set(conditions) <= {0xE, 0xF}


def _handed_over(memory: Memory) -> Iterator[int]:
    """Addresses of functions that the code at the entry point puts together."""
    entry = memory.image.entry
    if memory.arm:
        yield from _literals(memory, entry & ~1)
        return
    pages: dict[int, int] = {}
    for address in range(entry, entry + 80, 4):
        word = memory.word(address) or 0
        register, source = word & 31, word >> 5 & 31
        if word & 0x9F000000 == 0x90000000:
            pages[register] = (address & ~0xFFF) + (adr(word) << 12)
        elif word & 0x9F000000 == 0x10000000:
            yield address + adr(word)
        elif word & 0xFFC00000 == 0x91000000 and source in pages:
            yield pages[source] + (word >> 10 & 0xFFF)
        elif word & 0xFFC00000 == 0xF9400000 and source in pages:
            yield memory.pointer(pages[source] + (word >> 10 & 0xFFF) * 8)[0]


def _literals(memory: Memory, entry: int) -> Iterator[int]:
    """ARM: the words behind _start are addresses, or places relative to the global offset table."""
    tables = [s.address for s in memory.image.sections if s.name == ".got"]
    for address in range(entry, entry + 96, 4):
        word = memory.word(address)
        if word is None:
            return
        yield word
        yield from (memory.pointer(table + word)[0] for table in tables if word < 1 << 20)


def exported(memory: Memory) -> Iterator[Root]:
    """The functions that a library offers to others, each by its name."""
    for table in memory.program.symbols:
        for row in _offered(table):
            yield Root(int(row["value"]), table.name(int(row["name"])))


def exports(memory: Memory) -> NDArray[np.int64]:
    """Their addresses, with Thumb's low bit."""
    values = [_offered(table)["value"].astype(np.int64) for table in memory.program.symbols]
    return np.concatenate([np.zeros(0, np.int64), *values])


def _offered(table: SymbolRows) -> NDArray[np.void]:
    rows = table.rows if table.kind == DYNSYM else table.rows[:0]
    offered = (rows["info"] & 15 == FUNC) & (rows["section"] > 0) & (rows["other"] & 3 == 0)
    chosen: NDArray[np.void] = rows[offered & (rows["info"] >> 4 != LOCAL)]
    return chosen


def discovered(memory: Memory) -> NDArray[np.int64]:
    """Addresses of functions, with Thumb's low bit, that a stripped program comes to by calls."""
    begun = {root.address for root in roots(memory)}
    for _, body in called_from(memory, begun, MOST_STRIPPED):
        begun |= {target for target in _calls(body) if may_be_code(memory, target)}
    return np.array(sorted(begun), np.int64)


def called_from(memory: Memory, starts: Collection[int], most: int) -> Iterator[tuple[int, Body]]:
    """The functions at `starts` and all that they call, addresses with Thumb's low bit, until so
    many instructions were followed."""
    waiting = [*starts]
    seen, budget = set(waiting), most
    while waiting and budget > 0:
        address = waiting.pop()
        body = follow(memory, address, lambda _: True)
        budget -= body.length
        targets = {t for t in _calls(body) - seen if may_be_code(memory, t)}
        seen |= targets
        waiting += targets
        yield address, body


def _calls(body: Body) -> set[int]:
    return {target for block in body.blocks for target in block.calls}
