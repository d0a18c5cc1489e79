"""Where the passes of a block begin to run steadily: what comes before is warm-up."""

from __future__ import annotations

from itertools import takewhile
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 8  # passes; of fewer nobody can say which of them are the usual ones
FAR = 6.0  # deviations over the usual pass from which one is no noise
LEAST = 0.02  # of the usual pass: what is nearer is none of a cold cache or clock
SIGMA = 1.4826  # a standard deviation, over the median distance from the median, if normal


def warming(samples_ns: Sequence[int]) -> int:
    """How many passes at the beginning are slower than the later half of the block ever varies.

    The usual pass is the median of the later half, and the noise its median distance from it. At
    most half of the passes are warm-up; a block of fewer than 8 tells none.
    """
    count = len(samples_ns)
    if count < FEWEST:
        return 0
    later = samples_ns[count // 2 :]
    usual = median(later)
    noise = SIGMA * median(abs(one - usual) for one in later)
    limit = usual + max(FAR * noise, LEAST * usual)
    return sum(1 for _ in takewhile(lambda one: one > limit, samples_ns[: count // 2]))
