"""How a run comes to an instruction that may not be there, without asking the processor first.

From what the loader and the C library call (the entry point, main, constructors, destructors, the
resolvers of indirect functions) calls that cannot be avoided are followed, and in each function the
blocks that no path leaves out. In a file that never asks what the processor has, a function that is
entered for certain counts as a whole: who compiles a function for a processor lets it use all of
that anywhere.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.dynamic import dynamic
from buildmatrix.elf.flow import Body, follow
from buildmatrix.elf.marks import functions_of
from buildmatrix.elf.memory import IRELATIVE
from buildmatrix.elf.rows import GNU_IFUNC
from buildmatrix.elf.tables import (
    EXECINSTR,
    FINI_ARRAY,
    INIT_ARRAY,
    PREINIT_ARRAY,
    PT_INTERP,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory
    from buildmatrix.elf.rows import Program

# Instructions that are followed in one file, all functions together.
FEWEST, FEWEST_STRIPPED = 200_000, 100_000
NEVER_RETURN = frozenset(
    (
        *("abort", "__stack_chk_fail", "__assert_fail", "__libc_fatal", "__fortify_fail"),
        *("__cxa_throw", "__cxa_rethrow", "__cxa_bad_cast", "__cxa_throw_bad_array_new_length"),
        *("__cxa_pure_virtual", "__cxa_end_cleanup", "_Unwind_Resume", "__chk_fail"),
        *("_ZSt9terminatev", "_ZSt17__throw_bad_allocv"),
    )
)
# How libgcc's helpers of outline atomics begin: adrp x16; ldrb w16, [x16, #n]; cbz w16.
HELPER = ((0x9F00001F, 0x90000010), (0xFFC003FF, 0x39400210), (0xFF00001F, 0x34000010))
BTI_C = 0xD503245F


@dataclass(frozen=True, slots=True)
class Root:
    """Where a run begins: an address, with Thumb's low bit, and what calls it."""

    address: int
    label: str


def paths(
    memory: Memory, hits: dict[str, NDArray[np.int64]], *, strict: bool
) -> dict[str, tuple[str, ...]]:
    """The way to each feature of `hits` (sorted addresses) that has one.

    `strict` is for a file that asks, and for one whose functions may hold data: there a function
    counts no further than its unavoidable blocks.
    """
    found: dict[str, tuple[str, ...]] = {}
    budget = FEWEST
    waiting: deque[tuple[int, tuple[str, ...]]] = deque()
    waiting.extend((root.address, (root.label,)) for root in roots(memory))
    seen = {address for address, _ in waiting}
    names = Names(memory.program)
    returns = cache(lambda target: _returns(memory, names, target))
    while waiting and budget > 0 and len(found) < len(hits):
        address, path = waiting.popleft()
        body = follow(memory, address, returns)
        budget -= sum((b.end - b.start) // 4 + 1 for b in body.blocks)
        label = names.of(address & ~1 if memory.arm else address)
        way = path if path[-1] == label else (*path, label)
        whole = not strict and not _tests_itself(memory, address)
        for feature, addresses in hits.items():
            if feature not in found and _needs(body, addresses, whole=whole):
                found[feature] = way
        for target in _calls(memory, body):
            if target not in seen:
                seen.add(target)
                waiting.append((target, way))
    return found


def _tests_itself(memory: Memory, address: int) -> bool:
    """Whether the function is one of libgcc's that look at what its constructor kept."""
    start = address + 4 * (memory.word(address) == BTI_C)
    words = [memory.word(start + 4 * number) or 0 for number in range(len(HELPER))]
    return all(w & mask == value for w, (mask, value) in zip(words, HELPER, strict=True))


def _needs(body: Body, addresses: NDArray[np.int64], *, whole: bool) -> bool:
    """Whether the function cannot but run one of the instructions; `whole`: has any of them."""
    for block in body.blocks:
        if not (whole or block.start in body.unavoidable):
            continue
        first, end = np.searchsorted(addresses, (block.start, block.end))
        if any(int(a) not in block.conditional for a in addresses[first:end]):
            return True
    return False


def _calls(memory: Memory, body: Body) -> Iterator[int]:
    """The functions of this file that are called whichever way the function goes."""
    for block in body.blocks:
        for target in block.calls if block.start in body.unavoidable else ():
            stub = memory.import_at(target)
            if stub is None:
                yield target
            elif stub[0]:
                yield stub[0]


def _returns(memory: Memory, names: Names, target: int) -> bool:
    stub = memory.import_at(target)
    name = stub[1] if stub else names.of(target & ~1 if memory.arm else target)
    return name not in NEVER_RETURN


class Names:
    """Names of functions by address."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._functions = {
            index: functions_of(program, index)
            for index, section in enumerate(program.image.sections)
            if section.flags & EXECINSTR
        }

    def of(self, address: int) -> str:
        """The function there; without a symbol its address."""
        for index, functions in self._functions.items():
            section = self._program.image.sections[index]
            if section.address <= address < section.address + section.size:
                place = int(functions.of(np.array([address]))[0])
                if place >= 0 and (name := functions.name(place)):
                    return name
        return f"0x{address:x}"


def roots(memory: Memory) -> Iterator[Root]:
    """What runs whether or not anybody calls it: the loader calls it, or the C library.

    A program is told by its kind, its interpreter, or DF_1_PIE (one of -static-pie has no other).
    """
    yield from _resolvers(memory)
    image = memory.image
    asked = dynamic(image)
    size = 8 if image.wide else 4
    for label, address in (("DT_INIT", asked.init), ("DT_FINI", asked.fini)):
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
    if image.type == 2 or "PIE" in asked.flags or any(s.type == PT_INTERP for s in image.segments):
        yield Root(image.entry, "_start")
        yield from _mains(memory)


def _resolvers(memory: Memory) -> Iterator[Root]:
    for table in memory.program.symbols:
        kinds = (table.rows["info"] & 15) == GNU_IFUNC
        for row in table.rows[kinds & (table.rows["section"] > 0)]:
            yield Root(int(row["value"]), "IFUNC resolver")
    rows = memory.relocations
    for place, _, _, addend in rows[np.isin(rows[:, 1], list(IRELATIVE))].tolist():
        address = addend if addend != -1 else memory.stored(place)
        if memory.section(address):
            yield Root(address, "IFUNC resolver")


def discovered(memory: Memory) -> NDArray[np.int64]:
    """Addresses of functions, with Thumb's low bit, that a stripped program comes to by calls."""
    waiting = [root.address for root in roots(memory)]
    seen, budget = set(waiting), FEWEST_STRIPPED
    while waiting and budget > 0:
        body = follow(memory, waiting.pop(), lambda _: True)
        budget -= sum((b.end - b.start) // 4 + 1 for b in body.blocks)
        called = {target for block in body.blocks for target in block.calls} - seen
        targets = {target for target in called if _may_be_code(memory, target)}
        seen |= targets
        waiting += targets
    return np.array(sorted(seen), np.int64)


def _mains(memory: Memory) -> Iterator[Root]:
    """`main` by its name, else what _start hands to the C library."""
    for table in memory.program.symbols:
        offsets = [match.start() for match in re.finditer(rb"main\0", table.texts)]
        named = np.isin(table.rows["name"], offsets) & (table.rows["section"] > 0)
        for row in table.rows[named]:
            yield Root(int(row["value"]), "main")
            return
    for address in _handed_over(memory):
        if memory.section(address) and _may_be_code(memory, address):
            yield Root(address, "main")


def _may_be_code(memory: Memory, address: int) -> bool:
    """Whether a function may begin there: ARM's first instructions have no condition."""
    if not memory.arm or address & 1:
        return True
    words = [memory.word(address + 4 * number) for number in range(3)]
    return address % 4 == 0 and all(word is not None and word >> 28 == 0xE for word in words)


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
        low = word >> 29 & 3
        high = word >> 5 & 0x7FFFF
        offset = (high - (1 << 19) if high >> 18 else high) << 2 | low
        if word & 0x9F000000 == 0x90000000:
            pages[register] = (address & ~0xFFF) + (offset << 12)
        elif word & 0x9F000000 == 0x10000000:
            yield address + offset
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
