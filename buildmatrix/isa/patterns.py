"""Words of code held against a table of encodings, whole sections at once.

The upper halfword of an instruction says nearly all: a table of 65536 entries, indexed by it,
gives the few patterns that can match, and only the words that have any are looked at closer. In
Thumb the first halfword is the upper one, so all three instruction sets are read alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Feature -> rows of name, mask, value and, where it multiplies vectors, the field of Multiplies.
Row = tuple[str, int, int] | tuple[str, int, int, str]
Encodings = dict[str, tuple[Row, ...]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One encoding: the words for which `word & mask == value`.

    `feature` is what the processor must have, empty for the base set; `multiplies` is a field of
    nouns.Multiplies, empty for all else. Of two patterns that match, the first one counts, so a
    pattern with neither takes words out of a wider one behind it.
    """

    name: str  # the instructions, for people: sqrdmlah
    mask: int
    value: int
    feature: str = ""
    multiplies: str = ""


def patterns(*encodings: Encodings) -> tuple[Pattern, ...]:
    """The rows as patterns, in order."""
    return tuple(
        Pattern(row[0], row[1], row[2], feature, row[3] if len(row) == 4 else "")
        for part in encodings
        for feature, rows in part.items()
        for row in rows
    )


class Table:
    """Encodings of one instruction set, made ready for whole arrays of words."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = tuple(patterns)

    @cached_property
    def _groups(self) -> tuple[NDArray[np.uint16], list[list[int]]]:
        """For each upper halfword the number of its group, and each group's patterns; 0 is none."""
        halves = np.arange(1 << 16, dtype=np.uint16)
        random = np.random.default_rng(0).integers(1, 1 << 63, len(self.patterns))
        sums = np.zeros(1 << 16, np.int64)  # which patterns fit, as one number: a hash of the set
        for pattern, number in zip(self.patterns, random, strict=True):
            sums[(halves & (pattern.mask >> 16)) == pattern.value >> 16] ^= number
        _, examples, groups = np.unique(sums, return_index=True, return_inverse=True)
        members = [
            [i for i, p in enumerate(self.patterns) if half & p.mask >> 16 == p.value >> 16]
            for half in examples.tolist()
        ]
        return groups.astype(np.uint16), members

    def match(
        self, upper: NDArray[np.uint16], lower: NDArray[np.uint16]
    ) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        """Where a pattern matches, in order, and its index in `patterns`."""
        groups, members = self._groups
        number = groups[upper]
        places = np.flatnonzero(number)
        number = number[places]
        words = upper[places].astype(np.uint32) << 16 | lower[places]
        which = np.full(len(places), -1, np.int16)
        for group in np.flatnonzero(np.bincount(number, minlength=len(members))).tolist():
            chosen = np.flatnonzero(number == group)
            some = words[chosen]
            for index in reversed(members[group]):
                pattern = self.patterns[index]
                which[chosen[(some & pattern.mask) == pattern.value]] = index
        matched = which >= 0
        return places[matched], which[matched]
