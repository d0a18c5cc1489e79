"""Perform a plan in order: keep going past a failed cell, make nothing twice, lose nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from buildmatrix import disk, extras
from buildmatrix.errors import (
    AuditError,
    BuildmatrixError,
    DamageError,
    NotCachedError,
    SourceUnavailable,
)
from buildmatrix.graph import identify
from buildmatrix.nouns import Action, Stage, Verb
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.pipeline.stored import read_audit
from buildmatrix.protocols import Finished, Note, Started
from buildmatrix.recipe import SourceSpec
from buildmatrix.records import read_record, write_record
from buildmatrix.toolchain import Toolchain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.works import Work

MENDED = 20  # damaged things that one build gets over

State = Literal["done", "cached", "failed", "unavailable"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one action ended."""

    action: Action
    state: State
    message: str = ""
    exit_code: int = 0
    fault: str = ""  # id of the action that is the root of it, where it is another
    brief: str = ""  # of the message, where it was out of reach, what stays on record


def build_all(
    workshop: Workshop, *, fail_fast: bool = False, frozen: bool = False
) -> tuple[Outcome, ...]:
    """Make what is missing. Returns an outcome for every action, in order.

    Stored content that turns out to be damaged is forgotten, and the plan is made once more: only
    what it belonged to is made again. Raises NotCachedError with `frozen` when something would
    have to be made.
    """
    workshop.sweep()
    for _ in range(MENDED):
        try:
            return _build_all(workshop, fail_fast=fail_fast, frozen=frozen)
        except DamageError as damage:
            workshop.reporter.emit(Note("warning", str(damage.brief)))
    return _build_all(workshop, fail_fast=fail_fast, frozen=frozen)


def _build_all(workshop: Workshop, *, fail_fast: bool, frozen: bool) -> tuple[Outcome, ...]:
    actions = plan_all(workshop)
    missing = [a for a in actions if a.verb in (Verb.RUN, Verb.RERUN)]
    if frozen and missing:
        raise NotCachedError(
            f"{len(missing)} actions are not stored",
            details="\n".join(f"{a.id}: {a.reason}" for a in missing),
            hint="run `inv build` without --frozen",
        )
    works = workshop.project.graph.by_id
    outcomes = _images(workshop, works, actions)
    if outcomes:
        actions = plan_all(workshop)  # the images are what they are now: every key is known
    keys = {action.id: action.key for action in actions}
    for action in actions:
        if action.id not in outcomes:
            outcomes[action.id] = _perform(workshop, works[action.id], action, keys, outcomes)
        if fail_fast and outcomes[action.id].state == "failed":
            break
    _record(workshop, outcomes)
    return tuple(outcomes.values())


def _images(
    workshop: Workshop, works: Mapping[str, Work], actions: tuple[Action, ...]
) -> dict[str, Outcome]:
    """The images that something to be made needs, looked at or made before anything else."""
    wanted = {works[a.id].toolchain for a in actions if a.verb in (Verb.RUN, Verb.RERUN)}
    return {
        a.id: _make(workshop, works[a.id], a, {})
        for a in actions
        if a.stage is Stage.IMAGE and works[a.id].toolchain in wanted
    }


def _perform(
    workshop: Workshop,
    work: Work,
    action: Action,
    keys: Mapping[str, str],
    outcomes: Mapping[str, Outcome],
) -> Outcome:
    if action.verb is Verb.SKIP:
        return _judged(workshop, Outcome(action, "cached", action.reason))
    if action.verb is Verb.BLOCKED:
        return Outcome(action, "unavailable", action.reason, fault=action.blocked_by)
    stopped = next(
        (o for n in work.needs if (o := outcomes[n]).state in ("failed", "unavailable")), None
    )
    if stopped is not None:
        words, root = f"needs {stopped.action.id}", stopped.fault or stopped.action.id
        return Outcome(action, stopped.state, words, stopped.exit_code, fault=root)
    return _judged(workshop, _make(workshop, work, action, keys))


def _make(workshop: Workshop, work: Work, action: Action, keys: Mapping[str, str]) -> Outcome:
    """Under a lock, and looked up again there: another process may have made it meanwhile."""
    started = time.monotonic()
    # An image's key is known only once it is made, so its lock goes by name.
    lock = f"{work.stage}-{work.name}" if work.stage is Stage.IMAGE else action.key
    with workshop.store.lock(lock):
        if _made_meanwhile(workshop, work, action.key):
            return Outcome(action, "cached", "made by another process meanwhile")
        workshop.reporter.emit(Started(work.id, action.reason))
        try:
            outcome = Outcome(action, "done", workshop.make(work, keys))
        except SourceUnavailable as gap:
            outcome = Outcome(action, "unavailable", str(gap), brief=gap.brief)
        except DamageError as damage:
            seconds = time.monotonic() - started
            workshop.reporter.emit(Finished(work.id, "failed", seconds, damage.brief))
            raise
        except OSError as failure:
            error = disk.explained(failure)
            outcome = Outcome(action, "failed", str(error), error.exit_code)
        except ModuleNotFoundError as absent:  # not remembered: installing it is no other key
            error = extras.explained(absent)
            outcome = Outcome(action, "failed", str(error), error.exit_code)
        except BuildmatrixError as failure:
            outcome = Outcome(action, "failed", str(failure), failure.exit_code)
            if action.key:
                workshop.store.remember_failure(action.key, str(failure))
    seconds = time.monotonic() - started
    if outcome.state == "done":
        workshop.seconds[work.id] = round(seconds, 1)
    workshop.reporter.emit(Finished(work.id, outcome.state, seconds, outcome.message))
    return outcome


def _made_meanwhile(workshop: Workshop, work: Work, key: str) -> bool:
    match work.subject:
        case Toolchain():
            return False  # `images.ensure` looks for itself
        case SourceSpec():
            return workshop.sources.holds(identify(work.subject))
        case _:
            return workshop.store.entry(key) is not None


def _judged(workshop: Workshop, outcome: Outcome) -> Outcome:
    """An audit that was made is not yet one that lets a bundle pass."""
    if outcome.action.stage is not Stage.AUDIT or outcome.state not in ("done", "cached"):
        return outcome
    blocking = read_audit(workshop.store, outcome.action.key).blocking
    if not blocking:
        return outcome
    words = "\n".join(f"  {finding}" for finding in blocking)
    message = f"{len(blocking)} audit findings\n{words}"
    return Outcome(outcome.action, "failed", message, AuditError.exit_code)


def _record(workshop: Workshop, outcomes: Mapping[str, Outcome]) -> None:
    """Remember how long things took, and what could not be had."""
    path = workshop.paths.seconds
    if workshop.seconds:
        write_record(path, {**read_record(path), **workshop.seconds})
    tried = {n: o for n, o in outcomes.items() if o.action.stage is Stage.SOURCE}
    path = workshop.paths.unavailable
    before = read_record(path)
    after = {name: text for name, text in before.items() if name not in tried}
    for name, outcome in tried.items():
        if outcome.state == "unavailable" and outcome.action.verb is not Verb.BLOCKED:
            after[name] = outcome.brief
    if after != before:
        write_record(path, after)
