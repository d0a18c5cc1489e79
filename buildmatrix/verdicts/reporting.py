"""What was measured, made ready to be read: rows, and what must be said of the runs behind them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from buildmatrix.bench.events import words
from buildmatrix.bench.journal import readable
from buildmatrix.bench.unmet import unmet
from buildmatrix.errors import InputError
from buildmatrix.selector import matches_id
from buildmatrix.summary import Row, drift_of, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from buildmatrix.bench.steady import Drift
    from buildmatrix.nouns import Cell, Measurement, Run
    from buildmatrix.pipeline.workshop import Workshop


@dataclass(frozen=True, slots=True)
class RowsWithNotes:
    """Rows, the sentinels of their runs, and words about each run, by its id."""

    rows: tuple[Row, ...]
    sentinels: tuple[Measurement, ...] = ()
    runs: tuple[Run, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drifts: Mapping[str, Drift] = field(default_factory=dict)


def latest(workshop: Workshop, *, device: str | None, only: tuple[str, ...] = ()) -> RowsWithNotes:
    """The newest results of every cell, with all that is kept of their runs."""
    with workshop.results() as results:
        blocks = results.latest(model=workshop.project.network.name, device=device)
        runs, sentinels = results.behind(blocks)
    # Without --only, results of cells that left the matrix are still results.
    chosen = [block for block in blocks if matches_id(only, block.cell)]
    return _noted(workshop.project.cells, chosen, runs, sentinels)


def of_cell(measured: RowsWithNotes, cell: str) -> RowsWithNotes:
    """The same of one cell. Raises InputError for one that was not measured."""
    own = tuple(row for row in measured.rows if row.cell == cell)
    if not own:
        known = ", ".join(dict.fromkeys(row.cell for row in measured.rows)) or "none"
        raise InputError(f"'{cell}' was not measured", hint=f"measured are: {known}")
    return replace(measured, rows=own)


def with_notes(workshop: Workshop, blocks: Iterable[Measurement]) -> RowsWithNotes:
    """Blocks as rows in the order of the matrix, with the sentinels and runs they belong to."""
    blocks = tuple(blocks)
    with workshop.results() as results:
        runs, sentinels = results.behind(blocks)
    return _noted(workshop.project.cells, blocks, runs, sentinels)


def _noted(
    cells: Iterable[Cell],
    blocks: Iterable[Measurement],
    runs: Iterable[Run],
    sentinels: Sequence[Measurement],
) -> RowsWithNotes:
    """Rows in the order of `cells`, with those of the runs and sentinels that are behind them."""
    places = {cell.id: place for place, cell in enumerate(cells)}
    ordered = sorted(rows(blocks), key=lambda row: (places.get(row.cell, len(places)), row.batch))
    of_run = {
        name: [one for one in sentinels if one.run == name]
        for name in dict.fromkeys(row.run for row in ordered)
    }
    drifts = {name: moved for name, own in of_run.items() if (moved := drift_of(own)) is not None}
    behind = tuple(run for run in runs if run.id in of_run)
    notes = {}
    for run in behind:
        moved = drifts.get(run.id)
        happened = filter(None, map(words, readable(run.journal).events))
        own = [block for row in ordered if row.run == run.id for block in row.blocks]
        drifted = (moved.words,) if moved and moved.flagged else ()
        notes[run.id] = (*drifted, *happened, *unmet(run.request, own))
    used = tuple(one for own in of_run.values() for one in own)
    return RowsWithNotes(tuple(ordered), used, behind, notes, drifts)


def joined(rows: tuple[Row, ...], parts: Iterable[RowsWithNotes]) -> RowsWithNotes:
    """These rows, which are of several runs, with all that is kept of those runs."""
    parts = list(parts)
    return RowsWithNotes(
        rows,
        tuple(block for part in parts for block in part.sentinels),
        tuple(run for part in parts for run in part.runs),
        {run: words for part in parts for run, words in part.notes.items()},
        {run: moved for part in parts for run, moved in part.drifts.items()},
    )
