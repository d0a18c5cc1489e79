"""What is said of one network on one board, and what is refused in words."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from buildmatrix import network
from buildmatrix.errors import InputError, UsageError
from buildmatrix.estimate import board as table
from buildmatrix.estimate import model, validation
from buildmatrix.estimate.validation import Held
from buildmatrix.estimate.work import Part, total, works
from buildmatrix.isa.classes import Work as Executed
from buildmatrix.workload import QUAD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.documents.estimating import (
        CheckRow,
        Counted,
        ErrorFigures,
        Estimate,
        PartRow,
    )
    from buildmatrix.documents.profiling import Profile
    from buildmatrix.estimate.board import Board
    from buildmatrix.estimate.work import Work
    from buildmatrix.network import NetworkSpec
    from buildmatrix.nouns import Cell
    from buildmatrix.workload import Workload

STACK = "ncnn"  # whose times were published
# Each begins in one cycle on these cores, however many lanes it fills.
MULTIPLY_ADDS = (Executed.QUAD, Executed.PAIR, Executed.SCALAR)
SHOWN = 5  # of a network's layers
MOVED = 0.03  # a coefficient that a run moves by less is not told of
DIFFERS = (
    "the published times are of ncnn as it was in 2020 to 2022; this cell's version may be faster"
)
WIDTHS = "the cell's programs are {}-bit; this board's times were published for {}-bit ones"


@dataclass(frozen=True, slots=True)
class Fitted:
    """The coefficients, and every published row's estimate by a fit that had not seen it."""

    coefficients: Mapping[str, float]
    held_out: Mapping[Held, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What an estimate is made with: a fit, how many real runs of one's own are in it, and the fit
    before the last of them where that was just taken in."""

    fitted: Fitted
    own: int = 0
    before: Fitted | None = None
    profile: Profile | None = None  # of the cell, where one is kept


@functools.cache
def shipped() -> Fitted:
    """Of the published rows, as data/fitted.json keeps it."""
    document = json.loads(table.text("fitted.json"))
    made = {Held(name): tuple(times) for name, times in document["held_out"].items()}
    return Fitted(document["coefficients"], made)


def setting(name: str, threads: int) -> model.Setting:
    """A board and the threads on it; 0 are all its cores. Raises UsageError for a board that is not
    known, or threads that it has not."""
    one = table.board(name)
    if not 0 <= threads <= one.cores:
        raise UsageError(
            f"--threads {threads}: {one.summary}: 1 to {one.cores} can be estimated",
            hint=f"--threads {one.cores} is the most, and the default",
        )
    return model.Setting(one, threads or one.cores, own=True)


def check(cell: Cell, work: Workload) -> NetworkSpec:
    """The network of a cell that the model was shown on. Raises InputError for any other."""
    if not isinstance(work, network.NetworkSpec):
        raise InputError(f"{cell.id} measures calls of a library, and only networks are estimated")
    if any("int8" in str(value) for _, value in cell.options):
        raise InputError(f"{cell.id} computes in int8, and only networks of floats are estimated")
    if cell.stack != STACK:
        raise InputError(
            f"{cell.id} is of {cell.stack}, and the times that estimates are fitted to are of ncnn",
            hint=f"add a cell with `stack: {STACK}` to matrix.yaml and estimate that",
        )
    return work


def document(
    cell: Cell, net: NetworkSpec, place: model.Setting, *, bits: int, known: Knowledge
) -> Estimate:
    """All that is said. `bits`: of the cell's programs."""
    counted = _counted(net, known.profile)
    asks = works(net) if counted is None else _scaled(works(net), counted["times"])
    fitted = known.fitted
    values = fitted.coefficients
    parts = model.milliseconds(total(asks), place, values)
    ms = sum(parts.values())
    layers = {
        one.layer: sum(model.milliseconds(total([one]), place, values).values()) for one in asks
    }
    held = _held(place)
    made = fitted.held_out[held]
    rows = table.published()
    errors = validation.figures(rows, made)
    factor = validation.factor(rows, made)
    below, above = _neighbours(ms, place, values)
    return {
        "version": 1,
        "kind": "estimated",
        "cell": cell.id,
        "model": net.name,
        "board": place.board.name,
        "core": place.board.core,
        "threads": place.threads,
        "batch": 1,
        "multiply_adds": network.multiply_adds(net),
        "counted": counted,
        "estimated_ms_per_image": ms if errors.is_within else None,
        "estimated_interval_ms": (ms / factor, ms * factor) if errors.is_within else None,
        "covers": validation.COVERED,
        "held_out": held.value,
        "errors": _figures(errors),
        "slower_than": below,
        "faster_than": above,
        "parts": _largest({part.value: one for part, one in parts.items()}),
        "layers": _largest(layers)[:SHOWN],
        "own_rows": known.own,
        "changed": changes(net, place, known),
        "notes": _notes(bits, place),
        "validation": _validation(held, made),
    }


def _counted(net: NetworkSpec, profile: Profile | None) -> Counted | None:
    """What a profile of the cell says of its arithmetic; None without one of just this network."""
    if profile is None or (profile["model"], profile["batch"]) != (net.name, 1):
        return None
    executed = sum(profile["works"].get(kind.value, 0.0) for kind in MULTIPLY_ADDS)
    asks = total(works(net))
    expected = sum(asks[part] for part in model.ARITHMETIC) / QUAD
    if not executed or not expected:
        return None
    return {"multiply_add_instructions": executed, "times": executed / expected}


def _scaled(asks: Sequence[Work], times: float) -> tuple[Work, ...]:
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


def changes(net: NetworkSpec, place: model.Setting, known: Knowledge) -> list[str]:
    """What the last real run changed: this estimate, then the coefficients, the largest first."""
    if known.before is None:
        return []
    before, after = known.before.coefficients, known.fitted.coefficients
    old, new = (
        sum(model.milliseconds(total(works(net)), place, values).values())
        for values in (before, after)
    )
    moved = {name: value / before.get(name, 1.0) - 1 for name, value in after.items()}
    ordered = sorted(moved, key=lambda name: -abs(moved[name]))
    return [
        f"this estimate: {old:.3g} to {new:.3g} ms",
        *(f"{name}: {moved[name]:+.0%}" for name in ordered if abs(moved[name]) >= MOVED),
    ]


def _notes(bits: int, place: model.Setting) -> list[str]:
    other = [WIDTHS.format(bits, place.board.bits)] if bits != place.board.bits else []
    return [DIFFERS, *other]


def _held(place: model.Setting) -> Held:
    """What the errors that count for a board were not fitted to: where times were published of just
    this placing, a new network is all that is new."""
    known = {(row.board, row.threads) for row in table.published()}
    return Held.NETWORK if (place.board.name, place.threads) in known else Held.BOTH


def _neighbours(
    ms: float, place: model.Setting, values: Mapping[str, float]
) -> tuple[str | None, str | None]:
    """The published networks next below and next above, as estimated for the same board."""
    others = {
        name: sum(model.milliseconds(_parts(asks), place, values).values())
        for name, asks in table.asked().items()
    }
    ordered = sorted(others, key=others.__getitem__)
    below = next((name for name in reversed(ordered) if others[name] < ms), None)
    return below, next((name for name in ordered if others[name] > ms), None)


def _parts(asks: Mapping[str, float]) -> Mapping[Part, float]:
    return {part: asks[part.value] for part in Part}


def _largest(times: Mapping[str, float]) -> list[PartRow]:
    whole = sum(times.values()) or 1.0  # of a network that asks for nothing
    ordered = sorted(times, key=times.__getitem__, reverse=True)
    return [
        {"name": name, "estimated_ms": times[name], "share": times[name] / whole}
        for name in ordered
    ]


def _figures(errors: validation.Figures) -> ErrorFigures:
    return {
        "rows": errors.rows,
        "median_error": errors.median,
        "ninth_decile": errors.ninth,
        "least_rank_correlation": errors.ranks,
    }


def _validation(held: Held, made: Sequence[float]) -> list[CheckRow]:
    return [
        {
            "board": row.board,
            "threads": row.threads,
            "network": row.network,
            "published_ms": row.ms,
            "estimated_ms": ms,
            "error": ms / row.ms - 1,
            "held_out": held.value,
        }
        for row, ms in zip(table.published(), made, strict=True)
    ]


def about(board: Board) -> str:
    """'Raspberry Pi 4B, four Cortex-A72, 1500 MHz'."""
    return f"{board.summary}, {board.mhz} MHz"
