"""How much of its work each running work has behind it, by the rule of the forecast.

Works with many processes share the cores, so a second of one is less than a second of work while
others run. What comes out is what it would have taken alone, and that is what goes on record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.schedule.task import Lane

if TYPE_CHECKING:
    from buildmatrix.schedule.task import Task


def pace(jobs: int, cores: int) -> float:
    """Seconds of work in a second, of each of the works that run so many processes together."""
    return min(1.0, cores / max(1, jobs))


class Pace:
    """Told what begins and ends, it keeps account. Every `now` is in seconds and never falls."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self._shared = 0.0  # seconds of work that each that shares has had
        self._jobs = 0
        self._now = 0.0
        self._began: dict[str, tuple[Task, float]] = {}  # at what time, or at what `_shared`

    def begin(self, task: Task, now: float) -> None:
        self._advance(now)
        shares = task.lane is Lane.COMPILE
        self._began[task.id] = (task, self._shared if shares else now)
        self._jobs += task.jobs if shares else 0

    def end(self, name: str, now: float) -> float:
        """Seconds that a work would have taken alone."""
        self._advance(now)
        task, began = self._began.pop(name)
        if task.lane is not Lane.COMPILE:
            return now - began
        self._jobs -= task.jobs
        return self._shared - began

    def elapsed(self, now: float) -> dict[str, float]:
        """Of all that runs, how much is behind it."""
        self._advance(now)
        return {
            name: (self._shared if task.lane is Lane.COMPILE else now) - began
            for name, (task, began) in self._began.items()
        }

    def _advance(self, now: float) -> None:
        self._shared += (now - self._now) * pace(self._jobs, self.cores)
        self._now = now
