"""The schedule: told what happened, it says which works begin now.

Sources come first, then what can begin in the order of what waits for it, longest chain first, as
long as the budget has room; one that does not fit now leaves its place to the next that does. So
all that can be made is made, whatever fails, but for what only those need that are out of reach.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.schedule.task import Lane, critical_path, tails_by, users_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.schedule.task import Budget, Task

TRIES = 3  # times that a work is begun whose makers are lost


@dataclass(frozen=True, slots=True)
class Added:
    """More is to be made. Needs that were added neither now nor before count as made."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Done:
    id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be made, begun or not: neither can what needs it."""

    id: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """It is out of reach: as failed, and what was to be made only for those above it is not.

    What failed is mended and tried again, and then all below it is of use; this is not.
    """

    id: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Who made it is gone: it is begun again, elsewhere or here, a few times."""

    id: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more is to begin; what was begun goes on."""


Event = Added | Done | Failed | Unavailable | Lost | Closed


@dataclass(frozen=True, slots=True)
class Begin:
    id: str


@dataclass(frozen=True, slots=True)
class Drop:
    """It is never begun, because of `root`, which failed or is out of reach."""

    id: str
    root: str


Decision = Begin | Drop
Claim = tuple[Lane, int, int]  # the lane, cores and MiB that a work takes of the budget


class Schedule:
    """Where everything stands. `tell` is the only way to change it."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.tasks: dict[str, Task] = {}  # all that were added
        self.running: dict[str, Task] = {}  # in the order in which they began
        self.made: set[str] = set()
        self.lacking: dict[str, str] = {}  # what is never made, with the work that failed
        self.useless: set[str] = set()  # of that, what could be made but nobody could use
        self._closed = False
        self._users: dict[str, list[str]] = {}
        self._missing: dict[str, int] = {}  # by task, how many of its needs are not made
        self._rank: dict[str, float] = {}
        self._ready: dict[Claim, list[tuple[float, str]]] = {}  # heaps, longest chain first
        self._tries: Counter[str] = Counter()
        self._cores = self._memory = 0  # claimed now
        self._lanes: Counter[Lane] = Counter()
        self._claims: dict[str, Claim] = {}

    @property
    def over(self) -> bool:
        """Nothing runs, and nothing will begin by itself."""
        return not self.running and (self._closed or not any(self._ready.values()))

    @property
    def left(self) -> tuple[Task, ...]:
        """What has not ended, running or waiting."""
        return tuple(task for name, task in self.tasks.items() if not self._has_ended(name))

    @property
    def critical_path(self) -> tuple[str, ...]:
        """Of what was left at the last addition, the chain of works that takes longest."""
        return critical_path(self._rank, self._users)

    def tell(self, event: Event) -> tuple[Decision, ...]:
        """Take note of an event; what is given up and what begins because of it.

        Raises ValueError for the end of a work that does not run.
        """
        dropped: list[Drop] = []
        match event:
            case Added(tasks):
                dropped = self._add(tasks)
            case Done(id):
                self._free(id)
                self.made.add(id)
                for user in self._users[id]:
                    self._met(user)
            case Failed(id):
                dropped = self._fail(id)
            case Unavailable(id):
                dropped = self._fail(id)
                dropped += self._spare(id)
            case Lost(id):
                dropped = self._lose(id)
            case Closed():
                self._closed = True
        return (*dropped, *self._begin())

    def _add(self, tasks: Iterable[Task]) -> list[Drop]:
        new = [task for task in tasks if task.id not in self.tasks]
        self.tasks.update({task.id: task for task in new})
        self._claims.update({one.id: (one.lane, *self.budget.fitted(one)) for one in new})
        self._users = users_of(self.tasks.values())
        left = self.tasks if len(new) == len(self.tasks) else {one.id: one for one in self.left}
        self._rank = tails_by(left, self._users)
        for claim, ready in self._ready.items():  # what was added may wait for them
            self._ready[claim] = [(-self._rank[name], name) for _, name in ready]
            heapq.heapify(self._ready[claim])
        for task in new:
            needs = [need for need in dict.fromkeys(task.needs) if need in self.tasks]
            self._missing[task.id] = sum(need not in self.made for need in needs)
            if not self._missing[task.id]:
                self._push(task.id)
        return [drop for name in tuple(self.lacking) for drop in self._given_up(name)]

    def _has_ended(self, name: str) -> bool:
        return name in self.made or name in self.lacking

    def _push(self, name: str) -> None:
        heap = self._ready.setdefault(self._claims[name], [])
        heapq.heappush(heap, (-self._rank[name], name))

    def _met(self, user: str) -> None:
        self._missing[user] -= 1
        if not self._missing[user] and not self._has_ended(user):
            self._push(user)

    def _fail(self, name: str) -> list[Drop]:
        if name in self.running:
            self._free(name)
        else:
            self._withdraw(name)
        self.lacking[name] = name
        return self._given_up(name)

    def _withdraw(self, name: str) -> None:
        """It was not begun, and will not be."""
        if not self._missing[name]:
            ready = self._ready[self._claims[name]]
            ready.remove((-self._rank[name], name))
            heapq.heapify(ready)

    def _spare(self, root: str) -> list[Drop]:
        """What was not begun and is of no use, now that all above `root` is given up."""
        spared: list[Drop] = []
        given_up = [name for name, cause in self.lacking.items() if cause == root]
        todo = [need for name in given_up for need in self.tasks[name].needs]
        while todo:
            name = todo.pop()
            if name in self.tasks and name not in self.running and self._is_useless(name):
                self._withdraw(name)
                self.lacking[name] = root
                self.useless.add(name)
                spared.append(Drop(name, root))
                todo += self.tasks[name].needs
        return spared

    def _is_useless(self, name: str) -> bool:
        if self._has_ended(name) or self.tasks[name].goal:
            return False
        return all(user in self.lacking for user in self._users[name])

    def _given_up(self, lacking: str) -> list[Drop]:
        """All above a work that is never made and has not ended yet."""
        dropped: list[Drop] = []
        todo, root = [*self._users[lacking]], self.lacking[lacking]
        while todo:
            name = todo.pop()
            if not self._has_ended(name):
                self.lacking[name] = root
                dropped.append(Drop(name, root))
                todo += self._users[name]
        return dropped

    def _lose(self, name: str) -> list[Drop]:
        self._tries[name] += 1
        if self._tries[name] >= TRIES:
            return self._fail(name)
        self._free(name)
        self._push(name)
        return []

    def _free(self, name: str) -> None:
        if name not in self.running:
            raise ValueError(f"{name} does not run")
        del self.running[name]
        lane, cores, memory = self._claims[name]
        self._cores -= cores
        self._memory -= memory
        self._lanes[lane] -= 1

    def _begin(self) -> list[Begin]:
        begun: list[Begin] = []
        while not self._closed and (claim := self._next()) is not None:
            _, name = heapq.heappop(self._ready[claim])
            lane, cores, memory = claim
            self._cores += cores
            self._memory += memory
            self._lanes[lane] += 1
            self.running[name] = self.tasks[name]
            begun.append(Begin(name))
        return begun

    def _next(self) -> Claim | None:
        """The claim of the first work that may begin; None when there is none."""
        if len(self.running) >= self.budget.works:
            return None
        fitting = [claim for claim, ready in self._ready.items() if ready and self._fits(claim)]
        return min(fitting, key=self._turn) if fitting else None

    def _turn(self, claim: Claim) -> tuple[bool, float, str]:
        """Sources first: what is out of reach is known before anything is compiled for nothing."""
        lane, _, _ = claim
        return (lane is not Lane.FETCH, *self._ready[claim][0])

    def _fits(self, claim: Claim) -> bool:
        lane, cores, memory = claim
        limit = self.budget.lanes.get(lane)
        return (
            (limit is None or self._lanes[lane] < limit)
            and self._cores + cores <= self.budget.cores
            and self._memory + memory <= self.budget.memory_mib
        )
