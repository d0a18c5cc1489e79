"""How long works will take: the schedule played through with the seconds that are expected.

Works that run many processes share the cores: while they run more processes than there are cores,
each is so much slower. All others go at their own pace.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.schedule.core import Added, Begin, Done, Schedule
from buildmatrix.schedule.pace import pace
from buildmatrix.schedule.task import Lane

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.schedule.task import Budget, Task


@dataclass(frozen=True, slots=True)
class Forecast:
    """When everything is over, and when each work begins and ends, in seconds from now."""

    seconds: float
    begins: Mapping[str, float]
    ends: Mapping[str, float]
    critical_path: tuple[str, ...]  # the chain of works that takes longest by itself


def forecast(
    tasks: Iterable[Task], budget: Budget, elapsed: Mapping[str, float] | None = None
) -> Forecast:
    """Play all tasks through. `elapsed` are those that run already, with how much of their seconds
    is behind them; they go on first."""
    return _Play(tuple(tasks), budget, elapsed or {}).to_the_end()


class _Play:
    def __init__(
        self, tasks: tuple[Task, ...], budget: Budget, elapsed: Mapping[str, float]
    ) -> None:
        self.schedule = Schedule(budget)
        self.cores = budget.cores
        self.elapsed = elapsed
        self.now = 0.0
        self.shared = 0.0  # seconds of work that each of those that share has had since the start
        self.jobs = 0  # processes of those that share
        self.sharing: list[tuple[float, str]] = []  # by what `shared` is at their end
        self.alone: list[tuple[float, str]] = []  # by the time of their end
        self.begins: dict[str, float] = {}
        self.ends: dict[str, float] = {}
        if ahead := tuple(task for task in tasks if task.id in elapsed):
            self._take(Added(ahead))
        self._take(Added(tasks))
        self.critical_path = self.schedule.critical_path

    def to_the_end(self) -> Forecast:
        while self.sharing or self.alone:
            first = self.sharing[0][0] - self.shared if self.sharing else float("inf")
            shared_pace = pace(self.jobs, self.cores)
            shared_end = self.now + max(0.0, first) / shared_pace
            alone_end = self.alone[0][0] if self.alone else float("inf")
            now = min(shared_end, alone_end)
            self.shared += (now - self.now) * shared_pace
            self.now = now
            if alone_end <= shared_end:
                _, name = heapq.heappop(self.alone)
            else:
                _, name = heapq.heappop(self.sharing)
                self.jobs -= self.schedule.tasks[name].jobs
            self.ends[name] = self.now
            self._take(Done(name))
        return Forecast(self.now, self.begins, self.ends, self.critical_path)

    def _take(self, event: Added | Done) -> None:
        for decision in self.schedule.tell(event):
            if isinstance(decision, Begin):
                self._start(self.schedule.tasks[decision.id])

    def _start(self, task: Task) -> None:
        left = max(0.0, task.seconds - self.elapsed.get(task.id, 0.0))
        self.begins[task.id] = self.now
        if task.lane is Lane.COMPILE:
            self.jobs += task.jobs
            heapq.heappush(self.sharing, (self.shared + left, task.id))
        else:
            heapq.heappush(self.alone, (self.now + left, task.id))
