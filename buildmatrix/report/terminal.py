"""Grids on a terminal, never wider than it is."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    from buildmatrix.report.accuracy import Judged
    from buildmatrix.report.estimated import EstimatedTable
    from buildmatrix.report.grid import Grid
    from buildmatrix.report.layers import LayerTable

UNCUT = 10_000  # columns


def table(drawn: Iterable[Grid]) -> _Drawn:
    """Grids for a terminal; a grid that is wider than it becomes several tables."""
    grids = tuple(drawn)
    return _Drawn(lambda width: _grids(grids, width))


def layers(tables: Iterable[LayerTable]) -> _Drawn:
    """What each layer takes, with a bar of its share; a stack that tells nothing has its words."""
    told = tuple(tables)
    return _Drawn(lambda width: _of_layers(told, max(width - 60, 10)))


def estimates(told: EstimatedTable) -> Group:
    """Estimates, in a table that no measured time stands in."""
    drawn = _List(HEADS, left=frozenset({0, 3}))
    for row in told.rows:
        drawn.add(*row.fields)
    title = Text(printable(told.title), style="bold")
    notes = (Text(printable(note), style="dim") for note in told.notes)
    return Group(title, *([drawn] if told.rows else []), Text(), *notes)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Parts that are made for the width of the terminal that they are printed on."""

    parts: Callable[[int], Iterable[RenderableType]]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterable[RenderableType | Segment]:
        for part in self.parts(options.max_width):
            # Of a single cell with a name wider than the terminal rich would cut the figures.
            known = options.update(max_width=UNCUT) if isinstance(part, Table) else options
            yield from console.render(part, known)


@dataclass(frozen=True, slots=True)
class _List:
    """Rows of a name and facts: the facts beside the name, or below it where room runs out."""

    heads: tuple[str, ...]
    left: frozenset[int] = frozenset({0})  # the other columns are figures
    rows: list[tuple[Text, ...]] = field(default_factory=list)

    def add(self, *facts: str | Text) -> None:
        self.rows.append(tuple(Text(printable(f)) if isinstance(f, str) else f for f in facts))

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterable[RenderableType]:
        every = [tuple(map(Text, self.heads)), *self.rows]
        widths = [max(row[at].cell_len for row in every) for at in range(len(self.heads))]
        if sum(widths) + 3 * len(widths) <= options.max_width:
            yield self._beside()
            return
        for name, *facts in every:
            yield _whole(name)
            if line := [self._padded(f, at, widths[at]) for at, f in enumerate(facts, start=1)]:
                yield _whole(Text("    ").append_text(Text("  ").join(line)))

    def _beside(self) -> Table:
        drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
        for at, head in enumerate(self.heads):
            drawn.add_column(head, no_wrap=True, justify="left" if at in self.left else "right")
        for row in self.rows:
            drawn.add_row(*row)
        return drawn

    def _padded(self, fact: Text, at: int, width: int) -> Text:
        fact = fact.copy()
        fact.align("left" if at in self.left else "right", width)
        return fact


def _whole(line: Text) -> Text:
    """The line as it is: the terminal may break it, and nothing is cut."""
    line = line.copy()
    line.rstrip()
    line.no_wrap, line.overflow = True, "ignore"
    return line


def _grids(drawn: Iterable[Grid], width: int) -> Iterator[RenderableType]:
    for grid in drawn:
        slices = _slices(grid, width)
        for number, cells in enumerate(slices, start=1):
            part = f" ({number} of {len(slices)})" if len(slices) > 1 else ""
            yield Text(printable(grid.title + part), style="bold")
            yield _table(grid, cells)
            yield Text()
        yield from (Text(printable(note), style="dim") for note in grid.notes)
        yield Text()
        if known := judged(grid.rows):
            yield from _accuracy(known, emulated=grid.emulated)
            yield Text()


def _of_layers(tables: Iterable[LayerTable], longest: int) -> Iterator[RenderableType]:
    for one in tables:
        sign = " (emulated)" if one.emulated else ""
        yield Text(printable(f"{one.title}{sign}"), style="bold")
        if one.bars:
            yield from (_layers(one, longest), Text(one.sum, style="dim"), Text())
        else:
            yield from (Text(printable(one.silence)), Text())


def _layers(one: LayerTable, longest: int) -> _List:
    heads = ("layer", "ms", *(["M instr"] if one.counted else []), "share", "")
    drawn = _List(heads, left=frozenset({0, len(heads) - 1}))
    most = max(bar.share for bar in one.bars)
    for bar in one.bars:
        count = [] if bar.million is None or not one.counted else [f"{bar.million:.4f}"]
        length = round(bar.share / most * longest) if most else 0
        line = Text("█" * length, style="dim" if one.emulated and not one.counted else "")
        drawn.add(bar.name, f"{bar.ms:.4f}", *count, f"{bar.share:.1%}", line)
    return drawn


def _accuracy(known: Sequence[Judged], *, emulated: bool) -> Iterator[RenderableType]:
    """What each cell gets right, beside what that takes."""
    unit = "M instr" if emulated else "ms"
    drawn = _List(("cell", "computes in", "right", "of them", unit, "batch", ""))
    for one in known:
        figure = "-" if one.figure is None else time_text(one.figure)
        drawn.add(
            one.cell,
            one.number_format,
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
