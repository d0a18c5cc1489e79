"""A build step opened for a person: its container as the build has it, with a shell inside."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.nouns import Stage, Verb
from buildmatrix.pipeline.planning import on_record
from buildmatrix.plan import is_held, plan
from buildmatrix.resolved import ResolvedBuild

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.plan import OnRecord
    from buildmatrix.works import Work

SHELL = ("sh", "-c", 'exec "$(command -v bash || echo sh)"')


@dataclass(frozen=True, slots=True)
class Step:
    """A compile of a cell, with everything before it on record."""

    work: Work
    resolved: ResolvedBuild
    keys: Mapping[str, str]  # of every work of the cell


def step(workshop: Workshop) -> Step:
    """The first selected cell's first compile that is not stored, as after a failure, or its last.

    Raises InputError where something before it is not there.
    """
    known = on_record(workshop)
    actions = plan(workshop.project.graph, known)
    by_id = {action.id: action for action in actions}
    works = workshop.project.graph.by_id
    cell = workshop.project.cells[0].id
    below = {w.id for w in workshop.project.graph.below(workshop.project.graph.goals[cell])}
    compiles = [works[a.id] for a in actions if a.id in below and _compiles(works[a.id])]
    if not compiles:
        raise InputError(f"{cell} has nothing to compile", hint=f"inv plan --only {cell}")
    work = next((one for one in compiles if by_id[one.id].verb is not Verb.SKIP), compiles[-1])
    absent = [n for n in work.needs if not _is_there(workshop, works[n], by_id[n].key, known)]
    if absent:
        raise InputError(
            f"the step {work.id} cannot be opened: not everything before it is there",
            details="\n".join(f"{name}: {by_id[name].reason}" for name in absent),
            hint=f"inv build --only {cell}",
        )
    assert isinstance(work.subject, ResolvedBuild)
    return Step(work, work.subject, {action.id: action.key for action in actions})


def _compiles(work: Work) -> bool:
    return work.stage in (Stage.BUILD, Stage.RUNNER) and isinstance(work.subject, ResolvedBuild)


def _is_there(workshop: Workshop, work: Work, key: str, known: OnRecord) -> bool:
    """Whether a need of a step is held; an image the engine may have lost since."""
    if not key or not is_held(work, key, known):
        return False
    if work.stage is not Stage.IMAGE:
        return True
    return workshop.engine.image_id(workshop.identities[work.toolchain].image) is not None


def words(opened: Step, jobs: int) -> str:
    """What a person should know who stands in the container."""
    limits = opened.resolved.limits
    return (
        f"{opened.work.id}, as the build has it: user {os.geteuid() or 'nobody'}, no network, "
        f"{limits.memory_gib} GiB, {jobs} jobs\n"
        "sh -x /script.sh runs the step. /src, /deps, /recipe are read-only; /work and /out are "
        "written to; nothing is kept."
    )


def enter(workshop: Workshop, tell: Callable[[str], None]) -> int:
    """Open the step with this process's input and output; the shell's exit status."""
    opened = step(workshop)
    engine = workshop.engine
    with workshop.opened(opened.work, opened.keys) as container:
        tell(words(opened, workshop.jobs))
        return engine.attach(replace(container, argv=SHELL))
