"""Perform a plan: many works at once, keep going past a failed cell, make nothing twice."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from buildmatrix.errors import DamageError, NotCachedError
from buildmatrix.nouns import Action, Stage, Verb
from buildmatrix.pipeline.crew import Crew
from buildmatrix.pipeline.locking import hold
from buildmatrix.pipeline.making import Outcome, judged, made
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.plan import USELESS, wanted_by
from buildmatrix.protocols import Note, Outlook
from buildmatrix.records import read_record, write_record
from buildmatrix.schedule.core import Done, Failed, Unavailable
from buildmatrix.schedule.sizing import tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from buildmatrix.pipeline.crew import Ended
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.schedule.task import Task

MENDED = 20  # damaged things that one build gets over


def build_all(
    workshop: Workshop, *, fail_fast: bool = False, frozen: bool = False
) -> tuple[Outcome, ...]:
    """Make what is missing. Returns an outcome for every action, in the plan's order.

    Stored content that turns out to be damaged is forgotten, and the plan is made once more: only
    what it belonged to is made again. With `fail_fast` nothing begins after the first failure, and
    what never began has no outcome. Raises NotCachedError with `frozen` when something would
    have to be made.
    """
    workshop.sweep()
    with _sharing(workshop):
        for _ in range(MENDED):
            try:
                return _build_all(workshop, fail_fast=fail_fast, frozen=frozen)
            except DamageError as damage:
                workshop.reporter.emit(Note("warning", str(damage.brief)))
        return _build_all(workshop, fail_fast=fail_fast, frozen=frozen)


@contextmanager
def _sharing(workshop: Workshop) -> Iterator[None]:
    """What is made goes to the shared store meanwhile; an interrupted build sends nothing more."""
    try:
        yield
    except BaseException:
        if workshop.remote is not None:
            workshop.remote.drop()
        raise
    if workshop.remote is not None:
        if entries := workshop.remote.on_its_way:
            words = f"{entries} entries are on their way to the shared store"
            workshop.reporter.emit(Note("info", words))
        workshop.remote.settle()


def _build_all(workshop: Workshop, *, fail_fast: bool, frozen: bool) -> tuple[Outcome, ...]:
    actions = plan_all(workshop)
    hold(workshop)
    missing = [action for action in actions if action.verb.makes]
    if frozen and missing:
        raise NotCachedError(
            f"{len(missing)} actions are not stored",
            details="\n".join(f"{a.id}: {a.reason}" for a in missing),
            hint="run `inv build` without --frozen",
        )
    build = _Build(workshop, actions, fail_fast=fail_fast)
    try:
        return build.performed()
    finally:  # also of a build that is broken off: what it made is made
        _record(workshop, build.outcomes.copy(), build.crew.alone)


class _Build:
    """One plan as it is performed."""

    def __init__(self, workshop: Workshop, actions: tuple[Action, ...], *, fail_fast: bool) -> None:
        self.workshop, self.fail_fast = workshop, fail_fast
        self.graph = workshop.project.graph
        self.works = self.graph.by_id
        self.goals = frozenset(self.graph.goals.values())
        self.outcomes: dict[str, Outcome] = {}
        self._use(actions)
        self.crew = Crew(
            workshop.machine.budget(), make=self._make, stop=workshop.stop, outlook=self._outlook
        )

    def _use(self, actions: tuple[Action, ...]) -> None:
        self.actions = actions
        self.by_id = {action.id: action for action in actions}
        self.keys = {action.id: action.key for action in actions}

    def performed(self) -> tuple[Outcome, ...]:
        with self.crew as crew:
            images = self._images()
            if images and not crew.alone_at_work:  # sources come while images are made
                crew.add(self._tasks(a for a in self.actions if a.stage is Stage.SOURCE))
            for image in images:
                work = self.works[image.id]
                self._ended(made(self.workshop, work, image, {}, self.workshop.jobs))
            if images:
                self._use(plan_all(self.workshop))  # images are what they are: every key is known
                hold(self.workshop)
            for action in self.actions:
                self._settle(action)
            crew.add(self._tasks(self._in_reach()))
            crew.work()
        return tuple(self._all())

    def _images(self) -> list[Action]:
        """The images that something to be made needs: looked at or made before anything else."""
        wanted = {self.works[a.id].toolchain for a in self.actions if a.verb.makes}
        return [
            action
            for action in self.actions
            if action.stage is Stage.IMAGE and self.works[action.id].toolchain in wanted
        ]

    def _tasks(self, actions: Iterable[Action]) -> tuple[Task, ...]:
        wanted = (action for action in actions if action.verb.makes)
        return tasks(wanted, self.works, self.workshop.machine, self.goals)

    def _settle(self, action: Action) -> None:
        """The outcome of what is not to be made at all."""
        if action.id in self.outcomes or action.id in self.crew.schedule.tasks:
            return
        if action.verb is Verb.SKIP:
            self._ended(judged(self.workshop, Outcome(action, "cached", action.reason)))
        elif action.verb is Verb.BLOCKED:
            reason, root = action.reason, action.blocked_by
            self._ended(Outcome(action, "unavailable", reason, fault=root))

    def _in_reach(self) -> list[Action]:
        """What is to be made and is of use, in spite of what has ended already."""
        ended = self.outcomes.copy()  # threads add to it
        stopped = self._above({name for name, outcome in ended.items() if outcome.stops})
        gone = self._above({n for n, outcome in ended.items() if outcome.state == "unavailable"})
        there = {name for name, outcome in ended.items() if not outcome.stops}
        useful = wanted_by(self.goals - gone, self.graph, there)
        for action in self.actions:
            if action.id not in useful | stopped | ended.keys():
                self._ended(Outcome(action, "cached", USELESS))
        return [a for a in self.actions if a.id in useful - stopped - ended.keys()]

    def _above(self, roots: set[str]) -> set[str]:
        """These works and all that need them."""
        above = set(roots)
        for action in self.actions:  # needs come first
            if not above.isdisjoint(action.needs):
                above.add(action.id)
        return above

    def _make(self, task: Task) -> Ended:
        """Called by several threads; each writes the outcome of its own work alone."""
        work, action = self.works[task.id], self.by_id[task.id]
        outcome = made(self.workshop, work, action, self.keys, task.jobs)
        self._ended(judged(self.workshop, outcome))
        match self.outcomes[task.id].state:
            case "failed":
                return Failed(task.id)
            case "unavailable":
                return Unavailable(task.id)
            case _:
                return Done(task.id)

    def _ended(self, outcome: Outcome) -> None:
        self.outcomes[outcome.action.id] = outcome
        if self.fail_fast and outcome.state == "failed":
            self.crew.close()

    def _all(self) -> Iterable[Outcome]:
        """In the plan's order; of what something stopped that it needs, that."""
        for action in self.actions:
            if action.id in self.crew.schedule.useless:
                self.outcomes[action.id] = Outcome(action, "cached", USELESS)
            elif action.id not in self.outcomes:
                stopped = next((n for n in action.needs if self._is_stopped(n)), None)
                if stopped is None:
                    continue  # it never began
                root = self.outcomes[stopped]
                self.outcomes[action.id] = Outcome(
                    action, root.state, f"needs {stopped}", root.exit_code, root.fault or stopped
                )
            yield self.outcomes[action.id]

    def _is_stopped(self, name: str) -> bool:
        return name in self.outcomes and self.outcomes[name].stops

    def _outlook(self, running: int, waiting: int, seconds: float) -> None:
        self.workshop.reporter.emit(Outlook(running, waiting, seconds))


def _record(
    workshop: Workshop, outcomes: Mapping[str, Outcome], alone: Mapping[str, float]
) -> None:
    """Remember how long things take alone, and what could not be had."""
    took = {
        name: round(seconds, 1)
        for name, seconds in {**workshop.seconds, **alone}.items()
        if name in outcomes and outcomes[name].state == "done"
    }
    path = workshop.paths.seconds
    if took:
        write_record(path, {**read_record(path), **took})
    tried = {n: o for n, o in outcomes.items() if o.action.stage is Stage.SOURCE}
    path = workshop.paths.unavailable
    before = read_record(path)
    after = {name: text for name, text in before.items() if name not in tried}
    for name, outcome in tried.items():
        if outcome.state == "unavailable" and outcome.action.verb is not Verb.BLOCKED:
            after[name] = outcome.brief
    if after != before:
        write_record(path, after)
