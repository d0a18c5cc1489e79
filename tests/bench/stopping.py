"""What it costs to look after every round: intervals and verdicts of rows that stopped when narrow.

`python -m tests.bench.stopping [ROWS [TABLES]]` prints the figures of docs/statistics.md again.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.compare import Verdict, compare
from buildmatrix.run_settings import FIRST_ROUNDS
from buildmatrix.summary import Row, resampled_means, tail
from tests.unit.moving import table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

AT_MOST = 30
UNTIL = 0.01
AT_ONCE = 400
NOISES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "normal, 1 %": lambda rng, shape: 1 + rng.normal(0, 0.01, shape),
    "normal, 2 %": lambda rng, shape: 1 + rng.normal(0, 0.02, shape),
    "normal, 3 %": lambda rng, shape: 1 + rng.normal(0, 0.03, shape),
    "Student's t, 3 degrees, 2 %": lambda rng, shape: (
        1 + 0.02 * rng.standard_t(3, shape) / np.sqrt(3)
    ),
    "gamma, 3 %": lambda rng, shape: 1 + 0.03 * (rng.gamma(1, 1, shape) - 1),
}


def stops(figures: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """For each row of (rows, rounds) the blocks it took, and its interval then."""
    rows = len(figures)
    taken = np.full(rows, AT_MOST)
    low, high = np.zeros(rows), np.zeros(rows)
    going = np.arange(rows)
    for blocks in range(FIRST_ROUNDS, AT_MOST + 1):
        ends = [
            np.quantile(
                resampled_means(figures[part, :blocks]), (tail(blocks), 1 - tail(blocks)), axis=0
            )
            for part in np.split(going, range(AT_ONCE, len(going), AT_ONCE))
        ]
        starts, stop = np.concatenate(ends, axis=1)
        low[going], high[going], taken[going] = starts, stop, blocks
        wide = (stop - starts) / 2 > UNTIL * figures[going, :blocks].mean(axis=1)
        going = going[wide]
        if not len(going):
            break
    return taken, low, high


def intervals(rows: int) -> None:
    """How often the interval of a row that stopped holds the true mean, and how soon it stops."""
    sys.stdout.write(f"{rows} rows, until {UNTIL:.0%}, {FIRST_ROUNDS} to {AT_MOST} rounds\n")
    sys.stdout.write("| noise | rounds on average | reached | held | fixed number: held |\n")
    for name, noise in NOISES.items():
        figures = noise(np.random.default_rng(2017), (rows, AT_MOST))
        taken, low, high = stops(figures)
        held = np.mean((low <= 1) & (high >= 1))
        fixed = round(float(taken.mean()))
        fresh = noise(np.random.default_rng(2018), (rows, fixed))
        ends = [
            np.quantile(resampled_means(part), (tail(fixed), 1 - tail(fixed)), axis=0)
            for part in np.split(fresh, range(AT_ONCE, rows, AT_ONCE))
        ]
        start, stop = np.concatenate(ends, axis=1)
        beside = np.mean((start <= 1) & (stop >= 1))
        reached = np.mean((high - low) / 2 <= UNTIL * 1.001)
        sys.stdout.write(
            f"| {name} | {taken.mean():.1f} | {reached:.1%} | {held:.1%} | {beside:.1%} |\n"
        )


def verdicts(tables: int) -> None:
    """False claims and found changes where every row of both runs stopped when it was narrow."""
    for shift in (0.0, 0.05):
        rng = np.random.default_rng(2017)
        false = found = 0
        for _ in range(tables):
            made = table("nothing but noise of 2 %", rng, blocks=AT_MOST, shift=shift)
            base, new = _stopped(made.base), _stopped(made.new)
            told = [one.verdict for one in compare(base, new, sentinels=made.sentinels)]
            if shift:
                found += told.pop(13) is Verdict.WORSE
            false += any(one in (Verdict.BETTER, Verdict.WORSE) for one in told)
        sys.stdout.write(f"shift {shift:.0%}: false in {false} of {tables}, found in {found}\n")


def _stopped(rows: list[Row]) -> list[Row]:
    figures = np.array([row.figures(row.metric) for row in rows])
    taken, _, _ = stops(figures)
    return [
        Row(row.status, row.blocks[:blocks])
        for row, blocks in zip(rows, taken.tolist(), strict=True)
    ]


if __name__ == "__main__":
    intervals(int(sys.argv[1]) if sys.argv[1:] else 4000)
    verdicts(int(sys.argv[2]) if sys.argv[2:] else 300)
