"""The sources of the matrix: what is held, what is out of reach, and a folder to take along."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from buildmatrix.errors import BuildmatrixError, SourceUnavailable
from buildmatrix.graph import identify
from buildmatrix.pipeline.planning import gaps
from buildmatrix.recipe import SourceSpec
from buildmatrix.sources import describe, file_name, way_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.works import Work


def sources_document(
    workshop: Workshop, *, verify: bool = False, mirror: Path | None = None
) -> dict[str, Any]:
    """Every source that the selected cells need.

    `verify` reads all that is held and checks its hash and tree; what is damaged is removed.
    `mirror` is a folder that gets a file of every source that can be had, fetched if it must be:
    `inv build --mirror` builds from it with no network.
    """
    missing = gaps(workshop)
    rows = []
    for work, source, users in _needed(workshop):
        identity = identify(source)
        state, reason = _state(workshop, work, missing)
        if verify and state == "held":
            state, reason = _verified(workshop, source, identity)
        copied = ""
        if mirror is not None and state != "unlocked":
            state, reason, copied = _mirrored(workshop, work, source, mirror)
        rows.append(
            {
                "source": source.name,
                "identity": identity,
                "state": state,
                "reason": reason,
                "alternates": [describe(alternate) for alternate in source.alternates],
                "way_out": way_out(source) if state in ("out of reach", "unlocked") else "",
                "file": copied,
                "cells": users,
            }
        )
    return {"version": 1, "sources": rows}


def _needed(workshop: Workshop) -> Iterator[tuple[Work, SourceSpec, list[str]]]:
    """Source works in the order of the matrix, with the cells that need them."""
    graph = workshop.project.graph
    users: dict[str, set[str]] = {}
    for goal in graph.goals.values():
        for work in graph.below(goal):
            users.setdefault(work.id, set()).add(graph.by_id[goal].cell)
    for work in graph:
        if isinstance(work.subject, SourceSpec):
            yield work, work.subject, sorted(users.get(work.id, ()))


def _state(workshop: Workshop, work: Work, gaps: Any) -> tuple[str, str]:
    assert isinstance(work.subject, SourceSpec)
    if workshop.sources.holds(identify(work.subject)):
        return "held", ""
    if work.blocked:
        return "unlocked", work.blocked
    if work.id in gaps:
        return "out of reach", gaps[work.id]
    return "not fetched", ""


def _verified(workshop: Workshop, source: SourceSpec, identity: str) -> tuple[str, str]:
    try:
        workshop.sources.verify(source, identity)
    except BuildmatrixError as fault:
        return "damaged", f"{fault.brief}; removed, it is fetched again when it is needed"
    return "verified", ""


def _mirrored(
    workshop: Workshop, work: Work, source: SourceSpec, folder: Path
) -> tuple[str, str, str]:
    """(state, reason, name of the file written)."""
    identity = identify(source)
    try:
        if not workshop.sources.holds(identity):
            workshop.sources.fetch(source, identity, base=workshop.project.root, subject=work.id)
    except SourceUnavailable as gap:
        return "out of reach", gap.details or gap.brief, ""
    archive, alternate = workshop.sources.archive(source, identity)
    name = file_name(alternate)
    if not name:
        return "held", "a folder: it goes along with the recipes", ""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.part"
    shutil.copyfile(archive, temporary)
    temporary.replace(folder / name)
    return "held", "", name
