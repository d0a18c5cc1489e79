"""The report in every form, and what stands behind its figures: audits, provenance, boards."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from buildmatrix import __version__, page, plots, report
from buildmatrix.errors import InputError
from buildmatrix.nouns import Measurement, Status
from buildmatrix.pipeline.stored import bundle_by_digest, stored
from buildmatrix.rerun import Archive, pack
from buildmatrix.verdicts import reporting
from buildmatrix.verdicts.agreeing import agreement
from buildmatrix.workload import multiply_adds, parameters, per

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from buildmatrix.pipeline.stored import Stored
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.verdicts.comparing import Compared
    from buildmatrix.verdicts.reporting import RowsWithNotes
    from buildmatrix.workload import Workload


def text(
    workshop: Workshop,
    measured: RowsWithNotes,
    form: str,
    *,
    study: bool = False,
    compared: Compared | None = None,
) -> str:
    """The report as 'csv', 'markdown' or 'html'."""
    match form:
        case "csv":
            return report.csv(measured.rows)
        case "markdown":
            return report.markdown(reporting.grids(workshop, measured, study=study))
        case _:
            return page.render(content(workshop, measured, study=study, compared=compared))


def write(
    workshop: Workshop,
    measured: RowsWithNotes,
    folder: Path,
    *,
    study: bool = False,
    compared: Compared | None = None,
) -> list[str]:
    """Every form of the report into a folder; the names written."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = content(workshop, measured, study=study, compared=compared)
    texts = {
        "report.html": page.render(shown),
        "report.json": json.dumps(reporting.document(workshop, measured), indent=1) + "\n",
        "report.csv": text(workshop, measured, "csv"),
        "report.md": text(workshop, measured, "markdown", study=study),
    }
    for number, board in enumerate(shown.boards, start=1):
        for scale in ("linear", "log"):
            drawn = plots.lines(shown.chart(board), logarithmic=scale == "log")
            name = f"plot-{number}-{scale}"
            texts[f"{name}.svg"] = page.svg(drawn)
            (folder / f"{name}.png").write_bytes(page.png(drawn))
    for name, words in texts.items():
        (folder / name).write_text(words, encoding="utf-8")
    return sorted(path.name for path in folder.iterdir())


def content(
    workshop: Workshop,
    measured: RowsWithNotes,
    *,
    study: bool = False,
    compared: Compared | None = None,
) -> page.Page:
    """All that the HTML page says."""
    cells = tuple(_cells(stored(workshop), workshop, measured))
    net = workshop.project.network
    return page.Page(
        title=f"{net.name} on ARM boards",
        model=_measured(net),
        generated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        tool=f"buildmatrix {__version__}",
        boards=tuple(_boards(workshop, measured)),
        agreement=tuple(page.Agreed(*row) for row in agreement(workshop, measured).words()),
        comparisons=compared.comparisons if compared else (),
        compared=f"{compared.new} against {compared.base}" if compared else "",
        study=report.study() if study else None,
        cells=cells,
        per=per(net),
    )


def _measured(one: Workload) -> str:
    count = multiply_adds(one)
    if count is None:
        return f"{one.name}: calls of the library's own functions, ms a call"
    million = f"{count / 1e6:.1f} million multiply-adds an image"
    return f"{one.name}: {parameters(one):,} parameters, {million}"


def repeatable(workshop: Workshop, measured: RowsWithNotes, cell: str, folder: Path) -> Archive:
    """All that is needed to repeat a cell's newest run elsewhere, as one archive in `folder`."""
    of_cell = [row for row in measured.rows if row.cell == cell]
    if not of_cell:
        known = ", ".join(dict.fromkeys(row.cell for row in measured.rows)) or "none"
        raise InputError(f"'{cell}' was not measured", hint=f"measured are: {known}")
    theirs = {row.run for row in of_cell}
    run = next((run for run in measured.runs if run.id in theirs), None)  # newest first
    if run is None:
        raise InputError(
            f"the results of {cell} are from before runs were kept",
            hint=f"measure it again: inv bench --only {cell} --collect",
        )
    rows = [row for row in of_cell if row.run == run.id]
    bundle = bundle_by_digest(workshop.store, cell, rows[0].first.bundle)
    if bundle is None:
        raise InputError(
            f"the bundle of {cell} that was measured is no longer in the store",
            hint="build and measure it again",
        )
    return pack(rows, bundle, run, workshop.store, folder=folder)


def _boards(workshop: Workshop, measured: RowsWithNotes) -> Iterator[page.BoardSection]:
    """One for each grid: a device, and a thread count."""
    limit = reporting.bound(workshop.project.network)
    for rows in report.by_board(measured.rows):
        first = rows[0].first
        emulated, device, threads = first.emulated, first.device, first.threads
        runs = dict.fromkeys(row.run for row in rows)
        blocks = [b for row in rows for b in row.blocks]
        environment = (*_environment(blocks[-1]), *_settings(measured, tuple(runs)))
        (grid,) = reporting.grids(workshop, replace(measured, rows=rows))
        sentinels = [s for s in measured.sentinels if s.run in runs]
        yield page.BoardSection(
            name=f"{device}, {threads} thread{'s' if threads > 1 else ''}",
            grid=grid,
            points=plots.points(rows),
            bound=limit / 1e6 if emulated and limit is not None else None,
            void=tuple(b for b in (*blocks, *sentinels) if b.status is Status.VOID),
            events=tuple((run, words) for run in runs for words in measured.notes.get(run, ())),
            environment=environment,
            formats=tuple(
                dict.fromkeys(
                    (block.cell, str(number_format))
                    for block in blocks
                    if (number_format := block.environment.get("number_format"))
                )
            ),
        )


def _environment(block: Measurement) -> Iterator[tuple[str, str]]:
    """What the board said it is."""
    kept = block.environment.get("device")
    about: Mapping[str, object] = kept if isinstance(kept, dict) else {}
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
            shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield label, shown + unit


def _settings(measured: RowsWithNotes, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """How each run was made, so that it can be made again."""
    for run in measured.runs:
        if run.id in names:
            asked = run.request
            yield (
                f"run {run.id}",
                f"{asked.get('rounds')} rounds of {asked.get('passes')} passes after "
                f"{asked.get('warmup')} to warm up, seed {asked.get('seed')}, "
                f"buildmatrix {asked.get('tool')}; again: inv bench --replay {run.id}",
            )


def _cells(
    present: Mapping[str, Stored], workshop: Workshop, measured: RowsWithNotes
) -> Iterator[page.Built]:
    """What stands behind each cell's figures; the audit is that of the very bundle measured."""
    newest = {row.cell: row for row in measured.rows}
    for cell, row in newest.items():
        sources = workshop.project.graph.sources_of(cell)
        trees = ((f"source {one.name}", f"tree {one.tree or 'not known'}") for one in sources)
        provenance = (*_made_of(row.first), *trees)
        now, digest = present.get(cell), row.first.bundle
        bundle, audit = (now.bundle, now.audit) if now else (None, None)
        if bundle is None or bundle.digest != digest:
            bundle, audit = bundle_by_digest(workshop.store, cell, digest), None
        yield page.Built(
            cell=cell,
            bundle_bytes=bundle.size if bundle else None,
            files=audit.facts if audit else (),
            findings=audit.findings if audit else (),
            provenance=provenance,
        )


def _made_of(block: Measurement) -> Iterator[tuple[str, str]]:
    facts = block.environment.get("facts")
    for name, value in (facts if isinstance(facts, dict) else {}).items():
        shown = " ".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(value, dict):
            shown = " ".join(f"{option}={choice}" for option, choice in value.items())
        yield name.replace("_", " "), str(shown)
    yield "bundle", block.bundle
