"""Grids on a terminal, never wider than it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from buildmatrix.printable import printable
from buildmatrix.report.accuracy import MARK, MEANING, judged
from buildmatrix.report.estimated import HEADS
from buildmatrix.summary import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from buildmatrix.report.accuracy import Judged
    from buildmatrix.report.estimated import EstimatedTable
    from buildmatrix.report.grid import Grid
    from buildmatrix.report.layers import LayerTable


def table(drawn: Iterable[Grid], *, width: int = 100) -> Group:
    """Grids for a terminal; a grid wider than `width` columns becomes several tables."""
    parts: list[Table | Text] = []
    for grid in drawn:
        slices = _slices(grid, width)
        for number, cells in enumerate(slices, start=1):
            part = f" ({number} of {len(slices)})" if len(slices) > 1 else ""
            parts += [Text(printable(grid.title + part), style="bold"), _table(grid, cells), Text()]
        parts += [*(Text(printable(note), style="dim") for note in grid.notes), Text()]
        if known := judged(grid.rows):
            parts += [*_accuracy(known, emulated=grid.emulated), Text()]
    return Group(*parts)


def layers(tables: Iterable[LayerTable], *, width: int = 100) -> Group:
    """What each layer takes, with a bar of its share; a stack that tells nothing has its words."""
    parts: list[Table | Text] = []
    for one in tables:
        sign = " (emulated)" if one.emulated else ""
        parts.append(Text(printable(f"{one.cell}, batch {one.batch}{sign}"), style="bold"))
        if one.bars:
            parts += [_layers(one, max(width - 60, 10)), Text(one.sum, style="dim"), Text()]
        else:
            parts += [Text(printable(one.silence)), Text()]
    return Group(*parts)


def estimates(told: EstimatedTable) -> Group:
    """Estimates, in a table that no measured time stands in."""
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for head in HEADS:
        drawn.add_column(head, justify="right" if head in HEADS[1:3] else "left", overflow="fold")
    for row in told.rows:
        drawn.add_row(*(Text(printable(words)) for words in row.fields))
    title = Text(printable(told.title), style="bold")
    notes = (Text(printable(note), style="dim") for note in told.notes)
    return Group(title, *([drawn] if told.rows else []), Text(), *notes)


def _layers(one: LayerTable, longest: int) -> Table:
    drawn = _list("layer", "ms", *(["M instr"] if one.counted else []), "share")
    drawn.add_column("")
    most = max(bar.share for bar in one.bars)
    for bar in one.bars:
        count = [] if bar.million is None or not one.counted else [f"{bar.million:.4f}"]
        length = round(bar.share / most * longest) if most else 0
        line = Text("█" * length, style="dim" if one.emulated and not one.counted else "")
        drawn.add_row(Text(printable(bar.name)), f"{bar.ms:.4f}", *count, f"{bar.share:.1%}", line)
    return drawn


def _accuracy(known: Sequence[Judged], *, emulated: bool) -> Iterable[Table | Text]:
    """What each cell gets right, beside what that takes."""
    unit = "M instr" if emulated else "ms"
    drawn = _list("cell", "computes in", "right", "of them", unit, "batch", "")
    for one in known:
        figure = "-" if one.figure is None else time_text(one.figure)
        drawn.add_row(
            Text(printable(one.cell)),
            Text(printable(one.number_format)),
            f"{one.right.count} of {one.right.of}",
            one.share,
            figure,
            str(one.batch),
            MARK if one.front else "",
        )
    sign = " (emulated)" if emulated else ""
    yield Text(f"accuracy, on pictures that were held out{sign}", style="bold")
    yield drawn
    yield Text(MEANING.format("instructions (emulated)" if emulated else "time"), style="dim")


def _list(first: str, *others: str) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    drawn.add_column(first, no_wrap=True)
    for name in others:
        drawn.add_column(name, justify="right")
    return drawn


def _table(grid: Grid, cells: Sequence[str]) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    drawn.add_column("batch", justify="right", vertical="bottom")
    for cell in cells:
        drawn.add_column(Text(_header(grid, cell), justify="right"), justify="right", no_wrap=True)
    for batch in grid.batches:
        drawn.add_row(str(batch), *(_styled(grid, batch, cell) for cell in cells))
    return drawn


def _header(grid: Grid, cell: str) -> str:
    unit = (
        "ms"
        + (f"{'±':>7}" if grid.margins else "")
        + (f"{'M instr':>9}" if grid.counted else "")
        + (f"{'J':>10}" if grid.metered else "")
    )
    return "\n".join([cell, *(["emulated"] if grid.emulated else []), unit])


def _styled(grid: Grid, batch: int, cell: str) -> Text:
    value = grid.value(batch, cell)
    best = "bold green" if grid.is_best(batch, cell) else ""
    if value.figure is None and value.text not in ("", "-") and not value.text[0].isdigit():
        best = "red"
    field = Text(value.text, style="dim" if grid.emulated and best != "red" else best)
    if grid.margins:
        field.append(f"{value.margin:>7}", style="dim")
    if grid.counted:
        field.append(f"{value.instructions:>9}", style=best)
    if grid.metered:
        field.append(f"{value.joules.removesuffix(' J'):>10}", style="dim" if grid.emulated else "")
    return field


def _slices(grid: Grid, width: int) -> tuple[tuple[str, ...], ...]:
    """Cells in groups that fit side by side, of even length where that is possible."""
    full = tuple(_filled(grid, width))
    size = -(-len(grid.cells) // len(full))
    starts = range(0, len(grid.cells), size)
    even = tuple(grid.cells[start : start + size] for start in starts)
    return even if all(_width(grid, cells) <= width for cells in even) else full


def _filled(grid: Grid, width: int) -> Iterator[tuple[str, ...]]:
    group: tuple[str, ...] = ()
    for cell in grid.cells:
        if group and _width(grid, (*group, cell)) > width:
            yield group
            group = ()
        group = (*group, cell)
    yield group


def _width(grid: Grid, cells: Sequence[str]) -> int:
    """Columns that a table of these cells takes on a terminal."""
    texts = (
        [*_header(grid, cell).split("\n"), *(_styled(grid, b, cell).plain for b in grid.batches)]
        for cell in cells
    )
    return len("batch") + sum(3 + max(map(len, column)) for column in texts)
