"""What is on record in the state folder, read once, and the plan that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix import images
from buildmatrix.graph import identify
from buildmatrix.nouns import Stage
from buildmatrix.plan import OnRecord, cache_keys, plan
from buildmatrix.recipe import SourceSpec
from buildmatrix.records import read_record
from buildmatrix.works import work_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.nouns import Action
    from buildmatrix.pipeline.workshop import Workshop


def plan_all(workshop: Workshop) -> tuple[Action, ...]:
    """Every work of the selected cells with its verb and its reason."""
    return plan(workshop.project.graph, on_record(workshop))


def on_record(workshop: Workshop) -> OnRecord:
    """Everything that the plan asks of the disk, read once so that the plan itself is pure."""
    works = workshop.project.graph
    for toolchain in workshop.project.toolchains.values():
        identity = images.recorded(toolchain, workshop.state)
        if identity is not None:
            workshop.identities.setdefault(toolchain.name, identity)
    entries = workshop.store.latest_of(work.id for work in works)
    took = read_record(workshop.paths.seconds)
    return OnRecord(
        identities={name: i.digest for name, i in workshop.identities.items()},
        stored=workshop.store.stored() | _held_sources(workshop),
        material={
            **{i: entry.material for i, entry in entries.items()},
            **_old_definitions(workshop),
        },
        seconds={name: float(s) for name, s in took.items()},
        unavailable=gaps(workshop),
    )


def gaps(workshop: Workshop) -> dict[str, str]:
    """Source works that could not be had when they were last tried, and why."""
    reasons = read_record(workshop.paths.unavailable)
    return {name: str(reason) for name, reason in reasons.items()}


def _held_sources(workshop: Workshop) -> frozenset[str]:
    """Keys of the source works whose archive is in the download cache."""
    sources = tuple(w for w in workshop.project.graph if isinstance(w.subject, SourceSpec))
    keys = cache_keys(sources, {})
    return frozenset(
        keys[work.id]
        for work in sources
        if isinstance(work.subject, SourceSpec) and workshop.sources.holds(identify(work.subject))
    )


def _old_definitions(workshop: Workshop) -> dict[str, Mapping[str, object]]:
    """Definitions that images were made from, where they are no longer the present ones."""
    definitions: dict[str, Mapping[str, object]] = {}
    for toolchain in workshop.project.toolchains.values():
        record = read_record(workshop.paths.toolchain(toolchain.name))
        if record and record.get("definition") != toolchain.definition_digest:
            definitions[work_id(Stage.IMAGE, toolchain.name)] = dict(record.get("written", {}))
    return definitions
