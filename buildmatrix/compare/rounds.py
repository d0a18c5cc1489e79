"""Blocks in the order taken: moves that all rows of a run share, and neighbours that are alike.

Arrays in, arrays out. Each correction is made only where the blocks show beyond doubt that it is
due, so that the error rates for independent noise stay what they are (docs/statistics.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from buildmatrix.compare.blocks import Figures

    Floats = NDArray[np.float64]

FEW_ROWS = 5  # in fewer, a row is too much of what it would be held against
FEW_BLOCKS = 5  # of a row; fewer have no order to speak of
SURE = 2.5  # standard errors from which neighbours are not alike by chance
TWICE = 2.0  # times the variance that noise alone gives the rounds' medians: more is the board
HIGHEST = 0.9  # correlation of neighbours that is reckoned with: beyond, a row is all one stretch
MOST_HIDDEN = 0.95  # share of a variance that may hide in a row of blocks that are all alike
TRIMS = (0.2, 0.0)  # Yuen's test and Welch's


def moves(rows: Sequence[tuple[Figures, Sequence[int]]]) -> dict[int, float]:
    """By which factor all rows of one run moved in each round; empty where noise explains it.

    Each row comes with the round of each figure. A round's move is the median of its rows, each
    relative to its own median (one step of Tukey's median polish), shrunk by the share of its
    variance that noise alone explains; rounds of fewer than FEW_ROWS rows have none.
    """
    table = _table(rows)
    if table.shape[0] < FEW_ROWS or not table.shape[1]:
        return {}
    centred = table - np.nanmedian(table, axis=1, keepdims=True)
    crowded = np.flatnonzero((~np.isnan(centred)).sum(axis=0) >= FEW_ROWS)
    if len(crowded) < FEW_BLOCKS:
        return {}
    shared = np.nanmedian(centred[:, crowded], axis=0)
    rest = centred[:, crowded] - shared
    noise = stats.median_abs_deviation(rest, axis=None, scale="normal", nan_policy="omit")
    by_chance, seen = math.pi / 2 * noise**2 / len(table), float(shared.var(ddof=1))
    if seen <= TWICE * by_chance:
        return {}
    shrunk = (1 - by_chance / seen) * (shared - shared.mean())
    return dict(zip(_rounds(rows)[crowded].tolist(), np.exp(shrunk).tolist(), strict=True))


def without(
    factors: dict[int, float], rows: Sequence[tuple[Figures, Sequence[int]]]
) -> list[Figures]:
    """Figures of the rows of one run, each divided by the factor of its round."""
    return [
        figures / np.array([factors.get(number, 1.0) for number in numbers])
        for figures, numbers in rows
    ]


def correlation(rows: Sequence[Figures]) -> float:
    """How alike neighbouring blocks are, over all these rows: 0 unless it is beyond chance.

    Of ranks within each row, so that a far block counts once. The estimate from short rows is too
    low by about (1 + 3 r) / blocks (Kendall 1954), which is put back; ranks of normal noise have
    a correlation of 6 / pi asin(r / 2) (Pearson 1907).
    """
    lengths = {len(row) for row in rows if len(row) >= FEW_BLOCKS}
    same = [np.array([row for row in rows if len(row) == length]) for length in lengths]
    ranks = [stats.rankdata(table, axis=1) - (table.shape[1] + 1) / 2 for table in same]
    whole = sum(float((rank * rank).sum()) for rank in ranks)
    if not whole:
        return 0.0
    figures = sum(rank.size for rank in ranks)
    blocks = figures / sum(len(rank) for rank in ranks)
    plain = sum(float((rank[:, 1:] * rank[:, :-1]).sum()) for rank in ranks) / whole
    back = blocks / (blocks - 3)
    estimate = back * (plain + 1 / blocks)
    error = back / math.sqrt(figures)
    if estimate <= SURE * error:
        return 0.0
    return min(2 * math.sin(math.pi / 6 * min(estimate, 1.0)), HIGHEST)


def inflation(alike: float, blocks: int) -> float:
    """How much more a mean of correlated blocks varies than their own spread tells.

    The variance of a mean of an AR(1) series over that of independent blocks, and the part of the
    spread that the blocks of one stretch do not show.
    """
    lags = np.arange(1, blocks)
    more = 1 + 2 * float(((1 - lags / blocks) * alike**lags).sum())
    hidden = min((more - 1) / max(blocks - 1, 1), MOST_HIDDEN)
    return more / (1 - hidden)


def centres(figures: Floats, trim: float) -> tuple[Floats, Floats, int]:
    """Trimmed mean of each row of (rows, blocks), its variance by Yuen (1974), and its blocks."""
    ordered = np.sort(figures, axis=1)
    blocks = figures.shape[1]
    cut = int(trim * blocks)
    left = blocks - 2 * cut
    wins = np.clip(ordered, ordered[:, [cut]], ordered[:, [blocks - cut - 1]])
    variance = (blocks - 1) * wins.var(axis=1, ddof=1) / (left * (left - 1))
    return ordered[:, cut : blocks - cut].mean(axis=1), variance, left


def _rounds(rows: Sequence[tuple[Figures, Sequence[int]]]) -> NDArray[np.int64]:
    return np.array(sorted({number for _, numbers in rows for number in numbers}), dtype=np.int64)


def _table(rows: Sequence[tuple[Figures, Sequence[int]]]) -> Floats:
    """Logarithms by row and round; NaN where a row has no block. Empty rows are left out."""
    place = {number: at for at, number in enumerate(_rounds(rows).tolist())}
    measured = [row for row in rows if len(row[0])]
    table = np.full((len(measured), len(place)), np.nan)
    for line, (figures, numbers) in zip(table, measured, strict=True):
        line[[place[number] for number in numbers]] = np.log(figures)
    return table
