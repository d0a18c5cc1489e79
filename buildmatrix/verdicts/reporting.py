"""What was measured, made ready to be read: rows, and what must be said of the runs behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from buildmatrix import report
from buildmatrix.bench.events import words
from buildmatrix.bench.journal import readable
from buildmatrix.bench.steady import Drift, drift
from buildmatrix.network import multiply_adds, parameters
from buildmatrix.nouns import INSTRUCTIONS, TIME, Status
from buildmatrix.results import Results
from buildmatrix.selector import matches_id
from buildmatrix.summary import Row, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from buildmatrix.network import NetworkSpec
    from buildmatrix.nouns import Measurement, Run
    from buildmatrix.pipeline.workshop import Workshop

QUAD = 4  # fp32 lanes of a NEON register


@dataclass(frozen=True, slots=True)
class RowsWithNotes:
    """Rows, the sentinels of their runs, and words about each run, by its id."""

    rows: tuple[Row, ...]
    sentinels: tuple[Measurement, ...] = ()
    runs: tuple[Run, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drifts: Mapping[str, Drift] = field(default_factory=dict)


def bound(net: NetworkSpec) -> float:
    """Fewest quad multiply-add instructions an image can take."""
    return multiply_adds(net) / QUAD


def latest(workshop: Workshop, *, device: str | None, only: tuple[str, ...] = ()) -> RowsWithNotes:
    """The newest results of every cell, with all that is kept of their runs."""
    with Results(workshop.paths.results) as results:
        found = results.latest(model=workshop.project.network.name, device=device)
    # Without --only, results of cells that left the matrix are still results.
    return told(workshop, [block for block in found if matches_id(only, block.cell)])


def told(workshop: Workshop, blocks: Iterable[Measurement]) -> RowsWithNotes:
    """Blocks as rows in the order of the matrix, with the sentinels and runs they belong to."""
    places = {cell.id: place for place, cell in enumerate(workshop.project.cells)}
    found = tuple(
        sorted(rows(blocks), key=lambda row: (places.get(row.cell, len(places)), row.batch))
    )
    with Results(workshop.paths.results) as results:
        sentinels = tuple(
            block
            for run in dict.fromkeys(row.run for row in found)
            for block in results.blocks(run)
            if block.sentinel
        )
        kept = {row.run for row in found}
        runs = tuple(run for run in results.runs() if run.id in kept)
    drifts = {run: moved for run in kept if (moved := _drift(run, sentinels)) is not None}
    notes = {
        run.id: (
            *((drifts[run.id].words,) if run.id in drifts and drifts[run.id].flagged else ()),
            *_events(run),
        )
        for run in runs
    }
    return RowsWithNotes(found, sentinels, runs, notes, drifts)


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


def _drift(run: str, sentinels: Sequence[Measurement]) -> Drift | None:
    """How the board moved during a run, by the figure that its rows are compared by."""
    blocks = sorted((s for s in sentinels if s.run == run), key=lambda block: block.block)
    if not blocks:
        return None
    figures = Row(Status.OK, tuple(blocks)).figures(INSTRUCTIONS if blocks[0].emulated else TIME)
    return drift(figures)


def _events(run: Run) -> Iterator[str]:
    """What the board wrote down of itself during a run, in words."""
    for event in readable(run.journal).events:
        if told := words(event):
            yield told


def document(workshop: Workshop, found: RowsWithNotes) -> dict[str, Any]:
    net = workshop.project.network
    made = report.document(
        found.rows, model_name=net.name, parameters=parameters(net), sentinels=found.sentinels
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
            "notes": list(found.notes.get(run.id, ())),
        }
        for run in found.runs
    ]
    return {**made, "runs": runs}


def grids(
    workshop: Workshop, found: RowsWithNotes, *, study: bool = False
) -> tuple[report.Grid, ...]:
    """One table for each device, and at the end the study's, if asked for."""
    limit = bound(workshop.project.network)
    ours = report.grids(found.rows, bound=limit, notes=found.notes)
    return (*ours, report.study()) if study else ours


def table(workshop: Workshop, found: RowsWithNotes, *, study: bool = False) -> object:
    """The grids as something that rich prints."""
    return report.table(grids(workshop, found, study=study))
