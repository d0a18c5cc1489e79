"""From the evidence on one row to a verdict in words. Pure; `compare` gathers the evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.compare.blocks import fewest_blocks, smallest_p
from buildmatrix.compare.comparison import Comparison, Verdict
from buildmatrix.nouns import INSTRUCTIONS, Status
from buildmatrix.summary import CONFIDENCE

if TYPE_CHECKING:
    from buildmatrix.compare.blocks import Interval
    from buildmatrix.compare.board import Move
    from buildmatrix.compare.pairing import Pair, Side

FALSE_DISCOVERIES = 0.01  # share of a table's better and worse that may be chance
LEAST_CHANGE = 0.01  # less is never called better or worse, however sure
WIDEST_SAME = 0.05  # 'the same within' more than this says nothing
EXACT = 0.001  # counts whose blocks agree within this need no test
MOST_BLOCKS = 1000  # nobody takes more: then no number is told

ENDED = (Status.WRONG, Status.FAILED, Status.OOM)
SAME_PROGRAM = "the same program on both sides: this is the board"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a tested row is judged on, beside its own figures."""

    blocks: tuple[int, int]
    rows: int  # of the table
    up: bool  # the new blocks rank higher
    drift: float  # largest that was flagged in either run
    same_program: bool
    uneven: bool  # its two sides spread unlike
    move: Move

    @property
    def least_p(self) -> float:
        """The smallest chance that this row's test can give in its table."""
        return smallest_p(*self.blocks) * self.rows

    @property
    def level(self) -> float:
        """What the chance of a change must not exceed; half where figures had to be corrected.

        A move that is taken out is an estimate, and all rows share its error; of sides that spread
        unlike ranks tell less than their test believes (docs/statistics.md).
        """
        corrected = self.move.corrected or self.uneven
        return FALSE_DISCOVERIES / 2 if corrected else FALSE_DISCOVERIES


def plain(pair: Pair, verdict: Verdict = Verdict.UNKNOWN, reason: str = "") -> Comparison:
    """The figures of a pair, with no more said of them than this."""
    row = next(side.row for side in (pair.new, pair.base) if side is not None)
    before, after = (
        float(side.figures.mean()) if side is not None and len(side.figures) else None
        for side in (pair.base, pair.new)
    )
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
        change=after / before - 1 if before and after and not pair.differs else None,
        reason=reason,
        differs=pair.differs,
        remarks=pair.remarks,
        base_run=pair.base.row.run if pair.base else "",
        new_run=pair.new.row.run if pair.new else "",
    )


def untested(pair: Pair) -> Comparison | None:
    """The verdict where no test is due: None where figures are to be tested."""
    if pair.base is None or pair.new is None:
        return plain(pair, Verdict.GONE if pair.new is None else Verdict.ADDED)
    if pair.differs:
        return plain(pair, Verdict.UNLIKE, "; ".join(pair.differs))
    return _ended(pair, pair.base, pair.new) or _counted(pair, pair.base, pair.new)


def _ended(pair: Pair, base: Side, new: Side) -> Comparison | None:
    """The verdict where a side has no figure: then it matters how that side ended."""
    if len(base.figures) and len(new.figures):
        return None
    if len(base.figures) and new.row.status in ENDED:
        return plain(pair, Verdict.WORSE, f"now {new.ending}")
    if len(new.figures) and base.row.status in ENDED:
        return plain(pair, Verdict.BETTER, f"was {base.ending}")
    if base.ending == new.ending and not (len(base.figures) or len(new.figures)):
        return plain(pair, Verdict.UNKNOWN, f"both {base.ending}")
    sides = {"base": base, "new": new}
    words = [f"{name} {side.ending}" for name, side in sides.items() if not len(side.figures)]
    return plain(pair, Verdict.UNKNOWN, "; ".join(words))


def _counted(pair: Pair, base: Side, new: Side) -> Comparison | None:
    """The verdict where instructions are a count; None where they vary as a time does."""
    fewest = 1 if new.row.first.threads == 1 else 2
    exact = new.row.metric is INSTRUCTIONS and all(
        len(side.figures) >= fewest and np.ptp(side.figures) <= EXACT * side.figures.min()
        for side in (base, new)
    )
    if not exact:
        return None
    counted = replace(plain(pair, Verdict.SAME), least=LEAST_CHANGE)
    directed = _directed(counted)
    if directed is not None and pair.same_program:
        return replace(directed, verdict=Verdict.BOARD, reason=SAME_PROGRAM)
    return directed or replace(counted, within=_up(abs(counted.change or 0.0)))


def tested(comparison: Comparison, ground: Ground) -> Comparison:
    """The verdict by test: better or worse, the board, the same, or what is missing."""
    if (
        _significant(comparison, ground)
        and ground.up == (comparison.beside > 0)
        and (sure := _directed(comparison))
    ):
        if ground.same_program:
            return replace(comparison, verdict=Verdict.BOARD, reason=SAME_PROGRAM)
        return replace(
            sure, reason=f"all else {_by(comparison.common)}" if comparison.common else ""
        )
    if comparison.interval is None or ground.least_p > ground.level:
        return replace(comparison, reason=_few(ground))
    if comparison.common and abs(comparison.common) >= LEAST_CHANGE:
        return replace(comparison, verdict=Verdict.BOARD, reason=pattern(ground.move))
    bound = _up(
        max(-comparison.interval[0], comparison.interval[1]) + ground.drift + ground.move.widen
    )
    if bound <= WIDEST_SAME:
        reason = f"a change, but below {comparison.least:.1%}, the least that counts here"
        words = reason if _significant(comparison, ground) else ""
        return replace(comparison, verdict=Verdict.SAME, within=bound, reason=words)
    return replace(comparison, reason=_missing(comparison, comparison.interval, ground))


def pattern(move: Move) -> str:
    """What moved everybody, in words."""
    if move.controls:
        who = f"{move.controls} programs that did not change {_by(move.share)}"
    elif move.alike == move.rows:
        who = f"everything {_by(move.share)}"
    else:
        who = f"{move.alike} of {move.rows} rows {_by(move.share)}"
    return f"{who}: look at the board"


def _by(share: float | None) -> str:
    return f"moved alike by {share or 0.0:+.1%}"


def _few(ground: Ground) -> str:
    needed = fewest_blocks(ground.rows, ground.level)
    table = f"a table of {ground.rows} rows" if ground.rows > 1 else "one row"
    before, after = ground.blocks
    return f"blocks: {before} against {after}; {table} needs {needed} on each side"


def _directed(comparison: Comparison) -> Comparison | None:
    """Better or worse by the metric's direction, where the change is one that counts."""
    if (
        comparison.change is None
        or comparison.least is None
        or abs(comparison.beside) < comparison.least
    ):
        return None
    verdict = Verdict.BETTER if comparison.beside * comparison.metric.sign > 0 else Verdict.WORSE
    return replace(comparison, verdict=verdict)


def _missing(comparison: Comparison, interval: Interval, ground: Ground) -> str:
    """What keeps a change with an interval from a verdict."""
    change, (low, high) = abs(comparison.beside), interval
    words = f"{CONFIDENCE:.0%} interval {low:+.1%} to {high:+.1%}"
    move = ground.move
    if ground.drift:
        return f"{words}, and the board drifted by {ground.drift:.1%} in a run"
    if move.widen:
        return f"{words}, and the board's own level may have moved by {move.widen:.1%}"
    if not _significant(comparison, ground) and move.correlation:
        return f"{words}: neighbouring blocks are alike (correlation {move.correlation:.1f})"
    if not _significant(comparison, ground) and move.deviation:
        return f"{words}: a row's level differs by {move.deviation:.1%} from run to run by itself"
    if _significant(comparison, ground) and change < (comparison.least or 0.0):
        return f"{words}, but below {comparison.least:.1%}, the board's noise, no change counts"
    if _significant(comparison, ground):
        return f"{words}, but blocks rank the other way: a few are far from the others"
    room = WIDEST_SAME - change
    fewest = min(ground.blocks)
    needed = math.ceil(fewest * ((high - low) / 2 / room) ** 2) if room > 0 else math.inf
    more = f"about {needed} blocks on each side" if needed <= MOST_BLOCKS else "many more blocks"
    return f"{words}: it takes {more} to tell"


def _significant(comparison: Comparison, ground: Ground) -> bool:
    chances = (comparison.p, comparison.p_board)
    return all(p is not None and p <= ground.level for p in chances)


def _up(share: float) -> float:
    """Rounded up to a tenth of a percent, as it is told; never nothing."""
    return max(1, math.ceil(round(share * 1000, 6))) / 1000
