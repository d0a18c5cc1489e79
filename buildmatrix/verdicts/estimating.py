"""Estimates of a project's cells, from what its state folder keeps: profiles and runs of one's own.

Milliseconds for cells of the stack that times were published of, an order for the others; never a
row, and never compared with one. A report has them in a table of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.estimate import calibration, order, shown
from buildmatrix.estimate.order import Candidate
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.pipeline.stored import bundle_digests
from buildmatrix.profile import kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.documents.estimating import Estimate, Estimates, OfCell, Order
    from buildmatrix.documents.profiling import Profile
    from buildmatrix.estimate.model import Setting
    from buildmatrix.network import NetworkSpec
    from buildmatrix.nouns import Cell
    from buildmatrix.pipeline.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Kept:
    """The kept profiles of a project's cells by id: of the present build, and of another one."""

    present: Mapping[str, Profile]
    stale: frozenset[str]


def one(workshop: Workshop, cell: Cell, place: Setting, *, run: str = "") -> Estimate | Order:
    """What is estimated of a cell: milliseconds or an order. `run` is taken into the fit before.

    Raises InputError for a cell that neither can be told of.
    """
    # Milliseconds want this cell's profile, an order that of every other.
    needed = (cell,) if shown.is_timed(cell) else workshop.project.cells
    return _told(workshop, cell, place, _profiles(workshop, needed), run)


def every(workshop: Workshop, place: Setting) -> Estimates:
    """What is estimated of each cell of the project's network, and why nothing is of others."""
    project = workshop.project
    profiles = _profiles(workshop, project.cells)
    model = project.network.name
    return {
        "kind": "estimated",
        "model": model,
        "board": place.board.name,
        "about": shown.about(place.board),
        "threads": place.threads,
        "cells": [
            _of_cell(workshop, cell, place, profiles)
            for cell in project.cells
            if cell.model == model
        ],
    }


def _of_cell(workshop: Workshop, cell: Cell, place: Setting, profiles: Kept) -> OfCell:
    try:
        made = _told(workshop, cell, place, profiles)
    except InputError as refused:
        return {"cell": cell.id, "milliseconds": None, "order": None, "refused": refused.brief}
    if made["kind"] == "estimated":
        return {"cell": cell.id, "milliseconds": made, "order": None, "refused": ""}
    return {"cell": cell.id, "milliseconds": None, "order": made, "refused": ""}


def _told(
    workshop: Workshop, cell: Cell, place: Setting, profiles: Kept, run: str = ""
) -> Estimate | Order:
    net = shown.check(cell, workshop.project.networks[cell.model])
    if shown.is_timed(cell):
        known = _knowledge(workshop, cell, net, place, profiles, run)
        return shown.document(cell, net, place, bits=_bits(workshop, cell), known=known)
    if run:
        raise InputError(
            f"--calibrate {run}: runs of {cell.stack} are not taken into the fit, whose times are "
            "of ncnn"
        )
    asked, others = _candidate(workshop, cell, profiles), _others(workshop, cell, profiles)
    return order.document(asked, others, net.name, place)


def _profiles(workshop: Workshop, cells: Sequence[Cell]) -> Kept:
    """Those of the builds that are stored now; where none is kept, the store is not looked at."""
    read = {cell.id: kept.read(workshop.paths.profile(cell.id)) for cell in cells}
    made = {name: profile for name, profile in read.items() if profile is not None}
    now = bundle_digests(workshop, plan_all(workshop)) if made else {}
    present = {name: one for name, one in made.items() if one["bundle"] == now[name]}
    return Kept(present, frozenset(made.keys() - present.keys()))


def _knowledge(
    workshop: Workshop,
    cell: Cell,
    net: NetworkSpec,
    place: Setting,
    profiles: Kept,
    run: str,
) -> shown.Knowledge:
    """What an estimate is made with; `run`, if any, is taken into what is kept first."""
    rows, fitted = calibration.kept(workshop.paths.estimates)
    before = fitted if run else None
    if run:
        with workshop.results() as results:
            blocks = results.blocks(run)
        new = calibration.own(blocks, net, place, run=run, cell=cell.id)
        rows = calibration.with_row(rows, new)
        fitted = calibration.fitted(rows)
        calibration.keep(workshop.paths.estimates, rows, fitted)
    return shown.Knowledge(
        fitted,
        own=len(rows),
        before=before,
        profile=profiles.present.get(cell.id),
        stale=cell.id in profiles.stale,
    )


def _others(workshop: Workshop, cell: Cell, profiles: Kept) -> Sequence[Candidate]:
    """The cells of the same network that compute in floats."""
    return [
        _candidate(workshop, other, profiles)
        for other in workshop.project.cells
        if other.model == cell.model and other.id != cell.id and not shown.is_int8(other)
    ]


def _candidate(workshop: Workshop, cell: Cell, profiles: Kept) -> Candidate:
    return Candidate(cell, profiles.present.get(cell.id), _machine(workshop, cell))


def _bits(workshop: Workshop, cell: Cell) -> int:
    return 32 if _machine(workshop, cell) == "EM_ARM" else 64


def _machine(workshop: Workshop, cell: Cell) -> str:
    return workshop.project.toolchains[cell.toolchain].spec.target.machine
