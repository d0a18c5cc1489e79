"""Two runs held against each other: better, worse, the same within x %, or not enough data.

Pure: rows in, verdicts out. Blocks are the samples, because passes of one process are not
independent of each other. docs/statistics.md says why each threshold is what it is, and how often
the verdicts err on noise of known kinds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.compare.blocks import Evidence, Interval, fewest_blocks, noise, smallest_p, tested
from buildmatrix.errors import InputError
from buildmatrix.nouns import INSTRUCTIONS, Metric, Status
from buildmatrix.summary import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from buildmatrix.compare.blocks import Figures
    from buildmatrix.summary import Row

FALSE_DISCOVERIES = 0.01  # share of a table's better and worse that may be chance
LEAST_CHANGE = 0.01  # less is never called better or worse, however sure
WIDEST_SAME = 0.05  # 'the same within' more than this says nothing
EXACT = 0.001  # counts whose blocks agree within this need no test
MOST_BLOCKS = 1000  # nobody takes more: then no number is told

ENDED = (Status.WRONG, Status.FAILED, Status.OOM)


class Verdict(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNKNOWN = "not enough data"
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
    least: float | None = None  # the smallest change that counts here
    within: float | None = None  # of the verdict 'same'
    reason: str = ""  # why this verdict, where the figures do not say it

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


def compare(
    base: Sequence[Row], new: Sequence[Row], *, drift: float = 0.0
) -> tuple[Comparison, ...]:
    """A verdict for each row of two runs, in the order of the base, then what only `new` has.

    Rows meet where cell, batch, threads, device, model and emulation agree. Better or worse takes
    significance in the whole table (FALSE_DISCOVERIES) and a change of at least LEAST_CHANGE, the
    board's own noise, and `drift`: the largest relative drift that was flagged in either run.
    'Same' takes an interval that, widened by `drift`, lies within WIDEST_SAME.

    Executed instructions that agree within EXACT on each side are a count and no sample: they are
    compared as they are, and one block is enough (at several threads two, for there counts may
    vary). A row that had a figure and is now wrong, failed or out of memory got worse.

    Raises InputError where one side has a row twice, or one is emulated and the other is not.
    """
    old, fresh = _keyed(base), _keyed(new)
    _check_kind(base, new)
    keys = {**old, **fresh}
    pairs = {key: (old[key], fresh[key]) for key in keys if key in old and key in fresh}
    alone = {key: _alone(old.get(key), fresh.get(key)) for key in keys if key not in pairs}
    plain = {key: _ended(*pair) or _counted(*pair) for key, pair in pairs.items()}
    floors = _floors([*old.values(), *fresh.values()])
    table = {key: pair for key, pair in pairs.items() if plain[key] is None}
    judged = _judged(table, floors, drift)
    return tuple(alone.get(key) or plain.get(key) or judged[key] for key in keys)


Board = tuple[str, bool]  # device, emulated
Key = tuple[str, int, int, str, str, bool]


@dataclass(frozen=True, slots=True)
class _Side:
    """A row and its figures, one for each block that counts."""

    row: Row
    figures: Figures

    @property
    def board(self) -> Board:
        return self.row.first.device, self.row.emulated

    @property
    def ending(self) -> str:
        """How a row without figures ended."""
        if self.row.status is Status.OK:
            return f"without a count of {self.row.metric.unit}"
        word = self.row.status.upper() if self.row.status is Status.WRONG else self.row.status
        return f"{word}: {self.row.reason}" if self.row.reason else word


def _keyed(rows: Sequence[Row]) -> dict[Key, _Side]:
    sides: dict[Key, _Side] = {}
    for row in rows:
        first = row.first
        key = (first.cell, first.batch, first.threads, first.device, first.model, first.emulated)
        if key in sides:
            raise InputError(
                f"{row.cell}, batch {row.batch}, stands twice on one side: "
                f"in runs {sides[key].row.run} and {row.run}",
                hint="compare one run with one run",
            )
        figures = [figure for figure in row.figures(row.metric) if figure > 0]
        sides[key] = _Side(row, np.array(figures))
    return sides


def _check_kind(base: Sequence[Row], new: Sequence[Row]) -> None:
    kinds = [{row.emulated for row in side} for side in (base, new)]
    if all(kinds) and kinds[0].isdisjoint(kinds[1]):
        emulated, real = ("base", "new run") if True in kinds[0] else ("new run", "base")
        raise InputError(
            f"the {emulated} was emulated and the {real} was not",
            hint="compare two runs on boards, or two emulated ones",
        )


def _floors(sides: Iterable[_Side]) -> dict[Board, float]:
    """The noise of each board."""
    rows = defaultdict(list)
    for side in sides:
        rows[side.board].append(side.figures)
    return {board: noise(figures) for board, figures in rows.items()}


def _said(base: _Side | None, new: _Side | None, verdict: Verdict, reason: str = "") -> Comparison:
    row = next(side.row for side in (new, base) if side is not None)
    means = [
        float(side.figures.mean()) if side is not None and len(side.figures) else None
        for side in (base, new)
    ]
    before, after = means
    return Comparison(
        cell=row.cell,
        batch=row.batch,
        threads=row.first.threads,
        device=row.first.device,
        model=row.first.model,
        metric=row.metric,
        verdict=verdict,
        base=before,
        new=after,
        change=after / before - 1 if before and after else None,
        reason=reason,
    )


def _alone(base: _Side | None, new: _Side | None) -> Comparison:
    return _said(base, new, Verdict.GONE if new is None else Verdict.ADDED)


def _ended(base: _Side, new: _Side) -> Comparison | None:
    """The verdict where a side has no figure: then it matters how that side ended."""
    if len(base.figures) and len(new.figures):
        return None
    if len(base.figures) and new.row.status in ENDED:
        return _said(base, new, Verdict.WORSE, f"now {new.ending}")
    if len(new.figures) and base.row.status in ENDED:
        return _said(base, new, Verdict.BETTER, f"was {base.ending}")
    sides = {"base": base, "new": new}
    told = [f"{name} {side.ending}" for name, side in sides.items() if not len(side.figures)]
    return _said(base, new, Verdict.UNKNOWN, "; ".join(told))


def _counted(base: _Side, new: _Side) -> Comparison | None:
    """The verdict where instructions are a count; None where they vary as a time does."""
    fewest = 1 if new.row.first.threads == 1 else 2
    exact = new.row.metric is INSTRUCTIONS and all(
        len(side.figures) >= fewest and np.ptp(side.figures) <= EXACT * side.figures.min()
        for side in (base, new)
    )
    if not exact:
        return None
    found = replace(_said(base, new, Verdict.SAME), least=LEAST_CHANGE)
    return _directed(found) or replace(found, within=_up(abs(found.change or 0.0)))


def _judged(
    table: Mapping[Key, tuple[_Side, _Side]], floors: Mapping[Board, float], drift: float
) -> dict[Key, Comparison]:
    """Verdicts by test, all of one table."""
    told = tested([(base.figures, new.figures) for base, new in table.values()])
    found = {}
    for (key, (base, new)), evidence in zip(table.items(), told, strict=True):
        plain = replace(
            _said(base, new, Verdict.UNKNOWN),
            interval=evidence.interval,
            p=evidence.p,
            least=max(LEAST_CHANGE, floors[new.board], drift),
        )
        blocks = len(base.figures), len(new.figures)
        found[key] = _sure(plain, evidence) or _unsure(plain, blocks, rows=len(told), drift=drift)
    return found


def _sure(plain: Comparison, evidence: Evidence) -> Comparison | None:
    """Better or worse. Ranks and means must say the same: a few far blocks can part them."""
    if not _significant(plain) or evidence.up != ((plain.change or 0.0) > 0):
        return None
    return _directed(plain)


def _directed(found: Comparison) -> Comparison | None:
    """Better or worse by the metric's direction, where the change is one that counts."""
    if found.change is None or found.least is None or abs(found.change) < found.least:
        return None
    verdict = Verdict.BETTER if found.change * found.metric.sign > 0 else Verdict.WORSE
    return replace(found, verdict=verdict)


def _unsure(plain: Comparison, blocks: tuple[int, int], *, rows: int, drift: float) -> Comparison:
    """The same, where that can be said; else what is missing."""
    if plain.interval is None or smallest_p(*blocks) * rows > FALSE_DISCOVERIES:
        needed = fewest_blocks(rows, FALSE_DISCOVERIES)
        table = f"a table of {rows} rows" if rows > 1 else "one row"
        return replace(
            plain,
            reason=f"blocks: {blocks[0]} against {blocks[1]}; {table} needs {needed} on each side",
        )
    bound = _up(max(-plain.interval[0], plain.interval[1]) + drift)
    if bound <= WIDEST_SAME:
        reason = f"a change, but below {plain.least:.1%}, the least that counts here"
        return replace(
            plain,
            verdict=Verdict.SAME,
            within=bound,
            reason=reason if _significant(plain) else "",
        )
    return replace(plain, reason=_missing(plain, plain.interval, min(blocks), drift))


def _missing(plain: Comparison, interval: Interval, blocks: int, drift: float) -> str:
    """What keeps a change with an interval from a verdict."""
    change, (low, high) = abs(plain.change or 0.0), interval
    told = f"{CONFIDENCE:.0%} interval {low:+.1%} to {high:+.1%}"
    if drift:
        return f"{told}, and the board drifted by {drift:.1%} in a run"
    if _significant(plain) and change < (plain.least or 0.0):
        return f"{told}, but below {plain.least:.1%}, the board's noise, no change counts"
    if _significant(plain):
        return f"{told}, but blocks rank the other way: a few are far from the others"
    room = WIDEST_SAME - change
    needed = math.ceil(blocks * ((high - low) / 2 / room) ** 2) if room > 0 else math.inf
    more = f"about {needed} blocks on each side" if needed <= MOST_BLOCKS else "many more blocks"
    return f"{told}: it takes {more} to tell"


def _significant(found: Comparison) -> bool:
    return found.p is not None and found.p <= FALSE_DISCOVERIES


def _up(share: float) -> float:
    """Rounded up to a tenth of a percent, as it is told; never nothing."""
    return max(1, math.ceil(round(share * 1000, 6))) / 1000
