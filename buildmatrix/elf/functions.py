"""What single functions of a file do whichever way they go: what they need, and whom they call.

In each function the blocks that no path leaves out count. A function that is handed to one of the C
library's that calls it (a thread's, atexit's) is called as well. In a file that never asks what the
processor has, a function that is entered for certain counts as a whole: who compiles a function for
a processor lets it use all of that anywhere.
"""

from __future__ import annotations

import bisect
import re
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from buildmatrix.elf import values
from buildmatrix.elf.flow import follow, step
from buildmatrix.elf.hits import needed_as
from buildmatrix.elf.marks import Names
from buildmatrix.elf.outlined import is_helper
from buildmatrix.elf.roots import may_be_code

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
# Functions of the C library, libgcc, libgomp and libomp that call what they are given whatever else
# there is: in which argument.
CALLERS = {
    "pthread_create": 2,
    "pthread_once": 1,
    "thrd_create": 1,
    "call_once": 1,
    "atexit": 0,
    "on_exit": 0,
    "__cxa_atexit": 0,
    "dl_iterate_phdr": 0,
    "_Unwind_Backtrace": 0,
    "qsort": 3,
    "qsort_r": 3,
    "GOMP_parallel": 0,
    "GOMP_parallel_sections": 0,
    "GOMP_task": 0,
    "GOMP_teams_reg": 0,
    "__kmpc_fork_call": 2,
}
COUNTED = {"qsort": 1, "qsort_r": 1}  # with two members or more: the argument that counts them
CALLING = re.compile(rf"\0(?:{'|'.join(CALLERS)})\0".encode())
ARGUMENTS = 4  # that are handed on


class Entry(NamedTuple):
    """A function with Thumb's low bit, and the functions that it is given as arguments."""

    address: int
    given: tuple[tuple[int, int], ...] = ()  # number of the argument, address


@dataclass(slots=True)
class Function:
    """What one function does whichever way it goes."""

    needs: frozenset[str]  # features
    body: Body | None  # until its calls are known
    calls: tuple[Entry, ...] = ()


class Functions:
    """The functions of one file, each followed once.

    `hits` has the sorted addresses of each feature's instructions. `strict` is for a file that
    asks, and for one whose functions may hold data: there a function counts no further than its
    unavoidable blocks.
    """

    def __init__(self, memory: Memory, hits: dict[str, NDArray[np.int64]], *, strict: bool) -> None:
        self._memory, self._hits, self._strict = memory, hits, strict
        self._names = Names(memory.program)
        self._known: dict[Entry, Function] = {}
        self._all = np.sort(np.concatenate([np.zeros(0, np.int64), *hits.values()])).data
        self._callees: dict[int, tuple[str, int]] = {}
        self._budget = MOST

    def begin(self) -> None:
        """Allow as many instructions to be followed as for any one question."""
        self._budget = MOST

    def closure(self, features: Collection[str]) -> dict[Entry, frozenset[str]]:
        """Of the features, what each function needs that needs any, with all that it calls."""
        chosen = frozenset(features)
        needs = {entry: own for entry, f in self._known.items() if (own := f.needs & chosen)}
        if not needs:
            return needs
        callers: dict[Entry, list[Entry]] = {}
        for entry in self._known:
            for called in self.called(entry):
                callers.setdefault(called, []).append(entry)
        waiting = deque(needs)
        while waiting:
            called = waiting.popleft()
            for entry in callers.get(called, ()):
                before = needs.get(entry, frozenset())
                if not needs[called] <= before:
                    needs[entry] = before | needs[called]
                    waiting.append(entry)
        return needs

    def needs(self, entry: Entry) -> frozenset[str] | None:
        """The features that a function needs by itself; None where so much was followed that it is
        enough."""
        if entry not in self._known:
            if self._budget <= 0:
                return None
            body = follow(self._memory, entry.address, self._returns)
            self._budget -= body.length
            whole = not self._strict and not is_helper(self._memory, entry.address)
            _, thumb = self._memory.begin(entry.address)
            needs = frozenset(
                feature
                for feature, places in (self._hits if self._is_hit(body) else {}).items()
                if _needs(self._memory, body, feature, places, thumb=thumb, whole=whole)
            )
            self._known[entry] = Function(needs, body)
        return self._known[entry].needs

    def called(self, entry: Entry) -> tuple[Entry, ...]:
        """What a function that was followed calls."""
        function = self._known[entry]
        if function.body is not None:
            function.calls = tuple(dict.fromkeys(self._calls(function.body, entry)))
            function.body = None
        return function.calls

    def _is_hit(self, body: Body) -> bool:
        """Whether the function has any of the instructions, whichever way it goes."""
        places = self._all
        firsts = ((bisect.bisect_left(places, block.start), block.end) for block in body.blocks)
        return any(first < len(places) and places[first] < end for first, end in firsts)

    def _calls(self, body: Body, entry: Entry) -> Iterator[Entry]:
        """The functions of this file that are called whichever way the function goes."""
        memory = self._memory
        start, thumb = memory.begin(entry.address)
        blocks = [block for block in body.blocks if block.start in body.unavoidable]
        tails = {
            block.start
            for block in blocks
            if block.start != start and memory.import_at(block.start) is not None
        }
        known: Mapping[int, Registers] = {}
        if self.hand_over and (tails or any(block.calls for block in blocks)):
            known = values.entered(memory, body, start, dict(entry.given), thumb=thumb)
        for block in blocks:
            before = known.get(block.start, {})
            if block.start in tails:
                yield from self._targets(block.start, before)
            elif not self.hand_over:
                for target in block.calls:
                    yield from self._targets(target, {})
            elif block.calls:
                calls = values.at_calls(memory, block, before, thumb=thumb)
                for address, target, registers in calls:
                    counted = COUNTED.get(self._callee(target)[0])
                    words = range(block.start, address, 4)
                    if counted is None or values.constant(memory, words, counted) > 1:
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
        return self.label(address), address

    def _is_code(self, value: int) -> bool:
        return self._memory.section(value) is not None and may_be_code(self._memory, value)

    @cached_property
    def hand_over(self) -> bool:
        """Whether any function that calls another one is named: else no register is looked at."""
        return any(table.texts.has(CALLING) for table in self._memory.program.symbols)

    def label(self, address: int) -> str:
        return self._names.of(self._memory.begin(address)[0])

    def _returns(self, target: int) -> bool:
        return self._callee(target)[0] not in NEVER_RETURN


def _needs(
    memory: Memory,
    body: Body,
    feature: str,
    addresses: NDArray[np.int64],
    *,
    thumb: bool,
    whole: bool,
) -> bool:
    """Whether the function cannot but run one of the instructions; `whole`: has any of them.

    In a stripped 32-bit file they may have been read as the other set's.
    """
    for block in body.blocks:
        if not (whole or block.start in body.unavoidable):
            continue
        first, end = np.searchsorted(addresses, (block.start, block.end))
        inside = {int(address) for address in addresses[first:end]} - block.conditional
        for address in _instructions(memory, block, thumb=thumb) if inside else ():
            if address in inside and _is_needed(memory, address, feature, thumb=thumb):
                return True
    return False


def _is_needed(memory: Memory, address: int, feature: str, *, thumb: bool) -> bool:
    if not memory.arm:
        return True
    start, second = memory.halves(address)
    first = start or 0
    word = first << 16 | second if thumb else second << 16 | first
    return needed_as(word, feature, thumb=thumb)


def _instructions(memory: Memory, block: Block, *, thumb: bool) -> Iterator[int]:
    """Where each begins: in stripped Thumb a hit may be the halves of two."""
    address = block.start
    while address < block.end:
        yield address
        way = step(memory, address, thumb=thumb)
        address += way.size if way is not None else 2
