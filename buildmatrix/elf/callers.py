"""Who may come to an instruction, asked from the instruction backwards.

The code is cut into parts where functions begin and at whatever a call names. What jumps to a part,
or may run on into it, runs it as a part of itself; a call is another function's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf import literals
from buildmatrix.elf.addresses import distinct
from buildmatrix.elf.branches import OUTSIDE, branches_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from numpy.typing import NDArray

    from buildmatrix.elf.branches import Ways
    from buildmatrix.elf.memory import Memory

    Addresses = NDArray[np.int64]
    Mask = NDArray[np.bool_]

SMALLEST = 8  # bytes of code in which one instruction stands before another


class Callers:
    """The parts of a file's code by number, in order; the last one, `outside`, stands for the other
    files' functions that are `named`."""

    def __init__(self, memory: Memory, named: Collection[str], entries: Addresses) -> None:
        """`entries` are addresses at which others enter, with Thumb's low bit."""
        self._memory = memory
        self._low = ~1 if memory.arm else -1
        branches = branches_of(memory, named)
        targets = np.concatenate([branches.calls.targets, entries])
        order = np.argsort(targets, kind="stable")
        self._targets = targets[order]
        begun = self._targets[self._targets < OUTSIDE] & self._low
        self._parts = distinct(np.concatenate([[0, OUTSIDE], memory.starts, begun]))
        self.outside = len(self._parts) - 1
        sources = self._numbers(branches.calls.sources)
        self._sources = np.append(sources, np.full(len(entries), self.outside))[order]
        self._jumps = self._ordered(branches.jumps)

    def number(self, address: int) -> int:
        """The number of the part that holds an address."""
        return int(self._parts.searchsorted(address & self._low, "right")) - 1

    def parts(self, addresses: Addresses) -> frozenset[int]:
        """The numbers of the parts that hold the addresses."""
        return frozenset(self._numbers(addresses).tolist())

    def running(self, parts: Iterable[int]) -> frozenset[int]:
        """Those, and every part from which jumps alone may come to one of them."""
        sources, targets = self._jumps
        return _closed(parts, lambda number: _between(sources, targets, number, number + 1))

    def leading(self, parts: Iterable[int]) -> frozenset[int]:
        """Those, and every part from which jumps and calls may come to one of them."""
        sources, targets = self._jumps
        return _closed(
            parts,
            lambda number: (
                _between(sources, targets, number, number + 1)
                | _between(self._sources, self._targets, *self._bounds(number))
            ),
        )

    def _bounds(self, number: int) -> tuple[int, int]:
        """Between which addresses a part is entered: its first, with Thumb's low bit or without."""
        start = int(self._parts[number])
        return start, start + 2

    def calling(self, addresses: Iterable[int]) -> frozenset[int]:
        """The parts that call one of the addresses, which have Thumb's low bit."""
        called = (_between(self._sources, self._targets, a, a + 1) for a in addresses)
        return frozenset[int]().union(*called)

    def entered(self, parts: Iterable[int]) -> frozenset[int]:
        """The addresses at which calls enter the parts, with Thumb's low bit."""
        entries = (_between(self._targets, self._targets, *self._bounds(n)) for n in parts)
        return frozenset[int]().union(*entries) - {OUTSIDE}

    def _numbers(self, addresses: Addresses) -> Addresses:
        return self._parts.searchsorted(addresses & self._low, "right") - 1

    def _ordered(self, jumps: Ways) -> tuple[Addresses, Addresses]:
        """Numbers of parts that run on in another, and of that one; sorted by the latter."""
        on = self._run_on()
        sources = np.concatenate([self._numbers(jumps.sources), on - 1])
        targets = np.concatenate([self._numbers(jumps.targets), on])
        chosen = (sources != targets) & (targets >= 0)
        both = distinct(targets[chosen] * len(self._parts) + sources[chosen])
        return both % len(self._parts), both // len(self._parts)

    def _run_on(self) -> Addresses:
        """The parts that the one before may run on into: no function is known to begin there, and
        no return, jump or literal stands before it."""
        parts = [np.zeros(0, np.int64)]
        for section in self._memory.code:
            first, end = self._parts.searchsorted(
                (section.address + 1, section.address + section.size)
            )
            begins = self._parts[first:end]
            unknown = ~_among(begins, self._memory.starts)
            offsets = begins[unknown] - section.address
            content = self._memory.image.content(section)
            if section.size < SMALLEST:
                over = np.zeros(len(offsets), np.bool_)
            elif self._memory.arm:
                thumb, plain = (_among(begins[unknown] + bit, self._targets) for bit in (1, 0))
                over = ~plain | _over_arm(content, offsets)
                over &= ~thumb | _over_thumb(content, offsets)
            else:
                over = _over64(content, offsets)
            parts.append((first + np.flatnonzero(unknown))[~over])
        return np.concatenate(parts)


def _between(values: Addresses, by: Addresses, low: int, high: int) -> frozenset[int]:
    """Of the values, ordered `by` something, those from `low` to before `high`."""
    first, end = by.searchsorted((low, high))
    return frozenset(values[first:end].tolist())


def _closed(parts: Iterable[int], before: Callable[[int], frozenset[int]]) -> frozenset[int]:
    """The parts with all that come before one of them."""
    seen = set(parts)
    waiting = [*seen]
    while waiting:
        new = before(waiting.pop()) - seen
        seen |= new
        waiting += new
    return frozenset(seen)


def _among(numbers: Addresses, ordered: Addresses) -> Mask:
    """Which of the numbers are among others, which are in order."""
    if not len(ordered):
        return np.zeros(len(numbers), np.bool_)
    place = np.minimum(ordered.searchsorted(numbers), len(ordered) - 1)
    same: Mask = ordered[place] == numbers
    return same


def _over_thumb(content: memoryview, offsets: Addresses) -> Mask:
    """Before which offsets a run of Thumb cannot come to the next instruction."""
    halves = np.frombuffer(content[: len(content) & ~1], "<u2")
    places = offsets >> 1
    padded = halves[places - 1] == 0xBF00  # nop
    last, before = (halves[places - padded - number] for number in (1, 2))
    over: Mask = (last == 0x4770) | (last & 0xFF00 == 0xBD00) | (last & 0xF800 == 0xE000)
    over |= (before == 0xE8BD) & (last >= 0x8000)  # pop with pc
    over |= (before & 0xF800 == 0xF000) & (last & 0xD000 == 0x9000)  # b.w
    return over | _among(offsets - 4, literals.of_thumb(halves, 0))


def _over_arm(content: memoryview, offsets: Addresses) -> Mask:
    """The same of ARM's own set."""
    words = np.frombuffer(content[: len(content) & ~3], "<u4")
    last = words[((offsets >> 2) - 1).clip(max=len(words) - 1)]
    over: Mask = (last == 0xE12FFF1E) | (last & 0xFFFF8000 == 0xE8BD8000) | (last >> 24 == 0xEA)
    over |= last == 0xE49DF004  # pop of pc alone
    return over | _among(offsets - 4, literals.of_arm(words, 0))


def _over64(content: memoryview, offsets: Addresses) -> Mask:
    """The same of A64, where a return, a jump or a trap stands before them."""
    words = np.frombuffer(content[: len(content) & ~3], "<u4")
    last = words[(offsets >> 2) - 1]
    over: Mask = (last & 0xFFFFFC1F == 0xD65F0000) | (last & 0xFFFFFC1F == 0xD61F0000)
    over |= (last & 0xFC000000 == 0x14000000) | (last >> 16 == 0)
    return over
