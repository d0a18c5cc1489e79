"""What is on record in the state folder, read once, and the plan that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix import images
from buildmatrix.nouns import Stage
from buildmatrix.plan import OnRecord, plan
from buildmatrix.records import read_record

if TYPE_CHECKING:
    from buildmatrix.nouns import Action
    from buildmatrix.pipeline.workshop import Workshop


def plan_all(workshop: Workshop) -> tuple[Action, ...]:
    """Every work of the selected cells with its verb and its reason."""
    return plan(workshop.project.graph, on_record(workshop))


def on_record(workshop: Workshop) -> OnRecord:
    """Everything that the plan asks of the disk, read once so that the plan itself is pure."""
    unavailable = gaps(workshop)
    took = read_record(workshop.paths.seconds)
    if workshop.remote is not None:
        used = {work.toolchain for work in workshop.project.graph if work.stage is Stage.IMAGE}
        toolchains = [workshop.project.toolchains[name] for name in sorted(used)]
        images.borrow_records(toolchains, workshop.state, workshop.remote)
    recorded = images.recorded_all(workshop.project.toolchains.values(), workshop.state)
    for name, identity in recorded.identities.items():
        workshop.identities.setdefault(name, identity)
    graph, store = workshop.project.graph, workshop.store
    entries = store.latest_of(work.id for work in graph)
    former = {
        work.id: recorded.former[work.toolchain]
        for work in graph
        if work.stage is Stage.IMAGE and work.toolchain in recorded.former
    }
    wanted = {str(w.material["identity"]) for w in graph if w.stage is Stage.SOURCE}
    return OnRecord(
        identities={name: i.digest for name, i in workshop.identities.items()},
        stored=store.stored(),
        sources=frozenset(filter(workshop.sources.holds, wanted)),
        material={**{i: entry.material for i, entry in entries.items()}, **former},
        seconds={name: float(s) for name, s in took.items() if isinstance(s, int | float)},
        unavailable=unavailable,
    )


def gaps(workshop: Workshop) -> dict[str, str]:
    """Source works that could not be had when they were last tried, and why."""
    reasons = read_record(workshop.paths.unavailable)
    return {name: str(reason) for name, reason in reasons.items()}
