"""Where a series of figures steps from one level to another. Arrays in, places out.

The cut that costs least is looked for, where every step costs as much as noise alone would hardly
ever be worth. ruptures' searches for it miss the least where a level has a shortest length, and
stop at Python 3.13 (findings/ruptures-pelt-is-not-the-cheapest-cut.sh).
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.compare.blocks import MAD
from buildmatrix.compare.judge import EXACT, LEAST_CHANGE
from buildmatrix.compare.rounds import FEW_ROWS, correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEW_NIGHTS = 2  # of one level: of fewer nobody can tell a step from an outlier
WINDOW = 5  # nights around one, whose median an outlier is held against
OUTLIER = 3.0  # standard deviations from that median that a figure may count for
SELDOM = 100.0  # noise alone gives one step in about so many such histories
KNOWN = 30  # nights after which a row knows its own noise as well as the board's rows do
TURNS = 6  # of reckoning with nights that are alike: steps told by chance hide some of it
JUMP_NIGHTS = 3  # before and after a night that a board's jump is told by
JUMPS = 5.0  # standard deviations of such means' distance that a drifting board hardly reaches
POLISHES = 4  # turns of Tukey's median polish; it is at rest after three


def common(levels: Floats) -> Floats:
    """By how much all rows of (rows, nights) together were above their levels, for each night.

    `levels` are logarithms, NaN where a row has no figure. Tukey's median polish; 0 in nights of
    fewer than FEW_ROWS rows.
    """
    moves = np.zeros(levels.shape[1])
    crowded = (~np.isnan(levels)).sum(axis=0) >= FEW_ROWS
    if not crowded.any():
        return moves
    there = levels[:, crowded]
    there = there[~np.isnan(there).all(axis=1)]
    for _ in range(POLISHES):
        of_rows = np.nanmedian(there - moves[crowded], axis=1, keepdims=True)
        moves[crowded] = np.nanmedian(there - of_rows, axis=0)
    return moves


def jumps(moves: Floats) -> list[int]:
    """Nights from which everything on a board was at another level at once; a drift is none.

    Where the means of the JUMP_NIGHTS before and after are LEAST_CHANGE apart and, by JUMPS
    standard deviations, further than such means are anywhere else; the furthest of its neighbours.
    """
    if len(moves) < 2 * JUMP_NIGHTS:
        return []
    means = np.lib.stride_tricks.sliding_window_view(moves, JUMP_NIGHTS).mean(axis=1)
    apart = np.abs(means[JUMP_NIGHTS:] - means[:-JUMP_NIGHTS])
    least = max(math.log1p(LEAST_CHANGE), JUMPS * MAD * float(np.median(apart)))
    return [
        at + JUMP_NIGHTS
        for at in np.flatnonzero(apart > least).tolist()
        if apart[at] == apart[max(0, at - JUMP_NIGHTS) : at + JUMP_NIGHTS + 1].max()
    ]


def steps(rows: Sequence[Floats]) -> list[list[int]]:
    """The first place after each step of each row of one board. Rows are logarithms without gaps.

    How much a row varies from night to night is told by the row and, while it is short, by the
    others; where neighbouring nights are alike beyond chance, a step must be so much clearer.
    """
    calm = [_without_outliers(row, noise) for row, noise in zip(rows, _noises(rows), strict=True)]
    noises = _noises(calm)
    nights = sum(map(len, rows))
    price = 2 * math.log(SELDOM * max(nights, 2))
    cuts = [_cut(row, price * noise**2) for row, noise in zip(calm, noises, strict=True)]
    known = 0.0
    for _ in range(TURNS):
        rest = [_without(row, places) for row, places in zip(calm, cuts, strict=True)]
        alike = correlation(rest)
        if alike <= known:
            break
        known, longer = alike, price * (1 + alike) / (1 - alike)
        cuts = [
            _cut(row, longer * max(noise, float(left.std())) ** 2)
            for row, left, noise in zip(calm, rest, noises, strict=True)
        ]
    return cuts


def _noises(rows: Sequence[Floats]) -> list[float]:
    """A row's standard deviation from night to night, by neighbours: steps and drifts add little.

    Never below what counts of one program differ by.
    """
    moved = [np.abs(np.diff(row)) for row in rows]
    pooled = np.concatenate(moved) if moved else np.zeros(0)
    usual = MAD * float(np.median(pooled)) / math.sqrt(2) if len(pooled) else 0.0
    own = [MAD * float(np.median(one)) / math.sqrt(2) if len(one) else usual for one in moved]
    return [
        max(EXACT, math.sqrt((KNOWN * usual**2 + len(row) * noise**2) / (KNOWN + len(row))))
        for row, noise in zip(rows, own, strict=True)
    ]


def _without_outliers(row: Floats, noise: float) -> Floats:
    """Figures no further from the median of the nights around them than OUTLIER (Hampel's)."""
    if len(row) < 3:
        return row
    half = WINDOW // 2
    padded = np.concatenate((np.full(half, np.nan), row, np.full(half, np.nan)))
    around = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, WINDOW), axis=1)
    return np.clip(row, around - OUTLIER * noise, around + OUTLIER * noise)


def _cut(row: Floats, price: float) -> list[int]:
    """Places of the steps of one row that are worth their price and at least LEAST_CHANGE."""
    if len(row) < 2 * FEW_NIGHTS:
        return []
    places = cheapest(row - row.mean(), price)
    while places:
        sizes = [abs(size) for size in sizes_of(row, places)]
        least = int(np.argmin(sizes))
        if sizes[least] >= math.log1p(LEAST_CHANGE):
            break
        del places[least]
    return places


def cheapest(row: Floats, price: float) -> list[int]:
    """The cut of a row that costs least, exactly: squared distances from the means of its parts of
    FEW_NIGHTS or more, and `price` for each place where one ends and the next begins.

    For every end the best beginning of its last part, so n * n / 2 sums in n steps of NumPy.
    """
    nights = len(row)
    sums, squares = (np.concatenate(([0.0], np.cumsum(row**power))) for power in (1, 2))
    least = np.full(nights + 1, np.inf)
    least[0] = -price  # the first part has no place before it
    begins = np.zeros(nights + 1, dtype=int)
    for end in range(FEW_NIGHTS, nights + 1):
        begin = np.arange(end - FEW_NIGHTS + 1)
        within = squares[end] - squares[begin] - (sums[end] - sums[begin]) ** 2 / (end - begin)
        costs = least[begin] + within + price
        begins[end] = np.argmin(costs)
        least[end] = costs[begins[end]]
    places = []
    place = int(begins[nights])
    while place:
        places.append(place)
        place = int(begins[place])
    return places[::-1]


def sizes_of(row: Floats, places: Sequence[int]) -> list[float]:
    """How far the level moves at each step: from the mean before it to the mean after it."""
    parts = np.split(row, list(places))
    means = [float(part.mean()) for part in parts]
    return [after - before for before, after in itertools.pairwise(means)]


def _without(row: Floats, places: Sequence[int]) -> Floats:
    """What is left of a row when each part between steps is held against its own mean."""
    return np.concatenate([part - part.mean() for part in np.split(row, list(places))])
