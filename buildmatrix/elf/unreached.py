"""Instructions of a 32-bit ARM file that no run comes to: nothing leads to their functions.

What the loader and others may call, and every address of code that the file holds, is followed on
all ways. Where one way cannot be told (a jump through a table without a bound), all may be reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.elf.flow import step
from buildmatrix.elf.functions import NEVER_RETURN
from buildmatrix.elf.roots import LOCAL, roots
from buildmatrix.elf.rows import FUNC
from buildmatrix.elf.tables import DYNSYM, EXECINSTR
from buildmatrix.isa.branches import Kind, signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory
    from buildmatrix.isa.branches import Step

LARGEST = 1 << 20  # bytes of code in which it is tried
MOST = 100_000  # instructions that are followed


def unreached(memory: Memory, hits: Mapping[str, NDArray[np.int64]]) -> frozenset[str]:
    """The features of `hits` (sorted addresses of each one's instructions) that no run needs."""
    if (
        not hits
        or not memory.arm
        or sum(s.size for s in memory.image.sections if s.flags & EXECINSTR) > LARGEST
    ):
        return frozenset()
    ways = Ways(memory)
    if not ways.follow():
        return frozenset()
    return frozenset(f for f, places in hits.items() if ways.seen.isdisjoint(places.tolist()))


def _offered(memory: Memory) -> Iterator[int]:
    """What others may call by a name; an assembler's label does not tell Thumb from ARM."""
    for table in memory.program.symbols:
        if table.kind == DYNSYM:
            rows = table.rows[(table.rows["section"] > 0) & (table.rows["info"] >> 4 != LOCAL)]
            for row in rows:
                yield int(row["value"])
                if row["info"] & 15 != FUNC:
                    yield int(row["value"]) | 1


class Ways:
    """All that a run may come to; `seen` has the addresses of its instructions.

    A Thumb instruction's second halfword is in it as well: a hit in a stripped file may be there.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.seen: set[int] = set()
        self._begun: set[int] = set()  # with Thumb's low bit, as in _decoded
        self._decoded: set[int] = set()  # where instructions were taken to begin
        self._waiting: list[int] = []
        self._budget = MOST

    def follow(self) -> bool:
        """Fill `seen`; False where a way cannot be told or there are too many."""
        for root in roots(self._memory):
            self._begin(root.address)
        for address in (*_offered(self._memory), *self._memory.taken):
            self._begin(address)
        while self._waiting:
            if self._budget <= 0 or not self._run(self._waiting.pop()):
                return False
        return True

    def _begin(self, address: int) -> None:
        if address not in self._begun and self._memory.section(address):
            self._begun.add(address)
            self._waiting.append(address)

    def _run(self, entry: int) -> bool:
        """Follow instructions one behind the other; False where it goes nobody knows where."""
        thumb, address, skips = bool(entry & 1), entry & ~1, 0
        # The register that each of the last two instructions left a sum in: compilers put the place
        # in a table together right before they jump there.
        sums = (-1, -1)
        while self._budget > 0:
            way = step(self._memory, address, thumb=thumb)
            if way is None or (address | thumb in self._decoded and not skips):
                return True
            self._budget -= 1
            self._decoded.add(address | thumb)
            self.seen.update(range(address, address + way.size, 2))
            leaves = way.kind in (Kind.LEAVE, Kind.MAY_LEAVE)
            if leaves and not self._is_plain(address, sums, thumb=thumb):
                return False
            for target in self._targets(way, address, thumb=thumb):
                self._begin(target)
            sums = (sums[1], self._sum(address, thumb=thumb))
            if self._ends(way, address, maybe=skips > 0, thumb=thumb):
                return True
            skips = way.skips or max(skips - 1, 0)
            address += way.size
        return True

    def _targets(self, way: Step, address: int, *, thumb: bool) -> Iterator[int]:
        if way.kind in (Kind.JUMP, Kind.BRANCH):
            yield way.target | thumb
        elif way.kind is Kind.CALL:
            yield way.target
        elif thumb and self._memory.half(address) == 0x4778:
            yield address + 4 & ~3  # bx pc, to ARM
        elif not thumb and (word := self._memory.word(address) or 0) & 0x0F000000 == 0x0B000000:
            yield address + 8 + 4 * signed(word & 0xFFFFFF, 24)  # bl under a condition

    def _ends(self, way: Step, address: int, *, maybe: bool, thumb: bool) -> bool:
        """Whether nothing comes behind the instruction; `maybe`: it has a condition (Thumb's)."""
        if maybe or (not thumb and self._memory.conditional(address)):
            return False
        if way.kind is Kind.CALL:
            stub = self._memory.import_at(way.target)
            return stub is not None and stub[1] in NEVER_RETURN
        return way.kind in (Kind.JUMP, Kind.LEAVE, Kind.TRAP)

    def _sum(self, address: int, *, thumb: bool) -> int:
        """The register that an addition of two others writes; -1 for another instruction."""
        if not thumb:
            word = self._memory.word(address) or 0
            return word >> 12 & 15 if word & 0x0FE00090 in (0x00800000, 0x00800080) else -1
        start, second = self._memory.halves(address)
        first = start or 0
        if first & 0xFF00 == 0x4400:
            return first & 7 | first >> 4 & 8
        if first & 0xFE00 == 0x1800:
            return first & 7
        return second >> 8 & 15 if first & 0xFFE0 == 0xEB00 else -1

    def _is_plain(self, address: int, sums: tuple[int, int], *, thumb: bool) -> bool:
        """Whether a jump is a return, a stub's, or one to an address that the file holds."""
        if not thumb:
            word = self._memory.word(address) or 0
            if word & 0x0FFFFFF0 == 0x012FFF10:  # bx
                return word & 15 not in sums
            if word & 0x0FFFFFFF == 0x01A0F00E:  # mov pc, lr
                return True
            pops = word & 0x0E1F8000 == 0x081D8000 or word & 0x0E5FF000 == 0x041DF000
            # ldr pc: of a slot as stubs do, and out of a table of addresses behind it
            return pops or word & 0x0F70F000 == 0x0530F000 or word & 0x0FFFFFF0 == 0x079FF100
        start, second = self._memory.halves(address)
        first = start or 0
        if first & 0xFF87 in (0x4700, 0x4687):  # bx, mov pc
            return first >> 3 & 15 not in sums
        return first & 0xFF00 == 0xBD00 or first == 0xE8BD or (first, second) == (0xF85D, 0xFB04)
