"""What was measured, made ready to be read: rows, and what must be said of the runs behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from buildmatrix import report
from buildmatrix.bench.events import words
from buildmatrix.bench.journal import readable
from buildmatrix.results import Results
from buildmatrix.selector import matches_id
from buildmatrix.summary import Row, drift_of, rows
from buildmatrix.workload import multiply_adds, parameters, per

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.bench.steady import Drift
    from buildmatrix.nouns import Measurement, Run
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.workload import Workload

QUAD = 4  # fp32 lanes of a NEON register


@dataclass(frozen=True, slots=True)
class RowsWithNotes:
    """Rows, the sentinels of their runs, and words about each run, by its id."""

    rows: tuple[Row, ...]
    sentinels: tuple[Measurement, ...] = ()
    runs: tuple[Run, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drifts: Mapping[str, Drift] = field(default_factory=dict)


def bound(measured: Workload) -> float | None:
    """Fewest quad multiply-add instructions an image can take; None where nobody knows."""
    count = multiply_adds(measured)
    return None if count is None else count / QUAD


def latest(workshop: Workshop, *, device: str | None, only: tuple[str, ...] = ()) -> RowsWithNotes:
    """The newest results of every cell, with all that is kept of their runs."""
    with Results(workshop.paths.results) as results:
        blocks = results.latest(model=workshop.project.network.name, device=device)
    # Without --only, results of cells that left the matrix are still results.
    return with_notes(workshop, [block for block in blocks if matches_id(only, block.cell)])


def with_notes(workshop: Workshop, blocks: Iterable[Measurement]) -> RowsWithNotes:
    """Blocks as rows in the order of the matrix, with the sentinels and runs they belong to."""
    blocks = tuple(blocks)
    of_runs = {block.run for block in blocks}
    with Results(workshop.paths.results) as results:
        kept = tuple(run for run in results.runs() if run.id in of_runs)
        fixed = {run: [b for b in results.blocks(run) if b.sentinel] for run in of_runs}
    places = {cell.id: place for place, cell in enumerate(workshop.project.cells)}
    shown = sorted(rows(blocks), key=lambda row: (places.get(row.cell, len(places)), row.batch))
    names = tuple(dict.fromkeys(row.run for row in shown))
    runs = tuple(run for run in kept if run.id in names)
    drifts = {run: moved for run in names if (moved := drift_of(fixed[run])) is not None}
    notes = {}
    for run in runs:
        moved = drifts.get(run.id)
        happened = filter(None, map(words, readable(run.journal).events))
        notes[run.id] = (*((moved.words,) if moved and moved.flagged else ()), *happened)
    sentinels = tuple(block for run in names for block in fixed[run])
    return RowsWithNotes(tuple(shown), sentinels, runs, notes, drifts)


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


def document(workshop: Workshop, measured: RowsWithNotes) -> dict[str, Any]:
    net = workshop.project.network
    made = report.document(
        measured.rows,
        model_name=net.name,
        parameters=parameters(net),
        sentinels=measured.sentinels,
        per=per(net),
    )
    runs = [
        {
            "id": run.id,
            "device": run.device,
            "emulated": run.emulated,
            "label": run.label,
            "collected_at": run.collected_at,
            # Who asked is for whoever finds the board busy, and no part of what is published.
            "request": {k: v for k, v in run.request.items() if k != "owner"},
            "notes": list(measured.notes.get(run.id, ())),
        }
        for run in measured.runs
    ]
    return {**made, "runs": runs}


def grids(
    workshop: Workshop, measured: RowsWithNotes, *, study: bool = False
) -> tuple[report.Grid, ...]:
    """One table for each device, and at the end the study's, if asked for."""
    limit = bound(workshop.project.network)
    of = per(workshop.project.network)
    ours = report.grids(measured.rows, bound=limit, notes=measured.notes, per=of)
    return (*ours, report.study()) if study else ours


def table(workshop: Workshop, measured: RowsWithNotes, *, study: bool = False) -> object:
    """The grids as something that rich prints."""
    return report.table(grids(workshop, measured, study=study))
