"""Grids as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.printable import printable
from buildmatrix.report.accuracy import MARK, MEANING, judged
from buildmatrix.report.estimated import HEADS
from buildmatrix.summary import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from buildmatrix.report.accuracy import Judged
    from buildmatrix.report.estimated import EstimatedTable
    from buildmatrix.report.grid import Grid


def markdown(drawn: Iterable[Grid]) -> str:
    """Grids as Markdown tables, each with its title and notes; the best of a row is bold."""
    return "\n".join("\n".join(_markdown(grid)) for grid in drawn)


def estimates_in_markdown(told: EstimatedTable) -> str:
    """Estimates as a Markdown table with its notes; nothing of it is bold."""
    head = [f"### {_escaped(told.title)}\n", _line(HEADS), _line(["---", "---:", "---:", "---"])]
    rows = (_line(map(_escaped, row.fields)) for row in told.rows)
    notes = (f"- {_escaped(note)}" for note in told.notes)
    return "\n".join([*(head if told.rows else head[:1]), *rows, "", *notes, ""])


def _markdown(grid: Grid) -> Iterator[str]:
    sign = " (emulated)" if grid.emulated else ""
    unit = ("ms (M instr)" if grid.counted else "ms") + (", J" if grid.metered else "")
    yield f"### {_escaped(grid.title)}\n"
    yield _line(["batch", *(f"{_escaped(cell)}{sign}, {unit}" for cell in grid.cells)])
    yield _line(["---:"] * (len(grid.cells) + 1))
    for batch in grid.batches:
        yield _line([str(batch), *(_markdown_field(grid, batch, cell) for cell in grid.cells)])
    yield ""
    yield from (f"- {_escaped(note)}" for note in grid.notes)
    yield ""
    if known := judged(grid.rows):
        yield from _accuracy(known, emulated=grid.emulated)


def _accuracy(known: Iterable[Judged], *, emulated: bool) -> Iterator[str]:
    unit = "M instr (emulated)" if emulated else "ms"
    yield _line(["cell", "computes in", "right", "", unit, "batch", ""])
    yield _line(["---", "---", "---:", "---:", "---:", "---:", "---"])
    for one in known:
        figure = "-" if one.figure is None else time_text(one.figure)
        right = f"{one.right.count} of {one.right.of}"
        words = (_escaped(one.cell), _escaped(one.number_format), right, one.share, figure)
        yield _line([*words, str(one.batch), MARK if one.front else ""])
    yield f"\n- {MEANING.format('instructions (emulated)' if emulated else 'time')}\n"


def _markdown_field(grid: Grid, batch: int, cell: str) -> str:
    """The best of a row is bold; under emulation that is an instruction count, never a time."""
    value = grid.value(batch, cell)
    mark = "**" if grid.is_best(batch, cell) else ""
    count = f" ({value.instructions})" if value.instructions else ""
    joules = f", {value.joules}" if value.joules else ""
    if grid.emulated:
        return value.text + count.replace("(", f"({mark}").replace(")", f"{mark})") + joules
    return f"{mark}{value.text}{count}{mark}{joules}"


def _line(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _escaped(text: str) -> str:
    """A runner's words may hold what Markdown or HTML would act on: a tag, a link, an image."""
    signs = (
        ("&", "&amp;"),
        ("<", "&lt;"),
        ("|", "\\|"),
        ("\n", " "),
        ("![", "!\\["),
        ("](", "]\\("),
    )
    for sign, harmless in signs:
        text = text.replace(sign, harmless)
    return printable(text)
