"""How long works are expected to take: by what is on record, else a guess that is called one."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.nouns import Basis, Stage
from buildmatrix.resolved import ResolvedBuild

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.works import Work

# Seconds of a work of each kind of which nothing like it is on record. From the works of this
# project's matrix on two busy cores (x86-64, 2026): the middle of each kind, rounded.
GUESSES = {
    Stage.IMAGE: 90.0,
    Stage.SOURCE: 2.0,
    Stage.BUILD: 200.0,
    Stage.RUNNER: 5.0,
    Stage.MODEL: 1.0,
    Stage.AUDIT: 3.0,
    Stage.BUNDLE: 5.0,
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds that a work takes alone, and what that is based on."""

    seconds: float
    basis: Basis


def estimates(works: Iterable[Work], seconds: Mapping[str, float]) -> dict[str, Estimate]:
    """What to expect of each work, by its id. `seconds` are those on record, by id too.

    A work that was never timed is guessed: as the middle of those on record of its recipe and
    kind, else of its kind, else as works of its kind took elsewhere.
    """
    all_works = tuple(works)
    like: dict[tuple[Stage, str], list[float]] = {}
    for work in all_works:
        if work.id in seconds:
            for alike in {(work.stage, _recipe(work)), (work.stage, "")}:
                like.setdefault(alike, []).append(seconds[work.id])
    middle = {alike: statistics.median(times) for alike, times in like.items()}
    return {work.id: _estimate(work, seconds, middle) for work in all_works}


def _estimate(
    work: Work, seconds: Mapping[str, float], middle: Mapping[tuple[Stage, str], float]
) -> Estimate:
    if work.id in seconds:
        return Estimate(seconds[work.id], "record")
    by_kind = middle.get((work.stage, ""), GUESSES[work.stage])
    return Estimate(middle.get((work.stage, _recipe(work)), by_kind), "guess")


def _recipe(work: Work) -> str:
    """The recipe that a work compiles; nothing for one of another kind."""
    return work.subject.recipe.name if isinstance(work.subject, ResolvedBuild) else ""
