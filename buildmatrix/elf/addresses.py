"""Arrays of numbers: sorted and each once, or one of a few.

numpy.unique hashes (2.4) and takes ten times as long; that and numpy.isin load numpy.ma as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.integer)


def distinct(numbers: NDArray[Number]) -> NDArray[Number]:
    """Each of the numbers once, in order."""
    ordered = np.sort(numbers)
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def is_one_of(numbers: NDArray[Number], few: Iterable[int]) -> NDArray[np.bool_]:
    """Which of the numbers are among a few."""
    chosen = np.zeros(len(numbers), np.bool_)
    for one in few:
        chosen |= numbers == one
    return chosen
