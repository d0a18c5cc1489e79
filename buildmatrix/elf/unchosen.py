"""Indirect functions (IFUNC) whose resolver chooses none: who calls one comes to address 0.

The loader takes whatever a resolver returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf import values
from buildmatrix.elf.branches import branches_of
from buildmatrix.elf.flow import follow
from buildmatrix.elf.reach import Walk
from buildmatrix.elf.roots import resolvers
from buildmatrix.elf.rows import GNU_IFUNC
from buildmatrix.elf.tables import DYNSYM
from buildmatrix.nouns import Unchosen

if TYPE_CHECKING:
    from buildmatrix.elf.flow import Block
    from buildmatrix.elf.memory import Memory

NOTHING = (1 << 64) - 1  # stands for a 0 that was moved into a register


def unchosen(memory: Memory) -> tuple[Unchosen, ...]:
    """The file's indirect functions for which nothing is chosen, on every way through the resolver,
    by the resolver's address."""
    found = {root.address for root in resolvers(memory)}
    empty = sorted(address for address in found if _returns_nothing(memory, address))
    if not empty:
        return ()
    calls = branches_of(memory, ()).calls
    hits = {str(a): np.sort(calls.sources[calls.targets == a]) for a in empty}
    ways = Walk(memory, hits, strict=True).paths()
    return tuple(Unchosen(*_names(memory, a), ways.get(str(a), ())) for a in empty)


def _names(memory: Memory, address: int) -> tuple[str, bool]:
    """The name of the function that the resolver is for, and whether others may bind to it."""
    named = ""
    for table in memory.program.symbols:
        rows = table.rows[(table.rows["info"] & 15 == GNU_IFUNC) & (table.rows["section"] > 0)]
        for row in rows[rows["value"] == address]:
            named = table.name(int(row["name"]))
            if table.kind == DYNSYM:
                return named, True
    return named, False


def _returns_nothing(memory: Memory, resolver: int) -> bool:
    body = follow(memory, resolver, lambda _: True)
    ends = [block for block in body.blocks if block.leaves]
    _, thumb = memory.begin(resolver)
    return bool(ends) and all(_leaves_nothing(memory, block, thumb=thumb) for block in ends)


def _leaves_nothing(memory: Memory, block: Block, *, thumb: bool) -> bool:
    """Whether 0 is in the register of the result before the block's last instruction, a return."""
    result, moved = 0, -1
    for address, registers in values.at_instructions(memory, block, {}, thumb=thumb):
        if address in block.conditional:
            return False
        if moved >= 0:
            registers[moved] = NOTHING
        result, moved = registers.get(0, 0), _zeroed(memory, address, thumb=thumb)
    return result == NOTHING


def _zeroed(memory: Memory, address: int, *, thumb: bool) -> int:
    """The register into which the instruction moves 0, or -1."""
    if thumb:
        half = memory.half(address) or 0
        return half >> 8 & 7 if half & 0xF8FF == 0x2000 else -1
    word = memory.word(address) or 0
    if memory.arm:
        return word >> 12 & 15 if word & 0xFFFF0FFF == 0xE3A00000 else -1
    return word & 31 if word & 0x7FFFFFE0 == 0x52800000 else -1
