"""What stands behind a cell's figures: the bundle that ran, its audit, and how it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix import page
from buildmatrix.conditions import mapping
from buildmatrix.pipeline.stored import measured
from buildmatrix.profile import kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from buildmatrix.documents.profiling import Profile
    from buildmatrix.nouns import Measurement
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.recipe import SourceSpec
    from buildmatrix.summary import Row


def built(workshop: Workshop, rows: Iterable[Row]) -> Iterator[page.Built]:
    """One for each cell of the rows; the audit is that of the very bundle measured."""
    graph = workshop.project.graph
    for cell, row in {row.cell: row for row in rows}.items():
        sources = graph.sources_of(cell)
        work = graph.audit_of(cell) if cell in graph.goals else None
        bundle, audit = measured(workshop.store, cell, row.first.bundle, work)
        yield page.Built(
            cell=cell,
            bundle_bytes=bundle.size if bundle else None,
            files=audit.facts if audit else (),
            findings=audit.findings if audit else (),
            provenance=tuple(_made_of(row.first, sources)),
            profile=_profile(workshop, row),
        )


def _profile(workshop: Workshop, row: Row) -> Profile | None:
    """The kept profile of a row's cell, where it is of the bundle and the model that were
    measured."""
    counted = kept.read(workshop.paths.profile(row.cell))
    if counted is None or counted["model"] != row.first.model:
        return None
    return counted if counted["bundle"] == row.first.bundle else None


def _made_of(block: Measurement, sources: Iterable[SourceSpec]) -> Iterator[tuple[str, str]]:
    """What a result remembers of its build, its bundle, and the trees of the sources."""
    for name, value in mapping(block.environment.get("facts")).items():
        words = " ".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(value, dict):
            words = " ".join(f"{option}={choice}" for option, choice in value.items())
        yield name.replace("_", " "), str(words)
    yield "bundle", block.bundle
    for source in sources:
        yield f"source {source.name}", f"tree {source.tree or 'not known'}"
