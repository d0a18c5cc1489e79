"""Accuracy beside time: of a trained network, what each cell gets right and what that takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.nouns import Right
    from buildmatrix.summary import Row

MARK = "◆"  # of a cell on the front
MEANING = f"{MARK}: no cell is better in one of accuracy and {{}}, and as good in the other"


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell at the batch size that suits it best.

    `figure` is ms an image, under emulation million instructions; None: not counted there.
    """

    cell: str
    batch: int
    number_format: str
    right: Right
    error: float | None  # the largest relative one, of the golden image
    figure: float | None
    front: bool = False  # no other is better in one of right and figure, and as good in the other

    @property
    def share(self) -> str:
        return f"{self.right.share:.1%}"


def judged(rows: Iterable[Row]) -> tuple[Judged, ...]:
    """The cells of one board that were asked for pictures, the most accurate first, then the
    cheapest. Rows of other boards are not for the same call: figures of two boards are unlike."""
    best: dict[str, Judged] = {}
    for row in rows:
        one = _judged(row)
        if one and (one.cell not in best or _cost(one) < _cost(best[one.cell])):
            best[one.cell] = one
    ordered = sorted(best.values(), key=lambda one: (-one.right.count, _cost(one)))
    return tuple(replace(one, front=_on_front(one, ordered)) for one in ordered)


def _judged(row: Row) -> Judged | None:
    if row.right is None:
        return None
    figure = row.mean_ms_per_image
    if row.emulated:
        count = row.instructions_per_image
        figure = None if count is None else count / 1e6
    number_format = str(row.used[0].environment.get("number_format") or "")
    return Judged(row.cell, row.batch, number_format, row.right, row.max_rel_error, figure)


def _cost(one: Judged) -> float:
    return float("inf") if one.figure is None else one.figure


def _on_front(one: Judged, others: Sequence[Judged]) -> bool:
    """Cells without a figure are on no front."""
    mine = (-one.right.count, _cost(one))
    return one.figure is not None and not any(
        -other.right.count <= mine[0]
        and _cost(other) <= mine[1]
        and (-other.right.count, _cost(other)) != mine
        for other in others
    )
