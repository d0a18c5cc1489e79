"""Which row of one run meets which of another: alike in all that decides a figure, or told apart.

Pure: rows in, pairs out. What decides is written once, in `buildmatrix.conditions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.conditions import DECISIVE, Conditions, differences, remarks
from buildmatrix.errors import InputError
from buildmatrix.nouns import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.compare.blocks import Figures
    from buildmatrix.summary import Row


@dataclass(frozen=True)
class Side:
    """A row of one run, and its figures in the order taken, one for each block that counts."""

    row: Row

    @cached_property
    def conditions(self) -> Conditions:
        """Those of the row, which are asked for at every pair."""
        return self.row.conditions

    @cached_property
    def figures(self) -> Figures:
        return np.array([figure for figure in self.row.figures(self.row.metric) if figure > 0])

    @cached_property
    def rounds(self) -> tuple[int, ...]:
        """The round of each figure; its place where blocks do not tell their rounds."""
        numbers = tuple(block.round for block in self.row.used)
        distinct = len(numbers) == len(self.figures) == len(set(numbers))
        return numbers if distinct else tuple(range(len(self.figures)))

    @property
    def ending(self) -> str:
        """How a row without figures ended."""
        if self.row.status is Status.OK:
            counting = "boards whose kind ends in -counted have one"
            return f"without a count of {self.row.metric.counted}; {counting}"
        word = self.row.status.upper() if self.row.status is Status.WRONG else self.row.status
        return f"{word}: {self.row.reason}" if self.row.reason else word


@dataclass(frozen=True)
class Pair:
    """Two rows of one cell at one batch size; a side is None where its run has no such row."""

    base: Side | None
    new: Side | None
    differs: tuple[str, ...] = ()  # why they are not alike; empty: they may be compared
    remarks: tuple[str, ...] = ()  # what else differed and may matter

    @property
    def same_program(self) -> bool:
        """The very same bundle ran on both sides."""
        if self.base is None or self.new is None:
            return False
        return bool(self.base.row.first.bundle) and (
            self.base.row.first.bundle == self.new.row.first.bundle
        )


def paired(
    base: Sequence[Row], new: Sequence[Row], *, formats_may_differ: bool, any_kind: bool = False
) -> list[Pair]:
    """Rows that are alike, then those that meet in cell and batch only, then those of one side.

    In the order of the base, then what only `new` has. With `formats_may_differ` a number format
    is what is compared, and no condition. Raises InputError where one side has a row twice, and
    unless `any_kind` where all of one side is emulated and nothing of the other.
    """
    before, after = _sides(base), _sides(new)
    if not any_kind:
        _check_kind(base, new)
    alike: dict[int, Pair] = {}
    for strict in (True, False):
        for place, side in enumerate(before):
            if place in alike:
                continue
            taken = {id(pair.new) for pair in alike.values()}
            rest = [other for other in after if id(other) not in taken]
            pair = _closest(side, rest, formats_may_differ=formats_may_differ)
            if pair is not None and not (strict and pair.differs):
                alike[place] = pair
    pairs = [alike.get(place) or Pair(side, None) for place, side in enumerate(before)]
    met = {id(pair.new) for pair in pairs}
    return [*pairs, *(Pair(None, side) for side in after if id(side) not in met)]


def _closest(side: Side, others: Sequence[Side], *, formats_may_differ: bool) -> Pair | None:
    """The row of the same cell and batch under the most similar conditions."""
    pairs = [
        _pair(side, other, formats_may_differ=formats_may_differ)
        for other in others
        if (other.row.cell, other.row.batch) == (side.row.cell, side.row.batch)
    ]
    return min(pairs, key=lambda pair: len(pair.differs), default=None)


def _pair(base: Side, new: Side, *, formats_may_differ: bool) -> Pair:
    differing = differences(base.conditions, new.conditions)
    remarked = remarks(base.conditions, new.conditions)
    if formats_may_differ:
        formats = base.conditions.number_format, new.conditions.number_format
        words = DECISIVE["number_format"].format(*formats)
        if words in differing:
            differing, remarked = tuple(w for w in differing if w != words), (words, *remarked)
    return Pair(base, new, differing, remarked)


def _sides(rows: Sequence[Row]) -> list[Side]:
    sides: dict[tuple[str, int], list[Side]] = {}
    for row in rows:
        side = Side(row)
        for other in sides.setdefault((row.cell, row.batch), []):
            if not differences(other.conditions, side.conditions):
                raise InputError(
                    f"{row.cell}, batch {row.batch}, stands twice on one side: "
                    f"in runs {other.row.run} and {row.run}",
                    hint="compare one run with one run",
                )
        sides[row.cell, row.batch].append(side)
    order = {id(row): place for place, row in enumerate(rows)}
    return sorted(
        (side for of_cell in sides.values() for side in of_cell),
        key=lambda side: order[id(side.row)],
    )


def _check_kind(base: Sequence[Row], new: Sequence[Row]) -> None:
    kinds = [{row.emulated for row in side} for side in (base, new)]
    if all(kinds) and kinds[0].isdisjoint(kinds[1]):
        emulated, real = ("base", "new run") if True in kinds[0] else ("new run", "base")
        raise InputError(
            f"the {emulated} was emulated and the {real} was not",
            hint="compare two runs on boards, or two emulated ones",
        )
