"""The statistics of two sides' blocks: arrays in, figures out. Nothing here knows a cell."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from buildmatrix.summary import FEWEST, resampled_means, tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Figures = NDArray[np.float64]  # one for each block

Interval = tuple[float, float]

QUICK = 2500  # pairs of blocks up to which exact p-values take no time
NOISE_BLOCKS = 3  # a row of fewer says nothing about noise
MAD = 1.4826  # standard deviation over median absolute deviation, for normal noise


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the blocks of one row say."""

    p: float  # Mann-Whitney U, two-sided, of this row alone
    up: bool  # the new blocks rank higher
    interval: Interval | None  # of new mean / base mean - 1; None below FEWEST blocks


def tested(table: Sequence[tuple[Figures, Figures]]) -> list[Evidence]:
    """The test of each (base, new) of a table; rows of one shape are computed in one go."""
    shapes = defaultdict(list)
    for place, (base, new) in enumerate(table):
        tied = len(np.unique(np.concatenate((base, new)))) < len(base) + len(new)
        shapes[len(base), len(new), tied].append(place)
    p, up = np.ones(len(table)), np.zeros(len(table), dtype=bool)
    intervals: list[Interval | None] = [None] * len(table)
    for (old, fresh, tied), places in shapes.items():
        base, new = (np.array([table[place][side] for place in places]) for side in (0, 1))
        exact = not tied and old * fresh <= QUICK
        rank = stats.mannwhitneyu(new, base, axis=1, method="exact" if exact else "asymptotic")
        # Where all blocks are one figure SciPy 1.17 says p = 1, and 1.18 that it is no number.
        level = (base == base[:, :1]).all(axis=1) & (new == base[:, :1]).all(axis=1)
        p[places], up[places] = np.where(level, 1, rank.pvalue), rank.statistic > old * fresh / 2
        if min(old, fresh) >= FEWEST:
            for place, interval in zip(places, change_intervals(base, new), strict=True):
                intervals[place] = interval
    return [Evidence(*values) for values in zip(p.tolist(), up.tolist(), intervals, strict=True)]


def of_table(p: Sequence[float]) -> list[float]:
    """The p-values of a table's rows by Benjamini and Hochberg's procedure."""
    adjusted: list[float] = stats.false_discovery_control(p).tolist() if len(p) else []
    return adjusted


def change_intervals(base: Figures, new: Figures) -> list[Interval]:
    """Bootstrap interval of new mean / base mean - 1 for each row of (rows, blocks)."""
    changes = resampled_means(new, stream=1) / resampled_means(base) - 1
    cut = tail(min(base.shape[-1], new.shape[-1]))
    low, high = np.quantile(changes, (cut, 1 - cut), axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def noise(rows: Iterable[Figures]) -> float:
    """Robust standard deviation of blocks around their row's median, relative to it.

    1.4826 times the median of |figure / median of its row - 1| over all blocks of all rows.
    """
    spreads = [np.abs(row / np.median(row) - 1) for row in rows if len(row) >= NOISE_BLOCKS]
    return MAD * float(np.median(np.concatenate(spreads))) if spreads else 0.0


def smallest_p(base: int, new: int) -> float:
    """What the test gives when every block of one side ranks above every block of the other."""
    return 2 / math.comb(base + new, new)


def fewest_blocks(rows: int, level: float) -> int:
    """Blocks on each side from which a change in one of `rows` rows can be significant."""
    return next(n for n in count(FEWEST) if smallest_p(n, n) * rows <= level)
