"""report: the table of what was measured, in every form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.common import command, print_json, print_table, progress, say, workshop
from buildmatrix.errors import InputError, UsageError

if TYPE_CHECKING:
    from buildmatrix.network import NetworkSpec

QUAD = 4  # fp32 lanes of a NEON register


def bound(net: NetworkSpec) -> float:
    """Fewest quad multiply-add instructions an image can take."""
    from buildmatrix.network import multiply_adds  # noqa: PLC0415

    return multiply_adds(net) / QUAD


@command(
    {
        "format": "table, json, csv or markdown",
        "out": "folder to write report.json, report.csv and report.md into",
        "against": "study: put the table published in 2017 beside ours",
        "host": "only results of this device",
    },
    iterable=["only"],
)
def report(
    _c: Any,
    matrix: str = "matrix.yaml",
    only: Any = None,
    host: str = "",
    format: str = "table",
    out: str = "",
    against: str = "",
    json: bool = False,
    state: str = "",
) -> None:
    """Print the newest results of every cell; emulated ones stand apart and say so."""
    from buildmatrix import report as reports  # noqa: PLC0415
    from buildmatrix.network import parameters  # noqa: PLC0415
    from buildmatrix.results import Results  # noqa: PLC0415

    if format not in ("table", "json", "csv", "markdown"):
        raise UsageError(f"no format '{format}'", hint="table, json, csv or markdown")
    if against not in ("", "study"):
        raise UsageError(f"--against {against} is not known", hint="--against study")
    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        net = shop.project.network
        chosen = {cell.id for cell in shop.project.cells}
        with Results(shop.state / "results.sqlite") as results:
            found = results.latest(model=net.name, device=host or None)
        # Without --only, results of cells that left the matrix are still results.
        rows = [row for row in found if not only or row.cell in chosen]
    if not rows and not against:
        raise InputError("no results yet", hint="run `inv bench --collect`")
    document = reports.document(rows, model_name=net.name, parameters=parameters(net))
    drawn = list(reports.grids(rows, bound=bound(net)))
    if against:
        drawn.append(reports.study())
    if out:
        _write(Path(out), {
            "report.csv": reports.csv(rows),
            "report.md": reports.markdown(drawn),
        }, document)  # fmt: skip
        say(f"written: {out}/report.json, report.csv, report.md")
    elif json or format == "json":
        print_json(document)
    elif format == "csv":
        say(reports.csv(rows).rstrip("\n"))
    elif format == "markdown":
        say(reports.markdown(drawn).rstrip("\n"))
    else:
        print_table(reports.table(drawn))


def _write(folder: Path, texts: dict[str, str], document: object) -> None:
    import json  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "report.json").write_text(json.dumps(document, indent=1) + "\n")


TASKS = (report,)
