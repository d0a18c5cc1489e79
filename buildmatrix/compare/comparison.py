"""A verdict on one row of two runs, and its words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.compare.blocks import Interval
    from buildmatrix.nouns import Metric


class Verdict(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    BOARD = "the board"  # it moved, and the program is not what moved it
    UNKNOWN = "not enough data"
    UNLIKE = "not alike"  # measured under other conditions: no verdict
    ADDED = "added"  # only in the new run
    GONE = "gone"  # only in the base


@dataclass(frozen=True, slots=True)
class Comparison:
    """One cell at one batch size in both runs. Changes are relative: 0.05 is 5 % more."""

    cell: str
    batch: int
    threads: int
    device: str
    model: str
    metric: Metric
    verdict: Verdict
    base: float | None = None  # mean over blocks, in the metric's unit
    new: float | None = None
    change: float | None = None  # new / base - 1
    interval: Interval | None = None  # of the change: 95 %, bootstrap
    p: float | None = None  # Mann-Whitney U, two-sided, Benjamini-Hochberg over the table
    p_board: float | None = None  # likewise, of a change beside what the board does by itself
    common: float | None = None  # by how much the board moved, where it is believed to have
    least: float | None = None  # the smallest change that counts here
    within: float | None = None  # of the verdict 'same'
    reason: str = ""  # why this verdict, where the figures do not say it
    differs: tuple[str, ...] = ()  # conditions that are not alike, in words
    remarks: tuple[str, ...] = ()  # what else differed and may matter
    base_run: str = ""
    new_run: str = ""

    @property
    def beside(self) -> float:
        """The change beside the board's own move."""
        return (1 + (self.change or 0.0)) / (1 + (self.common or 0.0)) - 1

    @property
    def words(self) -> str:
        """The verdict for people: 'same within 1.3%'."""
        return self.verdict if self.within is None else f"{self.verdict} within {self.within:.1%}"

    @property
    def sentence(self) -> str:
        """All of it for people: 'caffe, batch 4: worse, 50.1 -> 52.6 ms an image (+5.0%)'."""
        figures = ""
        if self.change is not None:
            moved = f"{self.base:.4g} -> {self.new:.4g} {self.metric.unit}"
            figures = f", {moved} ({self.change:+.1%})"
        because = f": {self.reason}" if self.reason else ""
        return f"{self.cell}, batch {self.batch}: {self.words}{figures}{because}"
