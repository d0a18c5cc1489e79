"""Whether what the loader and the C library call cannot but end in a trap (brk, udf) or in abort.

A path counts where it surely comes to its end: through no loop, and past calls of nothing but the
file's own functions that return and of a few of the C library's.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import Flag, auto
from typing import TYPE_CHECKING

from buildmatrix.elf.flow import follow, step, use
from buildmatrix.elf.functions import NEVER_RETURN
from buildmatrix.elf.marks import Names
from buildmatrix.elf.memory import LAST
from buildmatrix.elf.roots import roots
from buildmatrix.isa.branches import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.elf.flow import Block
    from buildmatrix.elf.memory import Memory

MOST, AT_ONCE = 800, 300  # instructions that are followed in one file, and from one root
ABORTS = frozenset(("abort", "__assert_fail"))
# Functions of the C library that end the process, or leave the caller for another place.
LEAVES = re.compile(
    r"_*exit|_Exit|quick_exit|exec\w+|(_*sig)?_*longjmp\w*|pthread_exit|thrd_exit|err|errx|v?err\w+"
    r"|__libc_start_main|setcontext|swapcontext"
)
# Those that surely come back.
RETURNS = re.compile(
    r"_*(v?[fs]?n?printf|puts|putchar|putc|fputs|fputc|fwrite|fflush|perror|setv?buf)(_chk)?"
    r"|_*(mem|str)(cpy|set|move|cmp|chr|len|cat|dup|ncpy|ncmp|rchr|str|tol|toul)(_chk)?"
    r"|malloc|calloc|realloc|free|getenv|getauxval|atoi|time|clock|s?rand|getpid"
)


class End(Flag):
    """How the ways through a function may end."""

    NONE = 0
    BACK = auto()  # it returns
    STOP = auto()  # a trap, or abort
    AWAY = auto()  # the process ends otherwise, or goes on elsewhere
    OPEN = auto()  # and what cannot be told


def stops(memory: Memory) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the loader or the C library calls and surely stops, and what stops where nothing before
    ends it otherwise."""
    ends, sure, perhaps = _Ends(memory), list[str](), list[str]()
    called = [root for root in roots(memory) if root.label != "IFUNC resolver"]
    # The longest way is that from _start, through the C library.
    for root in sorted(called, key=lambda root: (root.label == "_start", root.label != "main")):
        end, own = ends.begin(root.address)
        if end is End.STOP:
            sure.append(ends.words(root.label, root.address))
        elif own and end is End.STOP | End.OPEN and root.label != "_start":
            perhaps.append(ends.words(root.label, root.address))
    return tuple(dict.fromkeys(sure)), tuple(dict.fromkeys(perhaps))


class _Ends:
    """The functions of one file, each followed once."""

    def __init__(self, memory: Memory) -> None:
        self._memory, self._names = memory, Names(memory.program)
        # With each function's end, whether it stops in its own code.
        self._known: dict[int, tuple[End, bool]] = {}
        self._rest, self._budget = MOST, 0

    def words(self, label: str, address: int) -> str:
        name = self._label(address)
        return label if name == label else f"{label}, {name}"

    def begin(self, root: int) -> tuple[End, bool]:
        """The end of what begins there, of which so much is followed as for any root."""
        self._budget = min(AT_ONCE, self._rest)
        self._rest -= self._budget
        end = self.of(root)
        self._rest += max(self._budget, 0)
        return end

    def of(self, entry: int) -> tuple[End, bool]:
        if entry not in self._known:
            self._known[entry] = End.BACK | End.OPEN, False  # while it is followed
            if self._budget > 0 and not self._is_long(entry):
                self._known[entry] = self._followed(entry)
        return self._known[entry]

    def _is_long(self, entry: int) -> bool:
        """Whether a function is known to end so far on that it is not followed."""
        start, _ = self._memory.begin(entry)
        following = self._memory.next_start(start)
        return AT_ONCE * 4 < following - start < LAST - start

    def _followed(self, entry: int) -> tuple[End, bool]:
        memory = self._memory
        start, thumb = memory.begin(entry)
        body = follow(memory, entry, lambda target: self._name(target) not in NEVER_RETURN)
        self._budget -= body.length
        blocks = {block.start: block for block in body.blocks}
        whole, own, leads = End.NONE, False, dict[int, list[int]]()
        waiting = [start]
        while waiting:
            place = waiting.pop()
            if place in leads:
                continue
            leads[place] = []
            if place not in blocks:
                whole |= End.OPEN
            elif place != start and (name := self._name(place)):
                whole |= self._named(name)
            else:
                end, on, here = self._block(blocks[place], thumb=thumb)
                whole, own = whole | end, own or here
                leads[place] = blocks[place].leads if on else []
                waiting += leads[place]
        return whole | (End.OPEN if _has_loop(leads) else End.NONE), own

    def _block(self, block: Block, *, thumb: bool) -> tuple[End, bool, bool]:
        """How a run may end in the block, whether it may run on, and whether it stops there."""
        memory, address, whole = self._memory, block.start, End.NONE
        pages = memory.pages
        while address < block.end:
            if pages is not None and (address := pages.turn(address, block.end)) >= block.end:
                break
            way = step(memory, address, thumb=thumb)
            if way is None:
                break
            maybe = address in block.conditional
            if way.kind is Kind.CALL or (way.kind is Kind.TRAP and not maybe):
                end = End.STOP if way.kind is Kind.TRAP else self._called(way.target)
                whole |= (end & ~End.BACK) | (
                    End.OPEN if maybe and end is not End.BACK else End.NONE
                )
                if not maybe and not end & End.BACK:
                    aborts = way.kind is Kind.CALL and self._name(way.target) in ABORTS
                    return whole, False, way.kind is Kind.TRAP or aborts
            elif self._is_open(address, thumb=thumb):
                whole |= End.OPEN
            address += way.size
        return whole | (End.BACK if block.leaves else End.NONE), True, False

    def _is_open(self, address: int, *, thumb: bool) -> bool:
        """Whether the instruction calls by a register, or asks the kernel for something."""
        memory = self._memory
        if thumb:
            kernel = (memory.half(address) or 0) & 0xFF00 == 0xDF00
        elif memory.arm:
            kernel = (memory.word(address) or 0) & 0x0F000000 == 0x0F000000
        else:
            kernel = (memory.word(address) or 0) & 0xFFE0001F == 0xD4000001
        back = 14 if memory.arm else 30  # the register of the way back
        return kernel or use(memory, address, thumb=thumb).calls not in (-1, back)

    def _called(self, target: int) -> End:
        if name := self._name(target):
            return self._named(name)
        stub = self._memory.import_at(target)
        address = stub[0] if stub is not None else target
        label = self._label(address)
        if label in ABORTS or label in NEVER_RETURN or LEAVES.fullmatch(label):
            return self._named(label)
        return self.of(address)[0]

    def _named(self, name: str) -> End:
        """How a function of another file ends, by its name."""
        if name in ABORTS:
            return End.STOP
        if name in NEVER_RETURN or LEAVES.fullmatch(name):
            return End.AWAY
        return End.BACK if RETURNS.fullmatch(name) else End.BACK | End.OPEN

    def _name(self, target: int) -> str:
        """The name of another file's function behind a stub; empty for the file's own."""
        stub = self._memory.import_at(target)
        return stub[1] if stub is not None and not stub[0] else ""

    def _label(self, address: int) -> str:
        return self._names.of(self._memory.begin(address)[0])


def _has_loop(leads: Mapping[int, Sequence[int]]) -> bool:
    """Whether a way comes to a block twice: blocks that nothing leads to are taken out until none
    is left, or those in circles."""
    coming = Counter(target for targets in leads.values() for target in targets)
    free = [place for place in leads if not coming[place]]
    left = len(leads)
    while free:
        left -= 1
        for target in leads[free.pop()]:
            coming[target] -= 1
            if not coming[target]:
                free.append(target)
    return left > 0
