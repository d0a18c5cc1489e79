"""What a function does whichever way it goes: the blocks that no path through it leaves out.

An instruction is unavoidable where every path from the function's first instruction to its end has
it. A path that ends in a trap, or in a call of a function that never returns, does not count: it is
no start of anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from buildmatrix.isa import branches, uses
from buildmatrix.isa.branches import Kind, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from buildmatrix.elf.decoded import Pages
    from buildmatrix.elf.memory import Memory
    from buildmatrix.isa.uses import Use

LONGEST = 20_000  # instructions of one function that are followed


@dataclass(slots=True)
class Block:
    """Instructions that run one after the other; none where no code begins."""

    start: int
    end: int
    calls: list[int] = field(default_factory=list)
    conditional: set[int] = field(default_factory=set)  # instructions with a condition of their own
    leads: list[int] = field(default_factory=list)  # where it goes on
    leaves: bool = False  # or out of the function
    after: int = 0  # the instruction behind it in memory

    @property
    def length(self) -> int:
        """About how many instructions that is."""
        return (self.end - self.start) // 4 + 1


@dataclass(frozen=True, slots=True)
class Body:
    """A function as far as it could be followed."""

    blocks: tuple[Block, ...]
    unavoidable: frozenset[int]  # starts of blocks

    @property
    def length(self) -> int:
        """About how many instructions that is."""
        return sum(block.length for block in self.blocks)


def step(memory: Memory, address: int, *, thumb: bool) -> Step | None:
    """The way on from the instruction at `address`; None where there is no code."""
    if thumb:
        first, second = memory.halves(address)
        return None if first is None else branches.t32(first, second, address)
    word = memory.word(address)
    if word is None:
        return None
    return branches.a32(word, address) if memory.arm else branches.a64(word, address)


def use(memory: Memory, address: int, *, thumb: bool) -> Use:
    """What the instruction at `address` does with the registers."""
    if thumb:
        first, second = memory.halves(address)
        return uses.t32(first or 0, second)
    return (uses.a32 if memory.arm else uses.a64)(memory.word(address) or 0)


def follow(memory: Memory, entry: int, returns: Callable[[int], bool]) -> Body:
    """The blocks of the function at `entry`, whose low bit is set for Thumb.

    `returns` says whether a call of an address comes back. Jumps out of the function (tail calls)
    are followed as if they were part of it.
    """
    start, thumb = memory.begin(entry)
    starts, blocks, budget = {start}, {}, LONGEST
    waiting = [start]
    while waiting and budget > 0:
        block = _block(memory, waiting.pop(), returns, thumb=thumb, limit=budget)
        blocks[block.start] = block
        budget -= block.length
        for target in block.leads:
            if target not in starts:
                starts.add(target)
                waiting.append(target)
    whole = _split(blocks)
    return Body(tuple(whole.values()), _unavoidable(whole, start))


def _block(
    memory: Memory, start: int, returns: Callable[[int], bool], *, thumb: bool, limit: int
) -> Block:
    """Instructions from `start` to the first that may go elsewhere."""
    if memory.pages is not None and memory.pages.at(start) is not None:
        return _decoded_block(memory, memory.pages, start, returns, limit=limit)
    block, address, skips = Block(start, start), start, 0
    for _ in range(limit):
        if address != start and address in memory.function_starts:
            return block  # the call before it does not come back
        way = step(memory, address, thumb=thumb)
        if way is None:
            break
        conditional = skips > 0 or (memory.arm and not thumb and memory.conditional(address))
        if conditional:
            block.conditional.add(address)
        kind, target, on = way.kind, way.target & ~1 if thumb else way.target, address + way.size
        block.end = on
        if conditional and kind in (Kind.JUMP, Kind.LEAVE, Kind.TRAP):
            kind = {Kind.JUMP: Kind.BRANCH, Kind.LEAVE: Kind.MAY_LEAVE}.get(kind, Kind.NEXT)
        if kind is Kind.CALL and not conditional:
            block.calls.append(way.target)
            if not returns(way.target):
                return block
        if kind in (Kind.JUMP, Kind.BRANCH):
            block.leads = [target, on] if kind is Kind.BRANCH else [target]
            return block
        if kind in (Kind.LEAVE, Kind.MAY_LEAVE):
            block.leaves = True
            block.leads = [on] if kind is Kind.MAY_LEAVE else []
            return block
        if kind is Kind.TRAP:
            return block
        skips = way.skips or max(skips - 1, 0)
        address = on
    block.leaves = True  # unknown from here on
    return block


def _decoded_block(
    memory: Memory, pages: Pages, start: int, returns: Callable[[int], bool], *, limit: int
) -> Block:
    """The same of 64-bit code: only where a run may turn is looked at."""
    block, address = Block(start, start), start
    following = memory.next_start(start)
    bound = min(following, start + 4 * limit)
    while (turn := pages.turn(address, bound)) < bound:
        word = memory.word(turn)
        if word is None:
            break
        way = branches.a64(word, turn)
        address = block.end = turn + way.size
        if way.kind is Kind.CALL:
            block.calls.append(way.target)
            if not returns(way.target):
                return block
        elif way.kind is not Kind.NEXT:
            block.leaves = way.kind is Kind.LEAVE
            if way.kind in (Kind.JUMP, Kind.BRANCH):
                block.leads = [way.target, address] if way.kind is Kind.BRANCH else [way.target]
            return block
    block.end = turn
    block.leaves = turn != following or following == start + 4 * limit
    return block


def _split(blocks: dict[int, Block]) -> dict[int, Block]:
    """Each block ends where another begins."""
    order = sorted(blocks)
    for here, following in pairwise(order):
        block = blocks[here]
        if block.end > following and block.start < following:
            block.end, block.leads, block.leaves = following, [following], False
            block.calls = []
    return {start: blocks[start] for start in order}


def _unavoidable(blocks: dict[int, Block], entry: int) -> frozenset[int]:
    """Blocks on every path to the end: own, and what all ways on have in common."""
    if len(blocks) == 1:
        return frozenset(blocks)
    bits = {start: 1 << number for number, start in enumerate(blocks)}
    everything = (1 << len(blocks)) - 1
    must = dict.fromkeys(blocks, everything)
    changed = True
    while changed:
        changed = False
        for start in sorted(blocks, reverse=True):
            block = blocks[start]
            common = 0 if block.leaves else everything
            for target in block.leads:
                common &= must.get(target, 0)
            now = bits[start] | common
            if now != must[start]:
                must[start], changed = now, True
    if not any(block.leaves for block in blocks.values()):
        return frozenset(_straight(blocks, entry))
    return frozenset(start for start, bit in bits.items() if must[entry] & bit)


def _straight(blocks: dict[int, Block], entry: int) -> Iterable[int]:
    """Without any end in sight: the blocks up to the first that may go two ways."""
    seen: list[int] = []
    while entry in blocks and entry not in seen:
        seen.append(entry)
        if len(blocks[entry].leads) != 1:
            break
        entry = blocks[entry].leads[0]
    return seen
