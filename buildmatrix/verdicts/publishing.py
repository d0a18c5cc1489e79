"""The report in every form: tables, JSON, CSV, Markdown, a page with plots, an archive of a row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from buildmatrix import page, plots, report
from buildmatrix.errors import InputError
from buildmatrix.pipeline.stored import bundle_by_digest
from buildmatrix.rerun import Archive, pack
from buildmatrix.verdicts import reporting
from buildmatrix.verdicts.sections import content
from buildmatrix.workload import described

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.documents.estimating import Estimates
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.verdicts.comparing import Compared
    from buildmatrix.verdicts.reporting import RowsWithNotes

# Of a request: who asked is for whoever finds the board busy; a meter's command may name its key.
UNPUBLISHED = ("owner", "power")


def document(
    workshop: Workshop, measured: RowsWithNotes, *, estimated: Estimates | None = None
) -> dict[str, Any]:
    """The `report` document, version 1: rows and blocks, and the runs that they are of; estimates
    under a name of their own."""
    about = described(workshop.project.network)
    rows = report.document(
        measured.rows,
        model_name=about.name,
        parameters=about.parameters,
        sentinels=measured.sentinels,
        per=about.per,
    )
    runs = [
        {
            "id": run.id,
            "device": run.device,
            "emulated": run.emulated,
            "label": run.label,
            "collected_at": run.collected_at,
            "request": {k: v for k, v in run.request.items() if k not in UNPUBLISHED},
            "notes": list(measured.notes.get(run.id, ())),
        }
        for run in measured.runs
    ]
    return {**rows, "runs": runs, **({"estimated": estimated} if estimated else {})}


def grids(
    workshop: Workshop, measured: RowsWithNotes, *, study: bool = False
) -> tuple[report.Grid, ...]:
    """One table for each device, and at the end the study's, if asked for."""
    about = described(workshop.project.network)
    ours = report.grids(measured.rows, bound=about.bound, notes=measured.notes, per=about.per)
    return (*ours, report.study()) if study else ours


def table(workshop: Workshop, measured: RowsWithNotes, *, study: bool = False) -> object:
    """The grids as something that rich prints."""
    return report.table(grids(workshop, measured, study=study))


def estimates(estimated: Estimates) -> object:
    """Estimates as something that rich prints."""
    return report.estimates(report.estimated(estimated))


def layers(measured: RowsWithNotes) -> object:
    """What the layers of these rows take, as something that rich prints. Raises InputError where no
    stack was asked."""
    tables = report.layer_tables(measured.rows)
    if not tables:
        raise InputError(
            "the run did not ask what layers take", hint="measure again: inv bench --layers"
        )
    return report.layers(tables)


def text(
    workshop: Workshop,
    measured: RowsWithNotes,
    form: str,
    *,
    study: bool = False,
    compared: Compared | None = None,
    estimated: Estimates | None = None,
) -> str:
    """The report as 'csv', 'markdown' or 'html'."""
    match form:
        case "csv":
            return report.csv(measured.rows)
        case "markdown":
            parts = [report.markdown(grids(workshop, measured, study=study))]
            if estimated:
                parts.append(report.estimates_in_markdown(report.estimated(estimated)))
            return "\n".join(filter(None, parts))
        case _:
            return page.render(
                content(workshop, measured, study=study, compared=compared, estimated=estimated)
            )


def write(
    workshop: Workshop,
    measured: RowsWithNotes,
    folder: Path,
    *,
    study: bool = False,
    compared: Compared | None = None,
    estimated: Estimates | None = None,
) -> list[str]:
    """Every form of the report into a folder, and plots of the boards that have a figure; the
    names written. CSV is of measured rows, and has no estimates."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = content(workshop, measured, study=study, compared=compared, estimated=estimated)
    texts = {
        "report.html": page.render(shown),
        "report.json": json.dumps(document(workshop, measured, estimated=estimated), indent=1)
        + "\n",
        "report.csv": text(workshop, measured, "csv"),
        "report.md": text(workshop, measured, "markdown", study=study, estimated=estimated),
    }
    if spec := shown.intervals:
        texts["plot-estimated.svg"] = page.svg(spec)
        (folder / "plot-estimated.png").write_bytes(page.png(spec))
    for number, board in enumerate(shown.boards, start=1):
        for scale in ("linear", "log") if board.points else ():
            spec = plots.lines(shown.chart(board), logarithmic=scale == "log")
            name = f"plot-{number}-{scale}"
            texts[f"{name}.svg"] = page.svg(spec)
            (folder / f"{name}.png").write_bytes(page.png(spec))
    for name, words in texts.items():
        (folder / name).write_text(words, encoding="utf-8")
    return sorted(path.name for path in folder.iterdir())


def repeatable(workshop: Workshop, measured: RowsWithNotes, cell: str, folder: Path) -> Archive:
    """All that is needed to repeat a cell's newest run elsewhere, as one archive in `folder`."""
    own = reporting.of_cell(measured, cell).rows
    theirs = {row.run for row in own}
    run = next((run for run in measured.runs if run.id in theirs), None)  # newest first
    if run is None:
        raise InputError(
            f"the results of {cell} are from before runs were kept",
            hint=f"measure it again: inv bench --only {cell} --collect",
        )
    rows = [row for row in own if row.run == run.id]
    bundle = bundle_by_digest(workshop.store, cell, rows[0].first.bundle)
    if bundle is None:
        raise InputError(
            f"the bundle of {cell} that was measured is no longer in the store",
            hint="build and measure it again",
        )
    per = described(workshop.project.network).per
    return pack(rows, bundle, run, workshop.store, folder=folder, per=per)
