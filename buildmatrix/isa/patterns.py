"""Words of code held against a table of encodings, whole sections at once.

The upper halfword of an instruction says nearly all: a table of 65536 entries, indexed by it,
gives the few patterns that can match, and only the words that have any are looked at closer. In
Thumb the first halfword is the upper one, so all three instruction sets are read alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_, or_
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Matches = tuple[NDArray[np.int64], NDArray[np.int16]]

PIECE = 1 << 16  # words whose halves are looked up at once: as much as a processor's cache holds

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


@dataclass(frozen=True, slots=True)
class _Groups:
    """Which patterns an upper halfword leaves possible."""

    numbers: NDArray[np.uint16]  # by halfword; 0 is none
    members: list[tuple[int, ...]]  # the patterns of each group
    masks: NDArray[np.uint32]  # bits that all of them ask for alike
    values: NDArray[np.uint32]


class Table:
    """Encodings of one instruction set, made ready for whole arrays of words."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = tuple(patterns)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """What the patterns need, each once and sorted; the empty word of the base set is first."""
        return tuple(sorted({"", *(pattern.feature for pattern in self.patterns)}))

    @cached_property
    def feature_of(self) -> NDArray[np.int16]:
        """By pattern: the index in `features`."""
        return np.array([self.features.index(p.feature) for p in self.patterns], np.int16)

    @cached_property
    def _groups(self) -> _Groups:
        numbers = np.zeros(1 << 16, np.uint16)
        members: list[tuple[int, ...]] = [()]
        for index, pattern in enumerate(self.patterns):
            halves = _fitting(pattern.mask >> 16, pattern.value >> 16)
            before = numbers[halves]
            split = np.flatnonzero(np.bincount(before))
            after = np.zeros(len(members), np.uint16)
            after[split] = np.arange(len(members), len(members) + len(split))
            numbers[halves] = after[before]
            members += [(*members[group], index) for group in split.tolist()]
        shared = [self._shared(group) for group in members]
        masks, values = np.array(shared, np.uint32).T
        return _Groups(numbers, members, masks, values)

    def _shared(self, group: tuple[int, ...]) -> tuple[int, int]:
        """The bits that all patterns of a group ask for alike, and what they are."""
        if not group:
            return 0, 1  # never fits
        some = [self.patterns[index] for index in group]
        ones = reduce(and_, (p.value for p in some))
        differing = ones ^ reduce(or_, (p.value for p in some))
        mask = reduce(and_, (p.mask for p in some)) & ~differing
        return mask, ones & mask

    def match(self, words: NDArray[np.uint32]) -> Matches:
        """Where a pattern matches, in order, and its index in `patterns`."""
        upper = words.view("<u2")[1::2]
        places = self._candidates(upper)
        return self._matches(places, words.take(places))

    def match_pairs(self, halves: NDArray[np.uint16]) -> Matches:
        """The same of words that each two neighbouring halfwords make, the first one upper."""
        places = self._candidates(halves[:-1])
        words = halves.take(places).astype(np.uint32)
        words <<= 16
        words |= halves.take(places + 1)
        return self._matches(places, words)

    def _candidates(self, upper: NDArray[np.uint16]) -> NDArray[np.int64]:
        """The places whose upper halfword some pattern fits."""
        known = self._groups.numbers != 0
        pieces = [
            np.flatnonzero(known.take(upper[start : start + PIECE])) + start
            for start in range(0, len(upper), PIECE)
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int64)

    def _matches(self, places: NDArray[np.int64], words: NDArray[np.uint32]) -> Matches:
        groups = self._groups
        number = groups.numbers.take(words >> 16)
        fits = np.flatnonzero(words & groups.masks.take(number) == groups.values.take(number))
        order = fits.take(np.argsort(number.take(fits), kind="stable"))
        number, words = number.take(order), words.take(order)
        which = np.full(len(places), -1, np.int16)
        first = 0
        sizes = np.bincount(number)
        for group in np.flatnonzero(sizes).tolist():
            end = first + int(sizes[group])
            some, here = words[first:end], np.full(end - first, -1, np.int16)
            for index in reversed(groups.members[group]):
                pattern = self.patterns[index]
                here[some & pattern.mask == pattern.value] = index
            which[order[first:end]] = here
            first = end
        matched = np.flatnonzero(which >= 0)
        return places.take(matched), which.take(matched)


def _fitting(mask: int, value: int) -> NDArray[np.uint16]:
    """Every halfword with `half & mask == value`."""
    halves = np.array([value], np.uint16)
    for bit in range(16):
        if not mask >> bit & 1:
            halves = np.concatenate([halves, halves | 1 << bit])
    return halves
