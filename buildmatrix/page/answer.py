"""The answer that a reader came for: which cell is best at which batch size, and by how much.

A cell that computes in fewer bits is best at a price: beside it stands the best that does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from buildmatrix.page.content import FULL
from buildmatrix.summary import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from buildmatrix.page.content import BoardSection


@dataclass(frozen=True, slots=True)
class Best:
    """The best cell of one batch size, and who comes next."""

    batch: int
    cell: str
    figure: float  # in the unit of the board's points
    times: float  # what the next best takes, as a multiple
    level: tuple[str, ...]  # cells whose 95 % interval meets its own
    full: tuple[str, float] | None  # where it is not in float32: the best that is, its figure


@dataclass(frozen=True, slots=True)
class Winner:
    """Batch sizes that follow each other and have the same best cell, in words."""

    batches: str
    cell: str
    figures: str
    lead: str


def answers(board: BoardSection) -> tuple[Winner, ...]:
    """Best cells by rising batch size. A batch size with fewer than two figures has none."""
    return tuple(
        _answer(board, list(group))
        for _, group in groupby(_best(board), lambda best: (best.cell, best.full and best.full[0]))
    )


def _best(board: BoardSection) -> Iterator[Best]:
    grid, scale = board.grid, 1e6 if board.grid.emulated else 1
    for batch in grid.batches:
        figures = [(grid.value(batch, cell).figure, cell) for cell in grid.cells]
        ranked = sorted((figure, cell) for figure, cell in figures if figure is not None)
        if len(ranked) > 1:
            (figure, cell), (second, _), *_ = ranked
            others = [name for _, name in ranked[1:]]
            full = next((one for one in ranked if board.computes(one[1]) == FULL), None)
            yield Best(
                batch,
                cell,
                figure / scale,
                second / figure,
                _level(board, batch, cell, others),
                (full[1], full[0] / scale) if full and full[1] != cell else None,
            )


def _level(board: BoardSection, batch: int, cell: str, others: Iterable[str]) -> tuple[str, ...]:
    intervals = {p.cell: p.interval for p in board.points if p.batch == batch}
    mine = intervals.get(cell)
    return tuple(
        other
        for other in others
        if mine and (its := intervals.get(other)) and its[0] <= mine[1] and mine[0] <= its[1]
    )


def _answer(board: BoardSection, group: Sequence[Best]) -> Winner:
    first, last, cell = group[0].batch, group[-1].batch, group[0].cell
    return Winner(
        batches=f"batch {first}" if first == last else f"batch {first} to {last}",
        cell=cell,
        figures=_span([best.figure for best in group]),
        lead="; ".join((*_lead(group), *_price(group, board.computes(cell)))),
    )


def _lead(group: Sequence[Best]) -> Iterator[str]:
    """How far the next one is, or that it cannot be told apart."""
    level: dict[str, list[str]] = {}
    for best in group:
        for other in best.level:
            level.setdefault(other, []).append(str(best.batch))
    for other, batches in level.items():
        where = "" if len(batches) == len(group) else f" at batch {', '.join(batches)}"
        yield f"level with {other}{where}, the 95 % intervals meet"
    clear = [best.times for best in group if not best.level]
    if clear:
        yield f"{'else ' if level else ''}the next takes {_span(clear)} times as much"


def _price(group: Sequence[Best], number_format: str) -> Iterator[str]:
    """That it computes in fewer bits, and what the best in all of them takes."""
    full = [best.full for best in group if best.full]
    if full:
        figures = _span([figure for _, figure in full])
        yield f"it computes in {number_format}; the best in {FULL} is {full[0][0]}, {figures}"


def _span(numbers: Sequence[float]) -> str:
    """'40.50 to 62.46', or one number when they read the same."""
    ends = dict.fromkeys((time_text(min(numbers)), time_text(max(numbers))))
    return " to ".join(ends)
