"""The sources of the matrix: what is held, what is out of reach, and a folder to take along."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildmatrixError, SourceUnavailable
from buildmatrix.pinned import identify
from buildmatrix.pipeline.planning import gaps
from buildmatrix.pipeline.signing import signature_of
from buildmatrix.recipe import SourceSpec
from buildmatrix.sources import describe, file_name, way_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from buildmatrix.documents.building import SignatureRow, SourceRow, Sources, SourceState
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.sources.signature import Signature
    from buildmatrix.works import Work


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a source stands: a word, why, the file that was written of it, and its signature where
    that was asked for."""

    state: SourceState
    reason: str = ""
    file: str = ""
    signature: Signature | None = None


def standings(workshop: Workshop) -> dict[str, Standing]:
    """Where every source work stands now, by its id. Reads records alone."""
    missing = gaps(workshop)
    return {work.id: _standing(workshop, work, missing) for work, _, _ in _needed(workshop)}


def verify(workshop: Workshop, now: Mapping[str, Standing]) -> dict[str, Standing]:
    """Read all that is held again: hash, tree and signature. What is damaged is removed."""
    return {
        work.id: _verified(workshop, source) if now[work.id].state == "held" else now[work.id]
        for work, source, _ in _needed(workshop)
    }


def copy_archives(
    workshop: Workshop, now: Mapping[str, Standing], folder: Path
) -> dict[str, Standing]:
    """Put a file of every source that can be had into a folder, fetched if it must be.

    `inv build --archives` builds from that folder with no network.
    """
    return {
        work.id: now[work.id]
        if now[work.id].state == "unlocked"
        else _copied(workshop, work, source, folder)
        for work, source, _ in _needed(workshop)
    }


def sources_document(workshop: Workshop, now: Mapping[str, Standing]) -> Sources:
    """Every source that the selected cells need, and where it stands."""
    rows: list[SourceRow] = []
    for work, source, users in _needed(workshop):
        one = now[work.id]
        rows.append(
            {
                "source": source.name,
                "identity": identify(source),
                "state": one.state,
                "reason": one.reason,
                "alternates": [describe(alternate) for alternate in source.alternates],
                "way_out": way_out(source) if one.state in ("out of reach", "unlocked") else "",
                "file": one.file,
                "signature": _signature_row(one.signature),
                "cells": users,
            }
        )
    return {"version": 1, "sources": rows}


def _signature_row(signature: Signature | None) -> SignatureRow | None:
    if signature is None:
        return None
    return {"state": signature.state, "reason": signature.reason, "key": signature.key}


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


def _standing(workshop: Workshop, work: Work, missing: Mapping[str, str]) -> Standing:
    assert isinstance(work.subject, SourceSpec)
    if workshop.sources.holds(identify(work.subject)):
        return Standing("held")
    if work.blocked:
        return Standing("unlocked", work.blocked)
    if work.id in missing:
        return Standing("out of reach", missing[work.id])
    return Standing("not fetched")


def _verified(workshop: Workshop, source: SourceSpec) -> Standing:
    try:
        workshop.sources.verify(source, identify(source))
    except BuildmatrixError as fault:
        reason = f"{fault.brief}; removed, it is fetched again when it is needed"
        return Standing("damaged", reason)
    signature = signature_of(workshop, source)
    return Standing("verified" if signature.state != "bad" else "badly signed", "", "", signature)


def _copied(workshop: Workshop, work: Work, source: SourceSpec, folder: Path) -> Standing:
    identity = identify(source)
    try:
        if not workshop.sources.holds(identity):
            workshop.sources.fetch(source, identity, base=workshop.project.root, subject=work.id)
    except SourceUnavailable as gap:
        return Standing("out of reach", gap.details or gap.brief)
    archive, alternate = workshop.sources.archive(source, identity)
    name = file_name(alternate)
    if not name:
        return Standing("held", "a folder: it goes along with the recipes")
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.part"
    shutil.copyfile(archive, temporary)
    temporary.replace(folder / name)
    return Standing("held", file=name)
