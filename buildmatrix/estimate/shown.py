"""What is said of one network on one board, and what is refused in words."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import network
from buildmatrix.errors import InputError, UsageError
from buildmatrix.estimate import board as table
from buildmatrix.estimate import model, validation
from buildmatrix.estimate.counted import counted, is_of, scaled
from buildmatrix.estimate.model import Choice
from buildmatrix.estimate.validation import Held
from buildmatrix.estimate.work import Part, total, works

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.documents.estimating import (
        CheckRow,
        ErrorFigures,
        Estimate,
        PartRow,
        Placed,
    )
    from buildmatrix.documents.profiling import Profile
    from buildmatrix.estimate.board import Board
    from buildmatrix.network import NetworkSpec
    from buildmatrix.nouns import Cell
    from buildmatrix.workload import Workload

STACK = "ncnn"  # whose times were published
KILO = 999.5  # rounds to a thousand
SHOWN = 5  # of a network's layers
MOVED = 0.03  # a coefficient that a run moves by less is not told of
DIFFERS = (
    "the published times are of ncnn as it was in 2020 to 2022; this cell's version may be faster"
)
BEYOND = (
    f"such estimates were off by more than {validation.BOUND:.0%} (median) or "
    f"{validation.TAIL:.0%} (nine of ten), or their order by less than {validation.ORDER}; tried: "
    "costs of eleven kinds of work, factors of cores and boards, chosen without what is held out "
    "(docs/estimate.md)"
)
SLOWER = "32-bit programs take {:.2f} times as long for arithmetic, as fitted over all boards"
STALE = "the kept profile is of another build of this cell, and does not count"
WIDTHS = "the cell's programs are {}-bit; this board's times were published for {}-bit ones"


@dataclass(frozen=True, slots=True)
class Fitted:
    """The coefficients, what was chosen for their fit, and every published row's estimate by a fit
    and a choice that had not seen it."""

    coefficients: Mapping[str, float]
    choice: Choice
    held_out: Mapping[Held, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What an estimate is made with: a fit, how many real runs of one's own are in it, and the fit
    before the last of them where that was just taken in."""

    fitted: Fitted
    own: int = 0
    before: Fitted | None = None
    profile: Profile | None = None  # of the cell's present build, where one is kept
    stale: bool = False  # one is kept, of another build


@functools.cache
def shipped() -> Fitted:
    """Of the published rows, as data/fitted.json keeps it."""
    document = json.loads(table.text("fitted.json"))
    made = {Held(name): tuple(times) for name, times in document["held_out"].items()}
    return Fitted(document["coefficients"], Choice(**document["choice"]), made)


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
    """The network of a cell. Raises InputError for one that is measured otherwise, or in int8."""
    if not isinstance(work, network.NetworkSpec):
        raise InputError(
            "measures calls of a library, and only networks are estimated", where=cell.id
        )
    if is_int8(cell):
        raise InputError(
            "computes in int8, and only networks of floats are estimated", where=cell.id
        )
    return work


def is_int8(cell: Cell) -> bool:
    """Whether a cell computes in int8."""
    return any("int8" in str(value) for _, value in cell.options)


def is_timed(cell: Cell) -> bool:
    """Whether milliseconds may be told of a cell: its stack is one that times were published of."""
    return cell.stack == STACK


def document(
    cell: Cell, net: NetworkSpec, place: model.Setting, *, bits: int, known: Knowledge
) -> Estimate:
    """All that is said. `bits`: of the cell's programs."""
    asks, arithmetic = works(net), None
    if known.profile is not None and is_of(known.profile, net.name):
        arithmetic = counted(asks, known.profile)
    if arithmetic is not None:
        asks = scaled(asks, arithmetic["times"])
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
    timed = errors.is_within
    factor = validation.factor(rows, made)
    below, above = _neighbours(ms, place, values)
    return {
        "version": 1,
        "kind": "estimated",
        **placed(cell, net.name, place),
        "multiply_adds": network.multiply_adds(net),
        "counted": arithmetic,
        "estimated_ms_per_image": ms if timed else None,
        "estimated_interval_ms": (ms / factor, ms * factor) if timed else None,
        "covers": validation.COVERED,
        "held_out": held.value,
        "errors": _figures(errors),
        "slower_than": below,
        "faster_than": above,
        "parts": _largest({part.value: one for part, one in parts.items()}, timed=timed),
        "layers": _largest(layers, timed=timed)[:SHOWN],
        "own_rows": known.own,
        "changed": changes(net, place, known, timed=timed),
        "notes": _notes(bits, place, known, timed=timed),
        "validation": _validation(held, made),
    }


def placed(cell: Cell, model_name: str, place: model.Setting) -> Placed:
    """What both kinds of estimates begin with."""
    return {
        "cell": cell.id,
        "model": model_name,
        "board": place.board.name,
        "core": place.board.core,
        "threads": place.threads,
        "batch": 1,
    }


def changes(
    net: NetworkSpec, place: model.Setting, known: Knowledge, *, timed: bool = True
) -> list[str]:
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
        f"this estimate: {rounded(old)} to {rounded(new)} ms"
        if timed
        else f"this estimate: {new / old - 1:+.0%}",
        *(f"{name}: {moved[name]:+.0%}" for name in ordered if abs(moved[name]) >= MOVED),
    ]


def _notes(bits: int, place: model.Setting, known: Knowledge, *, timed: bool) -> list[str]:
    times = known.fitted.coefficients["32-bit programs"]
    other = [WIDTHS.format(bits, place.board.bits), SLOWER.format(times)]
    return [
        *(() if timed else [BEYOND]),
        DIFFERS,
        *(other if bits != place.board.bits else ()),
        *([STALE] if known.stale else ()),
    ]


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


def _largest(times: Mapping[str, float], *, timed: bool) -> list[PartRow]:
    whole = sum(times.values()) or 1.0  # of a network that asks for nothing
    ordered = sorted(times, key=times.__getitem__, reverse=True)
    return [
        {
            "name": name,
            "estimated_ms": times[name] if timed else None,
            "share": times[name] / whole,
        }
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


def rounded(ms: float) -> str:
    """Milliseconds to three digits, from a thousand on to whole ones."""
    return f"{ms:.3g}" if ms < KILO else f"{ms:.0f}"


def about(board: Board) -> str:
    """'Raspberry Pi 4B, four Cortex-A72, 1500 MHz'."""
    return f"{board.summary}, {board.mhz} MHz"
