"""Estimates as a table of their own: never in a grid, so never beside a time that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.summary import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.documents.estimating import Estimate, Estimates, OfCell, Order

HEADS = ("cell", "estimated ms", "nine of ten between", "its place")
KIND = (
    "estimated: nobody measured these; no verdict takes one, and none stands beside a board's time"
)


@dataclass(frozen=True, slots=True)
class EstimatedRow:
    """One cell, in milliseconds with their interval or by its place among others."""

    cell: str
    ms: float | None
    interval: tuple[float, float] | None
    place: str

    @property
    def fields(self) -> tuple[str, ...]:
        """What stands below HEADS."""
        if self.ms is None or self.interval is None:
            return self.cell, "-", "-", self.place
        low, high = self.interval
        return self.cell, time_text(self.ms), f"{time_text(low)} to {time_text(high)}", self.place


@dataclass(frozen=True, slots=True)
class EstimatedTable:
    """The cells of one network as on one real board that is not here; what is refused is told in
    the notes."""

    title: str
    rows: tuple[EstimatedRow, ...]
    notes: tuple[str, ...]


def estimated(document: Estimates) -> EstimatedTable:
    """The table of a document."""
    cells = document["cells"]
    threads = f"{document['threads']} thread{'s' if document['threads'] > 1 else ''}"
    place = f"as on {document['about']}, {threads}, batch 1"
    return EstimatedTable(
        title=f"estimated, not measured: {document['model']}, {place}",
        rows=tuple(_rows(cells)),
        notes=(KIND, *dict.fromkeys(_notes(cells)), *_refused(cells)),
    )


def _rows(cells: Sequence[OfCell]) -> Iterator[EstimatedRow]:
    """Those in milliseconds first, the fastest first; then those in their order."""
    told = [one["milliseconds"] for one in cells if one["milliseconds"]]
    for made in sorted(told, key=lambda one: one["estimated_ms_per_image"] or 0.0):
        ms, interval = made["estimated_ms_per_image"], made["estimated_interval_ms"]
        yield EstimatedRow(made["cell"], ms, interval, _between(made))
    orders = [one["order"] for one in cells if one["order"]]
    for ranked in sorted(orders, key=_instructions):
        yield EstimatedRow(ranked["cell"], None, None, _place(ranked))


def _between(made: Estimate) -> str:
    """The published networks that it stands between."""
    words = {"slower than": made["slower_than"], "faster than": made["faster_than"]}
    return ", ".join(f"{than} {name}" for than, name in words.items() if name)


def _instructions(ranked: Order) -> float:
    return next(row["instructions"] for row in ranked["cells"] if row["cell"] == ranked["cell"])


def _place(ranked: Order) -> str:
    names = [row["cell"] for row in ranked["cells"]]
    near = [
        row["cell"]
        for row in ranked["cells"]
        if row["cell"] != ranked["cell"] and not row["told_apart"]
    ]
    place = f"{names.index(ranked['cell']) + 1} of {len(names)} by instructions, "
    apart = f"; not told apart from {', '.join(near)}" if near else ""
    return f"{place}{_instructions(ranked) / 1e6:.1f} M{apart}"


def _notes(cells: Sequence[OfCell]) -> Iterator[str]:
    """What a reader must know of the rows, each once."""
    for one in cells:
        if made := one["milliseconds"]:
            errors = made["errors"]
            yield (
                f"such estimates were off by {errors['median_error']:.0%} (median) and "
                f"{errors['ninth_decile']:.0%} (nine of ten), over {errors['rows']} published "
                f"times whose {_unseen(made)} the fit had not seen"
            )
            if made["own_rows"]:
                yield f"runs of one's own that were fitted to: {made['own_rows']}"
            yield from made["notes"]
        if ranked := one["order"]:
            yield ranked["reason"]
            yield f"nearer than {ranked['near']:.0%} of instructions are not told apart"
            yield from ranked["notes"]


def _unseen(made: Estimate) -> str:
    return "network and board" if made["held_out"] == "both" else made["held_out"]


def _refused(cells: Sequence[OfCell]) -> Iterator[str]:
    """Why cells have no row, each reason once with the cells that it is of."""
    for words in dict.fromkeys(one["refused"] for one in cells if one["refused"]):
        names = ", ".join(one["cell"] for one in cells if one["refused"] == words)
        yield f"not estimated, {words}: {names}"
