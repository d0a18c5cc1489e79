"""How a run comes to an instruction that may not be there, without asking the processor first.

From where a run begins calls that cannot be avoided are followed, and in each function the blocks
that no path leaves out. A function that is handed to one of the C library's that calls it (a
thread's, atexit's) is called as well. In a file that never asks what the processor has, a function
that is entered for certain counts as a whole: who compiles a function for a processor lets it use
all of that anywhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from buildmatrix.elf import values
from buildmatrix.elf.flow import follow, step
from buildmatrix.elf.leads import Leads
from buildmatrix.elf.marks import Names
from buildmatrix.elf.outlined import is_helper
from buildmatrix.elf.roots import exported, may_be_code, roots

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.flow import Block, Body
    from buildmatrix.elf.memory import Memory
    from buildmatrix.elf.values import Registers

# Instructions that are followed in one file, all functions together.
MOST = 200_000
NEVER_RETURN = frozenset(
    (
        *("abort", "__stack_chk_fail", "__assert_fail", "__libc_fatal", "__fortify_fail"),
        *("__cxa_throw", "__cxa_rethrow", "__cxa_bad_cast", "__cxa_throw_bad_array_new_length"),
        *("__cxa_pure_virtual", "__cxa_end_cleanup", "_Unwind_Resume", "__chk_fail"),
        *("_ZSt9terminatev", "_ZSt17__throw_bad_allocv"),
    )
)
# Functions of the C library, libgomp and libomp that call what they are given: in which argument.
CALLERS = {
    "pthread_create": 2,
    "pthread_once": 1,
    "thrd_create": 1,
    "call_once": 1,
    "atexit": 0,
    "on_exit": 0,
    "__cxa_atexit": 0,
    "GOMP_parallel": 0,
    "__kmpc_fork_call": 2,
}
ARGUMENTS = 4  # that are handed on


class Entry(NamedTuple):
    """A function with Thumb's low bit, and the functions that it is given as arguments."""

    address: int
    given: tuple[tuple[int, int], ...] = ()  # number of the argument, address


@dataclass(frozen=True, slots=True)
class Function:
    """What one function does whichever way it goes."""

    needs: frozenset[str]  # features
    calls: tuple[Entry, ...]


class Walk:
    """The functions of one file, each followed once whichever is asked, `paths` or `exports`.

    `hits` has the sorted addresses of each feature's instructions. `strict` is for a file that
    asks, and for one whose functions may hold data: there a function counts no further than its
    unavoidable blocks.
    """

    def __init__(self, memory: Memory, hits: dict[str, NDArray[np.int64]], *, strict: bool) -> None:
        self._memory, self._hits, self._strict = memory, hits, strict
        self._names = Names(memory.program)
        self._known: dict[Entry, Function] = {}
        self._all = np.sort(np.concatenate([np.zeros(0, np.int64), *hits.values()]))
        self._callees: dict[int, tuple[str, int]] = {}
        self._budget = MOST

    def paths(self) -> dict[str, tuple[str, ...]]:
        """The way to each feature that has one, from what the loader or the C library calls."""
        found: dict[str, tuple[str, ...]] = {}
        waiting: deque[tuple[Entry, tuple[str, ...]]] = deque()
        self._budget = MOST
        waiting.extend((Entry(root.address), (root.label,)) for root in roots(self._memory))
        seen = {entry for entry, _ in waiting}
        while waiting and len(found) < len(self._hits):
            entry, path = waiting.popleft()
            function = self._function(entry)
            if function is None:
                break
            label = self._label(entry.address)
            way = path if path[-1] == label else (*path, label)
            for feature in function.needs:
                found.setdefault(feature, way)
            for called in function.calls:
                if called not in seen:
                    seen.add(called)
                    waiting.append((called, way))
        return found

    def exports(self, features: Collection[str]) -> dict[str, tuple[str, ...]]:
        """The exported functions that come to each of the features whoever calls them, sorted."""
        may_need = self._leading(features)
        starts = {Entry(root.address): root.label for root in exported(self._memory)}
        waiting = deque(entry for entry in starts if may_need(entry))
        seen = set(waiting)
        self._budget = MOST
        while waiting:
            if function := self._function(waiting.popleft()):
                new = [c for c in function.calls if c not in seen and may_need(c)]
                seen.update(new)
                waiting.extend(new)
        needs = self._closure()
        return {
            feature: tuple(sorted({starts[e] for e in starts if feature in needs.get(e, ())}))
            for feature in features
        }

    def _leading(self, features: Collection[str]) -> Callable[[Entry], bool]:
        """Whether a function may lead to any of the features' instructions, or hand on functions.

        Asked of 32-bit code alone: 64-bit code is followed in less time than this is told in.
        """
        places = np.concatenate([np.zeros(0, np.int64), *(self._hits[f] for f in features)])
        if not self._memory.arm:
            return lambda _: True
        leads = Leads(self._memory, CALLERS)
        leading = leads.leading_to({*leads.functions(places.tolist()), leads.outside})
        return lambda entry: leads.number(entry.address) in leading

    def _closure(self) -> dict[Entry, frozenset[str]]:
        """What each function needs with all that it calls."""
        needs = {entry: function.needs for entry, function in self._known.items()}
        callers: dict[Entry, list[Entry]] = {}
        for entry, function in self._known.items():
            for called in function.calls:
                callers.setdefault(called, []).append(entry)
        waiting = deque(entry for entry, own in needs.items() if own)
        while waiting:
            called = waiting.popleft()
            for entry in callers.get(called, ()):
                if not needs[called] <= needs[entry]:
                    needs[entry] |= needs[called]
                    waiting.append(entry)
        return needs

    def _function(self, entry: Entry) -> Function | None:
        """None where so much was followed that it is enough."""
        if entry not in self._known:
            if self._budget <= 0:
                return None
            body = follow(self._memory, entry.address, self._returns)
            self._budget -= sum((b.end - b.start) // 4 + 1 for b in body.blocks)
            whole = not self._strict and not is_helper(self._memory, entry.address)
            thumb = self._memory.arm and bool(entry.address & 1)
            needs = frozenset(
                feature
                for feature, places in (self._hits if self._is_hit(body) else {}).items()
                if _needs(self._memory, body, places, thumb=thumb, whole=whole)
            )
            calls = dict.fromkeys(self._calls(body, entry))
            self._known[entry] = Function(needs, tuple(calls))
        return self._known[entry]

    def _is_hit(self, body: Body) -> bool:
        """Whether the function has any of the instructions, whichever way it goes."""
        spans = np.array([(block.start, block.end) for block in body.blocks], np.int64)
        first, end = np.searchsorted(self._all, spans.T)
        return bool((first < end).any())

    def _calls(self, body: Body, entry: Entry) -> Iterator[Entry]:
        """The functions of this file that are called whichever way the function goes."""
        memory, thumb = self._memory, self._memory.arm and bool(entry.address & 1)
        start = entry.address & ~1 if memory.arm else entry.address
        first = {**dict(entry.given)}
        known = values.entered(memory, body, start, first, thumb=thumb) if self._hand_over else {}
        for block in body.blocks:
            if block.start not in body.unavoidable:
                continue
            before = known.get(block.start, {})
            if block.start != start and memory.import_at(block.start) is not None:
                yield from self._targets(block.start, before)  # a tail call
            elif block.calls:
                for target, registers in values.at_calls(memory, block, before, thumb=thumb):
                    yield from self._targets(target, registers)

    def _targets(self, target: int, registers: Registers) -> Iterator[Entry]:
        """What a call leads to: the function, and one that it is given to call."""
        name, address = self._callee(target)
        given = {n: v for n, v in registers.items() if n < ARGUMENTS and self._is_code(v)}
        if name in CALLERS and CALLERS[name] in given:
            yield Entry(given[CALLERS[name]])
        if address:
            yield Entry(address, tuple(sorted(given.items())))

    def _callee(self, target: int) -> tuple[str, int]:
        """The name of the function that a call leads to, and its address where it is here."""
        if target not in self._callees:
            self._callees[target] = self._behind(target)
        return self._callees[target]

    def _behind(self, target: int) -> tuple[str, int]:
        stub = self._memory.import_at(target)
        if stub is not None and not stub[0]:
            return stub[1], 0
        address = stub[0] if stub is not None else target
        return self._label(address), address

    def _is_code(self, value: int) -> bool:
        return self._memory.section(value) is not None and may_be_code(self._memory, value)

    @cached_property
    def _hand_over(self) -> bool:
        """Whether any function that calls another one is named: else no register is looked at."""
        texts = [table.texts for table in self._memory.program.symbols]
        return any(f"\0{name}\0".encode() in text for name in CALLERS for text in texts)

    def _label(self, address: int) -> str:
        return self._names.of(address & ~1 if self._memory.arm else address)

    def _returns(self, target: int) -> bool:
        return self._callee(target)[0] not in NEVER_RETURN


def _needs(
    memory: Memory, body: Body, addresses: NDArray[np.int64], *, thumb: bool, whole: bool
) -> bool:
    """Whether the function cannot but run one of the instructions; `whole`: has any of them."""
    for block in body.blocks:
        if not (whole or block.start in body.unavoidable):
            continue
        first, end = np.searchsorted(addresses, (block.start, block.end))
        inside = {int(address) for address in addresses[first:end]} - block.conditional
        if inside and not inside.isdisjoint(_instructions(memory, block, thumb=thumb)):
            return True
    return False


def _instructions(memory: Memory, block: Block, *, thumb: bool) -> Iterator[int]:
    """Where each begins: in stripped Thumb a hit may be the halves of two."""
    address = block.start
    while address < block.end:
        yield address
        way = step(memory, address, thumb=thumb)
        address += way.size if way is not None else 2
