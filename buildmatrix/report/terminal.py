"""Grids on a terminal, never wider than it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from buildmatrix.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from buildmatrix.report.grid import Grid


def table(drawn: Iterable[Grid], *, width: int = 100) -> Group:
    """Grids for a terminal; a grid wider than `width` columns becomes several tables."""
    parts: list[Table | Text] = []
    for grid in drawn:
        slices = _slices(grid, width)
        for number, cells in enumerate(slices, start=1):
            part = f" ({number} of {len(slices)})" if len(slices) > 1 else ""
            parts += [Text(printable(grid.title + part), style="bold"), _table(grid, cells), Text()]
        parts += [*(Text(printable(note), style="dim") for note in grid.notes), Text()]
    return Group(*parts)


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
