"""How a run comes to an instruction that may not be there, without asking the processor first.

From where a run begins calls that cannot be avoided are followed; who may begin one otherwise, the
exported functions, is asked from the instructions backwards.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import distinct
from buildmatrix.elf.callers import Callers
from buildmatrix.elf.functions import CALLERS, Entry, Functions
from buildmatrix.elf.roots import exported, exports, may_be_code, roots

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory


class Walk:
    """The functions of one file, each followed once whichever is asked, `paths` or `exports`.

    `hits` has the sorted addresses of each feature's instructions. `strict` is for a file that
    asks, and for one whose functions may hold data: there a function counts no further than its
    unavoidable blocks.
    """

    def __init__(self, memory: Memory, hits: dict[str, NDArray[np.int64]], *, strict: bool) -> None:
        self._memory, self._hits = memory, hits
        self._functions = Functions(memory, hits, strict=strict)

    def paths(self) -> dict[str, tuple[str, ...]]:
        """The way to each feature that has one, from what the loader or the C library calls."""
        found: dict[str, tuple[str, ...]] = {}
        waiting: deque[tuple[Entry, tuple[str, ...]]] = deque()
        self._functions.begin()
        waiting.extend((Entry(root.address), (root.label,)) for root in roots(self._memory))
        seen = {entry for entry, _ in waiting}
        while waiting and len(found) < len(self._hits):
            entry, path = waiting.popleft()
            needs = self._functions.needs(entry)
            if needs is None:
                break
            label = self._functions.label(entry.address)
            way = path if path[-1] == label else (*path, label)
            for feature in needs:
                found.setdefault(feature, way)
            for called in self._functions.called(entry):
                if called not in seen:
                    seen.add(called)
                    waiting.append((called, way))
        return found

    def exports(self, features: Collection[str]) -> dict[str, tuple[str, ...]]:
        """The exported functions that come to each of the features whoever calls them, sorted."""
        callers = Callers(self._memory, CALLERS, self._entries())
        self._functions.begin()
        needs = self._from_the_instructions(features, callers)
        if not needs:
            return dict.fromkeys(features, ())
        starts = {Entry(root.address): root.label for root in exported(self._memory)}
        if self._functions.hand_over:
            self._from_the_exports([*starts], callers, needs)
            needs = self._functions.closure(features)
        return {
            feature: tuple(sorted({starts[e] for e in starts if feature in needs.get(e, ())}))
            for feature in features
        }

    def _entries(self) -> NDArray[np.int64]:
        """Where others may enter, exports and all that may be handed on, with Thumb's low bit."""
        memory, handed = self._memory, np.zeros(0, np.int64)
        if self._functions.hand_over and memory.arm:
            handed = np.array([a for a in memory.taken if may_be_code(memory, a)], np.int64)
        elif self._functions.hand_over:
            stored = distinct(memory.relocations[:, 3]).tolist()
            handed = np.array([a for a in stored if memory.section(a)], np.int64)
            handed = np.concatenate([handed, memory.starts])
        return np.concatenate([exports(memory), handed])

    def _from_the_instructions(
        self, features: Collection[str], callers: Callers
    ) -> dict[Entry, frozenset[str]]:
        """What functions need with all that they call, those that need any of the features.

        Only what may run into such an instruction is followed, and then what calls one that does,
        and so on. What a function may be given to call is looked at, and not who gives it.
        """
        needs: dict[Entry, frozenset[str]] = {}
        waiting = frozenset[int]().union(*(callers.parts(self._hits[f]) for f in features))
        looked: set[int] = set()
        while waiting:
            new = callers.running(waiting) - looked
            looked |= new
            for address in callers.entered(new):
                self._functions.needs(Entry(address))
            before, needs = needs, self._functions.closure(features)
            waiting = callers.calling(entry.address for entry in needs.keys() - before)
        return needs

    def _from_the_exports(
        self, starts: Collection[Entry], callers: Callers, needs: Collection[Entry]
    ) -> None:
        """Follow what may lead to the functions that need something, or hands functions on."""
        numbers = {callers.number(entry.address) for entry in needs}
        leading = callers.leading({*numbers, callers.outside})
        waiting = deque(entry for entry in starts if callers.number(entry.address) in leading)
        seen = set(waiting)
        while waiting:
            if self._functions.needs(entry := waiting.popleft()) is not None:
                new = [c for c in self._functions.called(entry) if c not in seen]
                new = [c for c in new if callers.number(c.address) in leading]
                seen.update(new)
                waiting.extend(new)
