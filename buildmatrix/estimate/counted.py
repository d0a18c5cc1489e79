"""What emulation counted of a cell, in the place of what its layers say. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix.estimate import model
from buildmatrix.estimate.work import total
from buildmatrix.isa.classes import Work as Executed
from buildmatrix.workload import QUAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.documents.estimating import Counted
    from buildmatrix.documents.profiling import Profile
    from buildmatrix.estimate.work import Work

# Each begins in one cycle on a Cortex-A53 or A72, however many lanes it fills.
MULTIPLY_ADDS = (Executed.QUAD, Executed.PAIR, Executed.SCALAR)


def is_of(profile: Profile | None, model_name: str) -> bool:
    """Whether a profile is of one image of just this network."""
    return profile is not None and (profile["model"], profile["batch"]) == (model_name, 1)


def executed(profile: Profile) -> float:
    """The multiply-add instructions of one image."""
    return sum(profile["works"].get(kind.value, 0.0) for kind in MULTIPLY_ADDS)


def counted(asks: Sequence[Work], profile: Profile) -> Counted | None:
    """What a profile says of the arithmetic of layers; None where either has none."""
    expected = sum(total(asks)[part] for part in model.ARITHMETIC) / QUAD
    made = executed(profile)
    if not made or not expected:
        return None
    return {"multiply_add_instructions": made, "times": made / expected}


def scaled(asks: Sequence[Work], times: float) -> tuple[Work, ...]:
    """The layers with that many times the arithmetic."""
    return tuple(
        replace(
            one,
            asks={
                part: amount * (times if part in model.ARITHMETIC else 1)
                for part, amount in one.asks.items()
            },
        )
        for one in asks
    )
