"""How comparisons, nights and agreement look on a terminal. Figures are never cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from buildmatrix.cli.listing import Listing
from buildmatrix.cli.tables import STATES, clipped, headed
from buildmatrix.printable import escape
from buildmatrix.workload import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.documents.verdicts import Agree, Compare, ComparisonRow, Nightly, NightRun


VERDICTS = {
    "better": "green",
    "worse": "bold red",
    "the board": "yellow",
    "not enough data": "yellow",
    "not alike": "yellow",
    "gone": "yellow",
}


def comparison(document: Compare) -> RenderableType:
    """Figures are never cut: where columns are few, the names and the words fold."""
    rows = document["comparisons"]
    figures = [
        (
            str(row["batch"]),
            _figure(row, row["base"]),
            _figure(row, row["new"]),
            "" if row["change"] is None else f"{row['change']:+.1%}",
        )
        for row in rows
    ]
    title = f"{document['new']} against {document['base']}"
    table = headed("cell", "batch", "base", "new", "change", "verdict", title=title)
    for place, column in enumerate(table.columns[1:5]):
        column.no_wrap, column.justify = True, "right"
        column.min_width = max((len(texts[place]) for texts in figures), default=0)
    for row, texts in zip(rows, figures, strict=True):
        colour = VERDICTS.get(row["verdict"], "dim")
        reason = f"\n[dim]{escape(row['reason'])}[/]" if row["reason"] else ""
        table.add_row(escape(row["cell"]), *texts, f"[{colour}]{escape(row['words'])}[/]{reason}")
    units = {row["metric"]: row["unit"] for row in rows}
    notes = [f"figures: {', '.join(units.values())}" if units else "nothing to compare"]
    return Group(table, Text(), *(Text(note, style="dim") for note in (*notes, *document["notes"])))


def _figure(row: ComparisonRow, figure: float | None) -> str:
    """Times as they are, instructions in millions: see the unit below the table."""
    from buildmatrix.summary import millions_text, time_text

    if figure is None:
        return "-"
    counted = row["metric"].startswith("instructions")
    if counted:
        return f"{figure / 1e6:.2f} M" if figure >= 1e6 else f"{millions_text(figure)} M"
    return time_text(figure)


def night(document: Nightly) -> RenderableType:
    parts: list[RenderableType] = [Text(f"night {document['id']}", style="bold"), Text()]
    toolchains = headed("toolchain", "rebuilt from nothing")
    for name, words in document["toolchains"].items():
        toolchains.add_row(name, escape(clipped(words, 600)))
    cells = headed("cell", "")
    for name, state in document["cells"].items():
        word, colour = STATES[state]
        cells.add_row(name, f"[{colour}]{word}[/]")
    parts += [toolchains, Text(), cells, Text()]
    for run in document["runs"]:
        parts.append(Text(run["model"], style="bold"))
        if run["compared_with"]:
            verdicts: Compare = {
                "version": 1,
                "base": run["compared_with"],
                "new": run["run"],
                "notes": run["notes"],
                "comparisons": run["comparisons"],
            }
            parts.append(comparison(verdicts))
            if run["since_accepted"]:
                parts.append(_since_accepted(run))
        else:
            none = "no good night of this model on this board yet: nothing to compare with"
            parts.append(Text(none, "yellow"))
    parts += [Text(f"the board: {words}", style="yellow") for words in document["health"]]
    for trouble in document["troubles"]:
        parts.append(Text(f"trouble ({trouble['code']}): {trouble['words']}", style="bold red"))
    if not document["troubles"]:
        parts.append(Text("a good night", style="green"))
    return Group(*parts)


def _since_accepted(run: NightRun) -> RenderableType:
    """What moved since the last accepted night, where each night alone moved too little."""
    moved = [c for c in run["since_accepted"] if c["verdict"] in ("better", "worse", "the board")]
    if not moved:
        return Text(f"since {run['accepted']}, the last accepted: nothing moved", "dim")
    return comparison(
        {
            "version": 1,
            "base": f"{run['accepted']}, the last accepted",
            "new": run["run"],
            "notes": [],
            "comparisons": moved,
        }
    )


def agreement(document: Agree, rows: Iterable[Sequence[str]]) -> RenderableType:
    right = f"to {answer_of(document['answerer'])}"
    listing = Listing(("cell", "computes in", right), "worst to a cell of that format")
    for cell, number_format, reference, others in rows:
        listing.add(escape(cell), escape(number_format), escape(reference), words=escape(others))
    model = document["model"]
    title = Text(f"{model}: largest relative difference, and at which output", style="bold")
    return Group(title, listing)
