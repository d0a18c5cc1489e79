"""Who makes works at once: threads for containers and downloads, the caller for all else.

What this program does itself (models, bundles, audits) is the caller's, one after the other: more
threads would make none of it faster, and an interrupt finds it where it always did.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from buildmatrix.schedule.core import (
    Added,
    Begin,
    Closed,
    Done,
    Event,
    Failed,
    Schedule,
    Unavailable,
)
from buildmatrix.schedule.forecast import forecast
from buildmatrix.schedule.pace import Pace
from buildmatrix.schedule.task import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from buildmatrix.schedule.task import Budget, Task

GRACE = 15.0  # seconds that threads have to tidy up after an interrupt
Ended = Done | Failed | Unavailable
SPARING = 50  # an outlook is made so many times as seldom as making one takes


class Crew:
    """Makes what is added, as the schedule has it. A context manager: left by an interrupt it
    stops what runs, by an error it lets that end first.

    `make` makes a task and says how it ended; `stop` ends whatever threads wait for;
    `outlook` gets how many works run, how many wait, and about how many seconds are left.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        make: Callable[[Task], Ended],
        stop: Callable[[], None],
        outlook: Callable[[int, int, float], None],
    ) -> None:
        self.schedule = Schedule(budget)
        self.alone: dict[str, float] = {}  # seconds that each work would have taken alone
        self._make, self._stop, self._outlook = make, stop, outlook
        self._changed = threading.Condition()
        self._pace = Pace(budget.cores)
        self._own: deque[Task] = deque()
        self._threads: list[threading.Thread] = []
        self._broken: BaseException | None = None
        self._quiet_until = 0.0

    @property
    def alone_at_work(self) -> bool:
        """One work at a time: the caller makes them all, and there are no threads."""
        return self.schedule.budget.works == 1

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            return
        self.close()
        end = None
        if not issubclass(kind, Exception):
            self._stop()
            end = time.monotonic() + GRACE
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))

    def add(self, tasks: Iterable[Task]) -> None:
        """Have more made; it begins at once, but for what is the caller's."""
        self._tell(Added(tuple(tasks)))

    def close(self) -> None:
        """Begin nothing more."""
        self._tell(Closed())

    def work(self) -> None:
        """Make what is the caller's to make, and wait for all else.

        Raises what `make` raised first; nothing begins after that, and what runs is waited for.
        """
        while (task := self._mine()) is not None:
            self._do(task)
        if self._broken is not None:
            raise self._broken

    def _mine(self) -> Task | None:
        """The caller's next work, waited for; None when everything is over."""
        with self._changed:
            while not self._own and not self.schedule.over:
                self._changed.wait()
            return self._own.popleft() if self._own else None

    def _do(self, task: Task) -> None:
        try:
            ended = self._make(task)
        except Exception as fault:  # noqa: BLE001 - raised by `work`, when the others are over
            self._break(task, fault)
        else:
            self._tell(ended)

    def _do_apart(self, task: Task) -> None:
        """The same in a thread, which an interrupt reaches as an exception of its own."""
        try:
            self._do(task)
        except BaseException as fault:  # noqa: BLE001 - else the caller would wait for ever
            self._break(task, fault)

    def _break(self, task: Task, fault: BaseException) -> None:
        with self._changed:
            self._broken = self._broken or fault
            self._tell(Closed())
            self._tell(Failed(task.id))

    def _tell(self, event: Event) -> None:
        with self._changed:
            now = time.monotonic()
            if isinstance(event, Ended):
                self.alone[event.id] = self._pace.end(event.id, now)
            for decision in self.schedule.tell(event):
                if isinstance(decision, Begin):
                    self._begin(self.schedule.tasks[decision.id], now)
            self._look_ahead(now)
            self._changed.notify_all()

    def _begin(self, task: Task, now: float) -> None:
        self._pace.begin(task, now)
        if self.alone_at_work or task.lane is Lane.OWN:
            self._own.append(task)
            return
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=self._do_apart, args=(task,), name=task.id, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _look_ahead(self, now: float) -> None:
        running = len(self.schedule.running)
        if not running and self.schedule.tasks:
            self._outlook(0, 0, 0.0)
        if not running or now < self._quiet_until:
            return
        left = self.schedule.left
        ahead = forecast(left, self.schedule.budget, self._pace.elapsed(now))
        self._outlook(running, len(left) - running, ahead.seconds)
        self._quiet_until = now + SPARING * (time.monotonic() - now)
