"""Which of several versions, in their order, is the first that is worse. Pure: no board, no build.

The first version is good and the last one bad; the search halves what is between, and goes round
versions of which nobody can say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from buildmatrix.compare import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.compare import Comparison

Word = Literal["good", "bad", "unclear"]


@dataclass(frozen=True, slots=True)
class Search:
    """Versions in order, and what is known of those between the first and the last."""

    versions: tuple[str, ...]
    words: Mapping[str, Word]

    @property
    def good(self) -> int:
        """The last place up to which a version is known to be good."""
        return max((at for at, one in enumerate(self.versions) if self._is(one, "good")), default=0)

    @property
    def bad(self) -> int:
        """The first place after that which is known to be bad."""
        return next(
            (at for at in range(self.good + 1, len(self.versions)) if self._is(at, "bad")),
            len(self.versions) - 1,
        )

    @property
    def next(self) -> str | None:
        """The version to measure next: the middle of those of which nothing is known."""
        between = self.versions[self.good + 1 : self.bad]
        open_ = [one for one in between if one not in self.words]
        return open_[(len(open_) - 1) // 2] if open_ else None

    @property
    def unclear(self) -> tuple[str, ...]:
        """Versions that may be the first bad one as well."""
        return self.versions[self.good + 1 : self.bad]

    def knowing(self, version: str, word: Word) -> Search:
        return replace(self, words={**self.words, version: word})

    def _is(self, version: str | int, word: Word) -> bool:
        name = self.versions[version] if isinstance(version, int) else version
        return self.words.get(name) == word


@dataclass(frozen=True, slots=True)
class Marker:
    """The row by which good and bad are told apart, and by how much the bad one is worse there."""

    batch: int
    threads: int
    change: float  # relative

    def row(self, comparisons: Sequence[Comparison]) -> Comparison | None:
        """Its row among those of another version."""
        here = (self.batch, self.threads)
        return next((one for one in comparisons if (one.batch, one.threads) == here), None)


def marker_of(comparisons: Sequence[Comparison]) -> Marker | None:
    """The row with the largest change of those in which the bad version is worse than the good."""
    worse = [one for one in comparisons if one.verdict is Verdict.WORSE]
    changes = [Marker(one.batch, one.threads, one.change) for one in worse if one.change]
    return max(changes, key=lambda one: abs(one.change), default=None)


def judged(comparisons: Sequence[Comparison], marker: Marker) -> Word:
    """Whether a version, compared with the good one, is on the good or the bad side.

    Its change must lie, with its whole 95 % interval, on one side of half of the bad one's; counts
    have no interval and need none.
    """
    row = marker.row(comparisons)
    if row is None:
        return "unclear"
    if row.change is None:  # no figure: a wrong answer, a failed run
        return "bad" if row.verdict is Verdict.WORSE else "unclear"
    half = marker.change / 2
    low, high = row.interval or (row.change, row.change)
    if half < 0:
        low, high, half = -high, -low, -half
    return "bad" if low > half else "good" if high < half else "unclear"
