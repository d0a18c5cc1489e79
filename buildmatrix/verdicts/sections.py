"""What the page says, section by section: boards, agreement, comparisons, what was built."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from buildmatrix import __version__, page, plots, report
from buildmatrix.conditions import mapping
from buildmatrix.nouns import Measurement, Status
from buildmatrix.verdicts.agreeing import agreement
from buildmatrix.verdicts.provenance import built
from buildmatrix.workload import answer_of, answerer, described

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from buildmatrix.documents.estimating import Estimates
    from buildmatrix.nouns import Run
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.verdicts.comparing import Compared
    from buildmatrix.verdicts.reporting import RowsWithNotes


def content(
    workshop: Workshop,
    measured: RowsWithNotes,
    *,
    study: bool = False,
    compared: Compared | None = None,
    estimated: Estimates | None = None,
) -> page.Page:
    """All that the HTML page says."""
    about = described(workshop.project.network)
    grids = report.grids(measured.rows, bound=about.bound, notes=measured.notes, per=about.per)
    published = report.study() if study else None
    boards = tuple(_board(grid, measured, about.bound) for grid in grids)
    answers = agreement(workshop, measured).words()
    return page.Page(
        title=f"{about.name} on ARM boards",
        model=about.sentence,
        generated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"buildmatrix {__version__}",
        boards=boards,
        agreement=tuple(page.Agreed(*row) for row in answers),
        right=answer_of(answerer(workshop.project.network)),
        comparisons=compared.comparisons if compared else (),
        compared=f"{compared.new} against {compared.base}" if compared else "",
        study=published,
        cells=tuple(built(workshop, measured.rows)),
        per=about.per,
        estimated=report.estimated(estimated) if estimated else None,
    )


def _board(grid: report.Grid, measured: RowsWithNotes, bound: float | None) -> page.BoardSection:
    """A grid, which is of one device and thread count, with all that belongs to its runs."""
    first = grid.rows[0].first
    names = dict.fromkeys(row.run for row in grid.rows)
    blocks = [block for row in grid.rows for block in row.blocks]
    sentinels = [block for block in measured.sentinels if block.run in names]
    runs = [run for run in measured.runs if run.id in names]
    environment = (*_environment(blocks[-1]), *map(_settings, runs))
    formats = tuple(dict.fromkeys(_formats(blocks)))
    return page.BoardSection(
        name=f"{first.device}, {first.threads} thread{'s' if first.threads > 1 else ''}",
        grid=grid,
        points=plots.points(grid.rows),
        bound=bound / 1e6 if grid.emulated and bound is not None else None,
        void=tuple(b for b in (*blocks, *sentinels) if b.status is Status.VOID),
        events=tuple((run, words) for run in names for words in measured.notes.get(run, ())),
        environment=environment,
        accuracy=report.judged(grid.rows),
        layers=report.layer_tables(grid.rows),
        formats=formats,
    )


def _environment(block: Measurement) -> Iterator[tuple[str, str]]:
    """What the board said it is."""
    about = mapping(block.environment.get("device"))
    yield "board", str(about.get("model") or block.device)
    for name, label, unit in (
        ("emulated", "emulated", ""),
        ("kernel", "kernel", ""),
        ("elf_machine", "userland", ""),
        ("libc", "libc", ""),
        ("cores", "cores", ""),
        ("cpu_parts", "CPU parts", ""),
        ("memory_kib", "memory", " KiB"),
        ("governor", "governor", ""),
        ("clock_khz", "clock", " kHz"),
        ("temperature_c", "temperature", " °C"),
        ("features", "CPU features", ""),
    ):
        value = about.get(name)
        if value not in (None, "", [], ()):
            words = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield label, words + unit


def _settings(run: Run) -> tuple[str, str]:
    """How a run was made, so that it can be made again."""
    asked = run.request
    return (
        f"run {run.id}",
        f"{asked.get('rounds')} rounds of {asked.get('passes')} passes after "
        f"{asked.get('warmup')} to warm up, seed {asked.get('seed')}, "
        f"buildmatrix {asked.get('tool')}; again: inv bench --replay {run.id}",
    )


def _formats(blocks: Iterable[Measurement]) -> Iterator[tuple[str, str]]:
    """What each block's cell computes in, where its answer said so."""
    for block in blocks:
        if number_format := block.environment.get("number_format"):
            yield block.cell, str(number_format)
