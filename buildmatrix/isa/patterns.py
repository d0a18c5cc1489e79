"""Words of code held against a table of encodings, whole sections at once.

The upper halfword of an instruction says nearly all: a table of 65536 entries, indexed by it,
gives the few patterns that can match, and only the words that have any are looked at closer. In
Thumb the first halfword is the upper one, so all three instruction sets are read alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, reduce
from operator import and_, or_
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Matches = tuple[NDArray[np.int64], NDArray[np.int16]]
    WordsAt = Callable[[NDArray[np.int64]], NDArray[np.uint32]]

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
    some: NDArray[np.bool_]  # by halfword: whether there is one
    members: list[tuple[int, ...]]  # the patterns of each group
    masks: NDArray[np.uint32]  # by halfword: the bits that all of its group ask for alike
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
        alike: dict[tuple[int, int], list[int]] = {}
        for index, pattern in enumerate(self.patterns):
            alike.setdefault((pattern.mask >> 16, pattern.value >> 16), []).append(index)
        for (mask, value), indices in alike.items():
            halves = _free(mask) | value
            before = numbers.take(halves)
            split = np.flatnonzero(np.bincount(before))
            after = np.zeros(len(members), np.uint16)
            after[split] = np.arange(len(members), len(members) + len(split))
            numbers[halves] = after.take(before)
            members += [tuple(sorted((*members[group], *indices))) for group in split.tolist()]
        shared = [self._shared(group) for group in members]
        masks, values = np.array(shared, np.uint32).T
        return _Groups(numbers, numbers != 0, members, masks.take(numbers), values.take(numbers))

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
        return self._matches(words.view("<u2")[1::2], words.take)

    def match_pairs(self, halves: NDArray[np.uint16]) -> Matches:
        """The same of words that each two neighbouring halfwords make, the first one upper."""

        def pairs(places: NDArray[np.int64]) -> NDArray[np.uint32]:
            words = halves.take(places).astype(np.uint32)
            words <<= 16
            words |= halves.take(places + 1)
            return words

        return self._matches(halves[:-1], pairs)

    def _matches(self, upper: NDArray[np.uint16], words_at: WordsAt) -> Matches:
        """The matches among words whose upper halves are given, and which `words_at` looks up."""
        parts = [
            self._candidates(upper[start : start + PIECE], start, words_at)
            for start in range(0, len(upper), PIECE)
        ]
        if not any(len(places) for places, _, _ in parts):
            return np.zeros(0, np.int64), np.zeros(0, np.int16)
        places, words, number = map(np.concatenate, zip(*parts, strict=True))
        order = np.argsort(number, kind="stable")
        words = words.take(order)
        fitting = np.full(len(places), -1, np.int16)
        ends = np.cumsum(np.bincount(number))
        for group in np.flatnonzero(np.diff(ends, prepend=0)).tolist():
            span = slice(int(ends[group - 1]), int(ends[group]))  # nothing is in group 0
            some, here = words[span], fitting[span]
            for index in reversed(self._groups.members[group]):
                pattern = self.patterns[index]
                np.putmask(here, some & pattern.mask == pattern.value, index)
        which = np.empty_like(fitting)
        which[order] = fitting
        matched = np.flatnonzero(which >= 0)
        return places.take(matched), which.take(matched)

    def _candidates(
        self, upper: NDArray[np.uint16], start: int, words_at: WordsAt
    ) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint16]]:
        """Of one piece: the places where all bits fit that the patterns of a group share, with
        their words and groups."""
        groups = self._groups
        # No halfword lies outside the tables: "wrap" spares the look whether one does.
        (places,) = groups.some.take(upper, mode="wrap").nonzero()
        places += start
        words = words_at(places)
        halves = (words >> 16).astype(np.intp)
        shared = words & groups.masks.take(halves, mode="wrap")
        (fits,) = (shared == groups.values.take(halves, mode="wrap")).nonzero()
        return places.take(fits), words.take(fits), groups.numbers.take(halves.take(fits))


@cache
def _free(mask: int) -> NDArray[np.uint16]:
    """Every halfword with none of the bits of `mask`."""
    bits = [1 << bit for bit in range(16) if not mask >> bit & 1]
    halves = np.zeros(1 << len(bits), np.uint16)
    for number, bit in enumerate(bits):
        np.bitwise_or(halves[: 1 << number], bit, out=halves[1 << number : 2 << number])
    return halves
