"""One work made: under its lock, reported, timed, and every failure an outcome."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from buildmatrix import disk, extras
from buildmatrix.errors import AuditError, BuildmatrixError, DamageError, SourceUnavailable
from buildmatrix.nouns import Action, Stage
from buildmatrix.pinned import identify
from buildmatrix.pipeline.stored import read_audit
from buildmatrix.protocols import Finished, Started
from buildmatrix.recipe import SourceSpec
from buildmatrix.toolchain import Toolchain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.works import Work

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
    hint: str = ""  # of a failure, what to do next

    @property
    def stops(self) -> bool:
        """What needs it cannot be made."""
        return self.state in ("failed", "unavailable")

    @property
    def in_short(self) -> str:
        """The message; of a failure that printed a log what is wrong and what to do next."""
        if self.state != "failed" or not self.brief:
            return self.message
        return f"{self.brief}\nnext: {self.hint}" if self.hint else self.brief


def made(
    workshop: Workshop, work: Work, action: Action, keys: Mapping[str, str], jobs: int
) -> Outcome:
    """Make a work under a lock, looked up again there: another process may have made it meanwhile.

    Raises DamageError when something stored that it needs is not what was written.
    """
    started = time.monotonic()
    # An image's key is known only once it is made, so its lock goes by name.
    lock = f"{work.stage}-{work.name}" if work.stage is Stage.IMAGE else action.key
    with workshop.store.lock(lock):
        if _made_meanwhile(workshop, work, action.key):
            return Outcome(action, "cached", "made by another process meanwhile")
        workshop.reporter.emit(Started(work.id, action.reason))
        try:
            outcome = Outcome(action, "done", workshop.make(work, keys, jobs))
        except SourceUnavailable as gap:
            outcome = Outcome(action, "unavailable", str(gap), brief=gap.brief)
        except DamageError as damage:
            seconds = time.monotonic() - started
            workshop.reporter.emit(Finished(work.id, "failed", seconds, damage.brief))
            raise
        except OSError as failure:
            error = disk.explained(failure, [workshop.paths.root.absolute()])
            outcome = Outcome(action, "failed", str(error), error.exit_code)
        except ModuleNotFoundError as absent:  # not remembered: installing it is no other key
            error = extras.explained(absent)
            outcome = Outcome(action, "failed", str(error), error.exit_code)
        except BuildmatrixError as failure:
            outcome = Outcome(
                *(action, "failed", str(failure), failure.exit_code),
                brief=failure.brief,
                hint=failure.hint,
            )
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


def judged(workshop: Workshop, outcome: Outcome) -> Outcome:
    """An audit that was made is not yet one that lets a bundle pass."""
    if outcome.action.stage is not Stage.AUDIT or outcome.state not in ("done", "cached"):
        return outcome
    blocking = read_audit(workshop.store, outcome.action.key).blocking
    if not blocking:
        return outcome
    words = "\n".join(f"  {finding}" for finding in blocking)
    found = "1 audit finding" if len(blocking) == 1 else f"{len(blocking)} audit findings"
    message = f"{found}\n{words}"
    return Outcome(outcome.action, "failed", message, AuditError.exit_code)
