"""Two runs held against each other: better, worse, the same within x %, or not enough data.

Pure: rows in, verdicts out. Only rows measured under the same conditions get a verdict. Blocks are
the samples, because passes of one process are not independent of each other. docs/statistics.md
says why each threshold is what it is, and how often the verdicts err on noise of known kinds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.compare import blocks, judge
from buildmatrix.compare.board import Between, Change, Move, observed
from buildmatrix.compare.comparison import Comparison, Verdict
from buildmatrix.compare.judge import LEAST_CHANGE, Ground
from buildmatrix.compare.pairing import Pair, Side, paired
from buildmatrix.compare.rounds import inflation, moves, without
from buildmatrix.nouns import Status
from buildmatrix.summary import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.compare.blocks import Evidence, Figures, Interval
    from buildmatrix.nouns import Measurement

__all__ = ["Between", "Comparison", "Sentinels", "Verdict", "compare"]

Sentinels = tuple["Sequence[Measurement]", "Sequence[Measurement]"]  # of the base, of the new run
TWO_SIDED = 2.0  # standard deviations of a 95 % interval


def compare(
    base: Sequence[Row],
    new: Sequence[Row],
    *,
    drift: float = 0.0,
    sentinels: Sentinels = ((), ()),
    between: Between | None = None,
    cells: bool = False,
    any_kind: bool = False,
) -> tuple[Comparison, ...]:
    """A verdict for each row of two runs, in the order of the base, then what only `new` has.

    Rows meet where the cell and all conditions that decide a figure are alike; those that meet in
    cell and batch only are 'not alike', with what differs. Better or worse takes significance in
    the whole table (judge.FALSE_DISCOVERIES), by ranks and beside what the board does by itself,
    and a change of at least LEAST_CHANGE, the board's own noise, and `drift`: the largest relative
    drift that was flagged in either run. 'Same' takes an interval that, widened by `drift`, lies
    within judge.WIDEST_SAME.

    `sentinels` are those of both runs: where they ran one program, its level tells the board's.
    `between` is how far a row's level differs from run to run, as kept runs tell it. With `cells`
    two cells of one run are compared: what all their rows share is no board, and a number format
    is the cell's choice.

    Executed instructions that agree within judge.EXACT on each side are a count and no sample:
    they are compared as they are, and one block is enough (at several threads two, for there
    counts may vary). A row that had a figure and is now wrong, failed or out of memory got worse.

    Raises InputError where one side has a row twice, or one is emulated and the other is not;
    with `any_kind` the latter are rows that are not alike, as among nights, where nobody chose the
    base.
    """
    pairs = paired(base, new, formats_may_differ=cells, any_kind=any_kind)
    settled = [judge.untested(pair) for pair in pairs]
    table = [place for place, one in enumerate(settled) if one is None]
    groups: dict[tuple[object, ...], list[int]] = {}
    for place in table:
        groups.setdefault(_board(pairs[place]), []).append(place)
    rows: dict[int, _Tested] = {}
    for places in groups.values():
        alike = [pairs[place] for place in places]
        known = None if cells else _Known(sentinels, between)
        rows |= zip(places, _measured(alike, known, drift), strict=True)
    ranks = blocks.of_table([rows[place].evidence.p for place in table])
    beside = blocks.of_table([rows[place].p for place in table])
    judged = {
        place: rows[place].judged(rank, p, rows=len(table), drift=drift)
        for place, rank, p in zip(table, ranks, beside, strict=True)
    }
    return tuple(one or judged[place] for place, one in enumerate(settled))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the board beside the rows that are compared."""

    sentinels: Sentinels
    between: Between | None


@dataclass(frozen=True, slots=True)
class _Tested:
    """One pair with the evidence on it, before the whole table is reckoned with."""

    pair: Pair
    least: float
    evidence: Evidence
    p: float  # of the change beside the board's own
    uneven: bool  # its two sides spread unlike
    move: Move

    def judged(self, rank: float, beside: float, *, rows: int, drift: float) -> Comparison:
        base, new = _sides(self.pair)
        ground = Ground(
            blocks=(len(base.figures), len(new.figures)),
            rows=rows,
            up=self.evidence.up,
            drift=drift,
            same_program=self.pair.same_program,
            uneven=self.uneven,
            move=self.move,
        )
        figures = replace(
            judge.plain(self.pair),
            interval=self.evidence.interval,
            p=rank,
            p_board=beside,
            common=self.move.share if self.move.level else None,
            least=self.least,
        )
        return judge.tested(figures, ground)


def _board(pair: Pair) -> tuple[object, ...]:
    """What rows must share to tell of one board: the board and both runs."""
    base, new = _sides(pair)
    return base.row.run, new.row.run, new.row.first.device, new.row.emulated


def _sides(pair: Pair) -> tuple[Side, Side]:
    assert pair.base is not None
    assert pair.new is not None
    return pair.base, pair.new


def _measured(pairs: Sequence[Pair], known: _Known | None, drift: float) -> list[_Tested]:
    """The evidence on each pair of one board and two runs."""
    both = [_sides(pair) for pair in pairs]
    runs = [[(side.figures, side.rounds) for side in run] for run in zip(*both, strict=True)]
    of_rounds = [moves(run) for run in runs]
    before, after = (without(own, run) for own, run in zip(of_rounds, runs, strict=True))
    table = list(zip(before, after, strict=True))
    changes, move = _observed(pairs, table, known)
    move = replace(move, rounds=any(of_rounds))
    noise = blocks.noise([*before, *after])
    shifted = [(base, new * math.exp(-move.level)) for base, new in table]
    return [
        _Tested(
            pair,
            least=max(LEAST_CHANGE, noise, drift) + move.widen,
            evidence=replace(evidence, interval=_widened(evidence.interval, move, sides)),
            p=change.p(move),
            uneven=change.uneven,
            move=move,
        )
        for pair, sides, evidence, change in zip(
            pairs, table, blocks.tested(shifted), changes, strict=True
        )
    ]


def _observed(
    pairs: Sequence[Pair], table: Sequence[tuple[Figures, Figures]], known: _Known | None
) -> tuple[list[Change], Move]:
    """The change of each pair, and what the board did: of two cells in one run, nothing."""
    changes, move = observed(
        table,
        same_program=[pair.same_program and known is not None for pair in pairs],
        programs=len({_sides(pair)[1].row.cell for pair in pairs}),
        sentinel=_sentinel(pairs[0], known.sentinels) if known else None,
        between=known.between if known else None,
    )
    return changes, move if known else Move(rows=move.rows, correlation=move.correlation)


def _sentinel(pair: Pair, sentinels: Sentinels) -> tuple[Figures, Figures] | None:
    """The figures of a sentinel that ran the same program in both runs of this pair."""
    sides = []
    for side, candidates in zip(_sides(pair), sentinels, strict=True):
        first = side.row.first
        own = [s for s in candidates if (s.run, s.device) == (first.run, first.device)]
        if not own or own[0].emulated != side.row.emulated:
            return None
        sides.append(Side(Row(Status.OK, tuple(own))))
    base, new = sides
    same = base.row.first.bundle == new.row.first.bundle and base.row.cell == new.row.cell
    usable = len(base.figures) and len(new.figures)
    return (base.figures, new.figures) if same and usable else None


def _widened(
    interval: Interval | None, move: Move, sides: tuple[Figures, Figures]
) -> Interval | None:
    """The interval of the change, with the board's move in it and all that makes it less sure."""
    if interval is None:
        return None
    centre = float(sides[1].mean() / sides[0].mean())
    low, high = ((1 + bound) * math.exp(move.level) for bound in interval)
    if not (move.correlation or move.deviation or move.error):
        return low - 1, high - 1
    more = inflation(move.correlation, min(map(len, sides))) if move.correlation else 1.0
    own = TWO_SIDED * centre * math.hypot(move.deviation, move.error)
    down, up = (
        float(np.hypot(away * math.sqrt(more), own)) for away in (centre - low, high - centre)
    )
    return centre - down - 1, centre + up - 1
