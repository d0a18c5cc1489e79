"""The order of cells of one network, where no milliseconds may be told: other stacks than ncnn.

Their times were published for one board and one network, that of the study, and none of the builds
that it measured can be made here: so nothing says how far milliseconds would be off. What emulation
counted is a fact, and orders them. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.estimate.counted import executed, is_of
from buildmatrix.estimate.shown import placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.documents.estimating import Order, Ordered
    from buildmatrix.documents.profiling import Profile
    from buildmatrix.estimate.model import Setting
    from buildmatrix.nouns import Cell

# Held-out times of ncnn that were taken to be proportional to executed instructions were off by
# this much in the middle (tests/bench/estimates.py): cells that are nearer are not told apart.
NEAR = 0.26
REASON = (
    "no milliseconds for {}: times that an estimate can be held against were published for ncnn"
)
UNPROFILED = (
    "no milliseconds, which are told of ncnn alone, and no place among other cells, which is told "
    "from what emulation counts: its present build has no profile"
)
MISSED = (
    "tried: an order by executed instructions, which are not time: of the study's six columns no "
    "build is here, and three of near kin stand in its order at batch 1, and a fourth, of MXNet, "
    "does not"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cell of the same network with the profile that is kept of its present build, if one is."""

    cell: Cell
    profile: Profile | None
    machine: str  # that its programs are for


def document(asked: Candidate, others: Sequence[Candidate], network: str, place: Setting) -> Order:
    """The cells of a network in the order of what they execute for one image, fewest first.

    Cells of other machines and int8 have no place in it. Raises InputError where the cell that is
    asked for was not profiled.
    """
    if asked.profile is None or not is_of(asked.profile, network):
        raise InputError(
            UNPROFILED,
            where=asked.cell.id,
            hint=f"`inv profile {asked.cell.id} --host BOARD`, a virtual board that counts",
        )
    own = asked.profile["instructions"]
    rows = [
        _row(one.cell, one.profile, own)
        for one in (asked, *others)
        if one.profile is not None and is_of(one.profile, network) and one.machine == asked.machine
    ]
    return {
        "version": 1,
        "kind": "estimated order",
        **placed(asked.cell, network, place),
        "cells": sorted(rows, key=lambda row: row["instructions"]),
        "near": NEAR,
        "reason": REASON.format(asked.cell.stack),
        "notes": [MISSED],
    }


def _row(cell: Cell, profile: Profile, own: float) -> Ordered:
    times = profile["instructions"] / own
    apart = max(times, 1 / times) - 1
    return {
        "cell": cell.id,
        "stack": cell.stack,
        "instructions": profile["instructions"],
        "multiply_add_instructions": executed(profile),
        "times": times,
        "told_apart": apart > NEAR,
    }
