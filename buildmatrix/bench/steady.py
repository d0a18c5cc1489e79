"""Did the board keep one speed: within a block, and from the start of a run to its end?

Pure Python, for a stage that needs no numpy. How often each rule errs on noise of known kinds was
measured, and stands in docs/statistics.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 20  # passes; in fewer, plain noise too often looks like two speeds
SLOWEST = 0.05  # share of the passes left out: a late interrupt is no speed
SIDE = 0.2  # least share of the passes on each side
STEP = 0.1  # least distance of two speeds; clocks of boards step by more
APART = 5.5  # that distance over the mean deviation around each speed

FEW_FIGURES = 6  # in fewer, a drift is most of every step and would pass for noise
FEW_MOVED = 0.05  # so there this much is drift, whatever the noise
LEAST_NOISE = 0.02  # of a block; a few figures may agree by chance
ERRORS = 2.5  # standard errors from which a move is no noise
MEDIAN_ERROR = 1.2  # standard error of a median of three or more, over that of a mean


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a run's sentinel moved, end over start minus 1; more than `allowed` is no noise."""

    change: float
    allowed: float

    @property
    def flagged(self) -> bool:
        return abs(self.change) > self.allowed

    @property
    def words(self) -> str:
        moved = "slower" if self.change > 0 else "faster"
        return f"the board was {abs(self.change):.0%} {moved} at the end than at the start"


def two_speeds(samples_ns: Sequence[int]) -> str:
    """Words with figures when part of the passes ran at one speed and part at another, else ''.

    The sorted passes are cut in two where that leaves the least deviation from the two medians.
    These are two speeds when they are far apart for a clock and for the noise around each. Order
    plays no part: a throttled board may change its clock once or all the time.
    """
    ordered = sorted(samples_ns)
    count = len(ordered)
    if count < FEWEST:
        return ""
    side = int(SIDE * count)
    usual = ordered[: count - math.ceil(SLOWEST * count)]
    sums = [0, *accumulate(usual)]
    end = len(usual)

    def deviation(start: int, stop: int) -> int:
        """Sum of the distances of a stretch of the sorted passes from its median."""
        half = (stop - start) // 2
        return sums[stop] - sums[stop - half] - (sums[start + half] - sums[start])

    cuts = range(side, count - side + 1)
    cut = min(cuts, key=lambda cut: deviation(0, cut) + deviation(cut, end))
    fast, slow = median(usual[:cut]), median(usual[cut:])
    around = (deviation(0, cut) / (cut - 1) + deviation(cut, end) / (end - cut - 1)) / 2
    if slow - fast < max(STEP * fast, APART * around):
        return ""
    return f"two speeds: {cut} passes near {_ms(fast)} ms, {count - cut} near {_ms(slow)} ms"


def drift(figures: Sequence[float]) -> Drift | None:
    """How the board moved over a run, from its sentinel's block figures in the order taken.

    The median of the last quarter of the figures is held against that of the first (2 figures at
    least, of 2 or 3 only one). What noise may do is told from the median step between neighbours:
    a drift adds little to each of many steps, and a jump moves only one. None below 2 figures, or
    of figures that are 0. Leave disturbed blocks out.
    """
    count = len(figures)
    if count < 2 or not all(figures):
        return None
    size = max(2, count // 4) if count > 3 else 1
    change = median(figures[-size:]) / median(figures[:size]) - 1
    if count < FEW_FIGURES:
        return Drift(change, FEW_MOVED)
    steps = median(abs(later - earlier) for earlier, later in pairwise(figures))
    noise = steps / median(figures) / (0.6745 * math.sqrt(2))  # as a standard deviation
    error = max(LEAST_NOISE, noise) * math.sqrt(2 / size) * (MEDIAN_ERROR if size > 2 else 1)
    return Drift(change, ERRORS * error)


def _ms(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.3g}" if nanoseconds < 1e7 else f"{nanoseconds / 1e6:.1f}"
