"""What the board did between two runs, told from rows that are no reason for it.

The model (docs/statistics.md): the logarithm of a figure is the level of its row, a level of the
run that all rows share, a level that the row takes in that run alone, what all rows share in that
round, and noise, in which neighbours may be alike. `rounds` has what happens within a run; here
are the levels of two runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from buildmatrix.compare.rounds import FEW_ROWS, TRIMS, centres, correlation, inflation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from buildmatrix.compare.blocks import Figures

    Floats = NDArray[np.float64]
    Centres = tuple[Floats, Floats, int]  # see `rounds.centres`

SURE = 3.0  # standard errors from which the board is believed to have moved
MEDIAN_ERROR = 1.2533  # standard error of a median over that of a mean, for normal noise
MAD_ERROR = 1.16  # standard error of a median absolute deviation, times the root of the rows
MAD_FREEDOM = 0.37  # its efficiency: a spread told by it has that share of the degrees of freedom
BY_CHANCE = 2.33  # such standard errors from which rows differ by more than their blocks tell
MOST_ALIKE = 0.75  # share of the rows from which their move is everybody's
NEAR = 0.05  # no board moves a row by so much more than another, or unseen by its own counters
UNEVEN = 0.001  # chance from which the two sides of a row are believed to spread unlike
FEW_PROGRAMS = 3  # of fewer, what moved everybody may as well be the program
FEW_CONTROLS = 3  # programs that did not change: from here on they alone tell the board's move


@dataclass(frozen=True, slots=True)
class Between:
    """How far a program's level differs from run to run, beside the whole board's.

    A relative standard deviation, learned from kept runs, and its degrees of freedom.
    """

    deviation: float
    freedom: float


@dataclass(frozen=True, slots=True)
class Change:
    """The change of a row, as a logarithm, by Yuen's and by Welch's way: one value for each."""

    change: tuple[float, ...]
    variance: tuple[float, ...]
    freedom: tuple[float, ...]
    uneven: bool = False  # one side spreads more than the other, beyond chance

    def p(self, move: Move) -> float:
        """Chance of as large a change beside the board's move; the lesser of the two ways.

        One way resists far blocks and the other finds more in few. Where the two sides spread
        unlike, so that ranks tell less, or variances had to be corrected, it is Welch's alone.
        """
        more = move.deviation**2 + move.error**2
        chances = []
        for change, variance, freedom in zip(self.change, self.variance, self.freedom, strict=True):
            whole = variance + more
            away = abs(change - move.level)
            if not math.isfinite(whole):
                return 1.0
            degrees = whole**2 / (variance**2 / freedom + more**2 / move.freedom)
            chances.append(2 * float(special.stdtr(degrees, -away / math.sqrt(whole))))
        alone = self.uneven or move.correlation or move.deviation
        return chances[-1] if alone else min(chances)


@dataclass(frozen=True, slots=True)
class Move:
    """What the board did between two runs."""

    level: float = 0.0  # by which all figures moved, as a logarithm; 0: not believed to have moved
    error: float = 0.0  # of that level
    alike: int = 0  # rows that moved so
    rows: int = 0  # of how many
    controls: int = 0  # programs that did not change and told it; 0: the rows did
    widen: float = 0.0  # what a change must exceed beside all else: controls that disagree
    deviation: float = 0.0  # of a row's own level, in the difference of two runs
    freedom: float = math.inf  # degrees of that deviation
    correlation: float = 0.0  # of neighbouring blocks
    rounds: bool = False  # whether a move that all rows shared from round to round was taken out

    @property
    def corrected(self) -> bool:
        """Whether figures are not judged as they were measured, but with a move taken out."""
        return self.rounds or self.level != 0

    @property
    def share(self) -> float:
        """The common move, relative: 0.03 is 3 % more."""
        return math.expm1(self.level)


def changes(table: Sequence[tuple[Figures, Figures]], alike: float) -> list[Change]:
    """The change of each (base, new); `alike` is the correlation of neighbouring blocks."""
    shapes: dict[tuple[int, int], list[int]] = {}
    for place, (base, new) in enumerate(table):
        shapes.setdefault((len(base), len(new)), []).append(place)
    by_place: dict[int, Change] = {}
    for (old, fresh), places in shapes.items():
        if min(old, fresh) < 3:
            unknown = Change((0.0,), (math.inf,), (1.0,))
            by_place |= dict.fromkeys(places, unknown)
            continue
        before, after = (np.log([table[place][side] for place in places]) for side in (0, 1))
        more = [inflation(alike, blocks) if alike else 1.0 for blocks in (old, fresh)]
        sides = [(centres(before, trim), centres(after, trim)) for trim in TRIMS]
        uneven = _uneven(*sides[0])
        ways = [_change(*one, more, uneven) for one in sides]
        for at, place in enumerate(places):
            sizes, variances, freedoms = (
                tuple(float(way[k][at]) for way in ways) for k in range(3)
            )
            by_place[place] = Change(sizes, variances, freedoms, uneven=bool(uneven[at]))
    return [by_place[place] for place in range(len(table))]


def _uneven(base: Centres, new: Centres) -> NDArray[np.bool_]:
    """Whether the sides of each row spread unlike, by the ratio of Yuen's variances: so a few far
    blocks on one side are no spread."""
    (_, spread, few), (_, other, many) = base, new
    ratio = many * np.maximum(other, 1e-24) / (few * np.maximum(spread, 1e-24))
    above = stats.f.sf(ratio, many - 1, few - 1)
    uneven: NDArray[np.bool_] = np.minimum(above, 1 - above) * 2 < UNEVEN
    return uneven


def _change(
    base: Centres, new: Centres, more: Sequence[float], uneven: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Change, variance and degrees of freedom of each row; `more`: by how much the variance of each
    side is larger, its neighbours being alike.

    Welch's degrees; of an uneven row those of the side that spreads more: Welch's are estimated,
    and of 8 blocks a side, one spread ten times the other, they let a third to a half more through
    where a table of 27 rows decides (findings/welch-in-the-far-tail.sh).
    """
    (before, spread, few), (after, other, many) = base, new
    one, two = np.maximum(spread, 1e-24), np.maximum(other, 1e-24)
    welch = (one + two) ** 2 / (one**2 / (few - 1) + two**2 / (many - 1))
    freedom = np.where(uneven, np.where(one > two, few, many) - 1, welch)
    return after - before, one * more[0] + two * more[1], freedom / max(more)


def moved(
    of_rows: Sequence[Change], *, controls: Sequence[Change], programs: int, between: Between | None
) -> Move:
    """The move of the board between two runs.

    `of_rows` are the changes of all rows, `controls` those of programs that did not change, the
    sentinel among them; `programs` is how many different ones the rows are of. Three controls or
    more tell the board's move. Else the rows do, where nearly all moved alike: unless they are of
    so few programs that the move is theirs as likely as the board's, and too large for a board.
    A control that says otherwise widens what a change must exceed.
    """
    known = _levels(of_rows)
    if len(controls) >= FEW_CONTROLS:
        move = replace(_common(_levels(controls)), controls=len(controls))
        near = np.abs(known - move.level) <= NEAR
        move = replace(move, alike=int(near.sum()), rows=len(known))
        move = move if abs(move.level) > SURE * move.error else replace(move, level=0.0, error=0.0)
    else:
        move = _by_rows(known, programs)
    deviation, freedom = _own(of_rows, move.level)
    if between is not None and math.sqrt(2) * between.deviation > deviation:
        deviation, freedom = math.sqrt(2) * between.deviation, between.freedom
    away = [
        abs(one.change[0] - move.level)
        for one in (controls if len(controls) < FEW_CONTROLS else ())
        if abs(one.change[0] - move.level) > 2 * math.sqrt(one.variance[0])
    ]
    return replace(
        move, deviation=deviation, freedom=freedom, widen=move.widen + max(away, default=0.0)
    )


def _levels(changes: Sequence[Change]) -> Floats:
    return np.array([one.change[0] for one in changes if math.isfinite(one.variance[0])])


def _common(levels: Floats) -> Move:
    """Where most rows are: from the middle of the shortest half, the median of what is near."""
    ordered, half = np.sort(levels), len(levels) // 2 + 1
    widths = ordered[half - 1 :] - ordered[: len(levels) - half + 1]
    at = int(np.argmin(widths))
    near = levels[np.abs(levels - (ordered[at] + ordered[at + half - 1]) / 2) <= NEAR]
    level = float(np.median(near)) if len(near) else 0.0
    spread = float(stats.median_abs_deviation(near, scale="normal")) if len(near) else 0.0
    error = MEDIAN_ERROR * spread / math.sqrt(max(len(near), 1))
    return Move(level, error, alike=len(near), rows=len(levels))


def _by_rows(levels: Floats, programs: int) -> Move:
    if len(levels) < FEW_ROWS:
        return Move(rows=len(levels))
    move = _common(levels)
    still = replace(move, level=0.0, error=0.0)
    if abs(move.level) <= SURE * move.error:
        return still
    small = abs(move.level) <= NEAR
    if move.alike >= MOST_ALIKE * move.rows and (small or programs >= FEW_PROGRAMS):
        return move
    return replace(still, widen=abs(move.level)) if small else still


def _own(of_rows: Sequence[Change], level: float) -> tuple[float, float]:
    """How far rows near the common level differ beyond what their blocks explain, and its degrees.

    0 unless it is more than chance: one row in a hundred tables.
    """
    near = [one for one in of_rows if abs(one.change[0] - level) <= NEAR]
    near = [one for one in near if math.isfinite(one.variance[0])]
    if len(near) < FEW_ROWS:
        return 0.0, math.inf
    away = np.array([one.change[0] for one in near])
    seen = float(stats.median_abs_deviation(away, scale="normal")) ** 2
    explained = float(np.median([one.variance[0] for one in near]))
    if seen <= (1 + BY_CHANCE * MAD_ERROR / math.sqrt(len(near))) ** 2 * explained:
        return 0.0, math.inf
    return math.sqrt(seen - explained), max(1.0, MAD_FREEDOM * (len(near) - 1))


def observed(
    table: Sequence[tuple[Figures, Figures]],
    *,
    same_program: Sequence[bool],
    programs: int,
    sentinel: tuple[Figures, Figures] | None,
    between: Between | None,
) -> tuple[list[Change], Move]:
    """The change of every row of a pair of runs, and the board's move between them."""
    alike = correlation([side for sides in table for side in sides])
    of_rows = changes(table, alike)
    controls = [one for one, same in zip(of_rows, same_program, strict=True) if same]
    controls += changes([sentinel], alike) if sentinel is not None else []
    controls = [one for one in controls if math.isfinite(one.variance[0])]
    move = moved(of_rows, controls=controls, programs=programs, between=between)
    return of_rows, replace(move, correlation=alike)
