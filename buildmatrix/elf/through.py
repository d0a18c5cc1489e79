"""Where code goes through an address that the loader leaves in a place, and whether it looks first.

That is a call of a function or a use of a variable whose address is in the global offset table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf import values
from buildmatrix.elf.flow import use
from buildmatrix.elf.roots import called_from, exported, roots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory
    from buildmatrix.isa.uses import Use

    Hits = dict[str, NDArray[np.int64]]

MOST = 20_000  # instructions that are followed in one file
# Addresses that no file of the machine has, one for each place, with room for a large variable.
ROOM = 1 << 12
FIRST = {True: 0xFFF00000, False: 1 << 60}  # of 32 bits, of 64


def unlooked(memory: Memory, places: Mapping[int, str]) -> tuple[Hits, Hits]:
    """Name -> the addresses of the instructions that call what is in its place, and of those that
    read or write there; without the names whose address is held against something.

    What cannot be told is left out.
    """
    first = FIRST[memory.arm]
    for number, place in enumerate(places):
        memory.assume(place, first + number * ROOM)
    named = list(places.values())
    calls, reads, looked = dict[str, list[int]](), dict[str, list[int]](), set[str]()

    def name(value: int) -> str:
        number = (value - first) // ROOM
        return named[number] if 0 <= number < len(named) else ""

    for address, registers, done in _uses(memory):
        for table, register in ((calls, done.calls), (reads, done.reads)):
            if found := name(registers.get(register, 0)):
                table.setdefault(found, []).append(address)
        looked.update(name(registers.get(register, 0)) for register in done.compares)
    return _sorted(calls, looked), _sorted(reads, looked)


def _uses(memory: Memory) -> Iterator[tuple[int, values.Registers, Use]]:
    """Each instruction that the file comes to, with the registers before it and what it does."""
    starts = {root.address for root in (*roots(memory), *exported(memory))}
    for entry, body in called_from(memory, starts, MOST):
        start, thumb = memory.begin(entry)
        known = values.entered(memory, body, start, {}, thumb=thumb)
        for block in body.blocks:
            before = known.get(block.start, {})
            for address, registers in values.at_instructions(memory, block, before, thumb=thumb):
                if registers and address not in block.conditional:
                    yield address, registers, use(memory, address, thumb=thumb)


def _sorted(found: Mapping[str, list[int]], looked: set[str]) -> Hits:
    return {
        name: np.array(sorted(set(places)), np.int64)
        for name, places in found.items()
        if name not in looked
    }
