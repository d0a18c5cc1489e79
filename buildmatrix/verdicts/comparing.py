"""Two sides of a comparison: runs, or cells of the newest results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from buildmatrix.compare import Between, Comparison, Verdict, compare
from buildmatrix.compare.base import between_runs
from buildmatrix.compare.judge import SAME_PROGRAM
from buildmatrix.errors import InputError
from buildmatrix.selector import matches_id
from buildmatrix.summary import Row, rows
from buildmatrix.verdicts import reporting
from buildmatrix.workload import described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.documents.verdicts import Compare, ComparisonRow
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.verdicts.reporting import RowsWithNotes
    from buildmatrix.workload import Workload

RUNS_THAT_TEACH = 8  # newest runs of a board that tell the noise between runs


@dataclass(frozen=True, slots=True)
class Compared:
    """The verdicts, and what each side is called."""

    base: str
    new: str
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...] = ()


def compared(
    workshop: Workshop, base: str, new: str, *, device: str | None, only: tuple[str, ...] = ()
) -> Compared:
    """`base` and `new` are 'latest', 'previous', the beginning of a run's id, or a cell.

    Two cells are compared at the batches that both have. Raises InputError when a side is not
    known, or a cell stands against a run.
    """
    cells = _cells(workshop, device)
    sides = [name in cells for name in (base, new)]
    if all(sides):
        before, after = (_renamed(cells[name], new) for name in (base, new))
        judged = compared_sides(before, after, base, new, cells=True)
        return spoken(judged, workshop.project.network)
    if any(sides):
        raise InputError(
            f"a cell cannot be compared with a run: {base}, {new}",
            hint="name two cells or two runs",
        )
    names = [_run(workshop, name, device) for name in (base, new)]
    before, after = (run(workshop, name, only) for name in names)
    judged = compared_sides(before, after, *names, between=between(workshop, after))
    return spoken(judged, workshop.project.network)


def spoken(compared: Compared, measured: Workload) -> Compared:
    """The same verdicts, whose figures say what they are of: an image, or a call."""
    per = described(measured).per
    comparisons = tuple(replace(c, metric=replace(c.metric, per=per)) for c in compared.comparisons)
    return replace(compared, comparisons=comparisons)


def compared_sides(
    base: RowsWithNotes,
    new: RowsWithNotes,
    base_name: str,
    new_name: str,
    *,
    between: Between | None = None,
    cells: bool = False,
    any_kind: bool = False,
) -> Compared:
    """Verdicts over two sets of rows; a change that is no more than a run's drift is none.

    `between` is what kept runs tell of the noise between runs; with `cells` the sides are two
    cells, which share their run; for `any_kind` see `compare`.
    """
    flagged = [d for side in (base, new) for d in side.drifts.values() if d.flagged]
    moved = max((abs(d.change) for d in flagged), default=0.0)
    notes = [
        f"run {name}: {words}"
        for side in (base, new)
        for name, all_words in side.notes.items()
        for words in all_words
    ]
    comparisons = compare(
        base.rows,
        new.rows,
        drift=moved,
        sentinels=(base.sentinels, new.sentinels),
        between=between,
        cells=cells,
        any_kind=any_kind,
    )
    notes += [*_conditions(comparisons), *(_two_runs(comparisons) if cells else ())]
    return Compared(base_name, new_name, comparisons, tuple(dict.fromkeys(notes)))


def between(workshop: Workshop, new: RowsWithNotes) -> Between | None:
    """How far a row's level differs from run to run on this board, by the newest runs kept."""
    boards = {(row.first.device, row.first.model) for row in new.rows}
    if len(boards) != 1:
        return None
    ((device, model),) = boards
    with workshop.results() as results:
        runs = [r for r in results.runs(device=device) if r.request.get("model", model) == model]
        return between_runs(
            rows(block for block in results.blocks(run.id) if block.model == model)
            for run in runs[:RUNS_THAT_TEACH]
        )


def _conditions(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """What differed between the sides and may matter, once for all rows that it holds for."""
    unlike = sum(c.verdict is Verdict.UNLIKE for c in comparisons)
    if unlike:
        yield f"{unlike} of {len(comparisons)} rows were not measured alike: they get no verdict"
    yield from dict.fromkeys(words for c in comparisons for words in c.remarks)
    moved = dict.fromkeys(c.reason for c in comparisons if c.verdict is Verdict.BOARD)
    yield from (words for words in moved if words != SAME_PROGRAM)


def _two_runs(comparisons: Sequence[Comparison]) -> Iterator[str]:
    if any(c.base_run and c.new_run and c.base_run != c.new_run for c in comparisons):
        yield "the cells were not measured in one run: what the board did between two is in it"


def run(workshop: Workshop, name: str, only: tuple[str, ...] = ()) -> RowsWithNotes:
    """One run's rows, and words about it."""
    with workshop.results() as results:
        blocks = [b for b in results.blocks(name) if not b.sentinel and matches_id(only, b.cell)]
    return reporting.with_notes(workshop, blocks)


def _run(workshop: Workshop, name: str, device: str | None) -> str:
    """The id of a run, by a word or by its beginning."""
    with workshop.results() as results:
        if name not in ("latest", "previous"):
            return results.run(name).id
        newest = results.runs(device=device)
        runs = results.runs(device=newest[0].device) if newest else ()
    place = ("latest", "previous").index(name)
    if len(runs) <= place:
        raise InputError(
            f"there is no {name} run{f' of {device}' if device else ''}: {len(runs)} are kept",
            hint="run `inv bench --collect`",
        )
    return runs[place].id


def _cells(workshop: Workshop, device: str | None) -> dict[str, RowsWithNotes]:
    """The newest results of every cell, on its own."""
    everything = reporting.latest(workshop, device=device)
    return {
        cell: replace(everything, rows=tuple(r for r in everything.rows if r.cell == cell))
        for cell in dict.fromkeys(row.cell for row in everything.rows)
    }


def _renamed(measured: RowsWithNotes, cell: str) -> RowsWithNotes:
    """Rows under another cell's name, so that two cells meet."""
    renamed = tuple(
        Row(row.status, tuple(replace(block, cell=cell) for block in row.blocks))
        for row in measured.rows
    )
    return replace(measured, rows=renamed)


def regressions(compared: Compared) -> tuple[str, ...]:
    """What got worse, in words that begin with the cell."""
    return tuple(c.sentence for c in compared.comparisons if c.verdict is Verdict.WORSE)


def document(compared: Compared) -> Compare:
    """The `compare` document, version 1."""
    return {
        "version": 1,
        "base": compared.base,
        "new": compared.new,
        "notes": list(compared.notes),
        "comparisons": entries(compared),
    }


def entries(compared: Compared) -> list[ComparisonRow]:
    """A JSON object for each verdict."""
    return [
        {
            "cell": c.cell,
            "batch": c.batch,
            "threads": c.threads,
            "device": c.device,
            "metric": c.metric.name,
            "unit": c.metric.unit,
            "base": c.base,
            "new": c.new,
            "change": c.change,
            "interval": c.interval,
            "p": c.p,
            "least": c.least,
            "p_board": c.p_board,
            "common": c.common,
            "verdict": c.verdict.value,
            "words": c.words,
            "reason": c.reason,
            "differs": list(c.differs),
            "remarks": list(c.remarks),
            "base_run": c.base_run,
            "new_run": c.new_run,
        }
        for c in compared.comparisons
    ]
