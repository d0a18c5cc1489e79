"""Measurements as a document, tables, Markdown and CSV. Pure: rows in, text out.

A grid is one table: one device, one model, one thread count, and either emulated or not. So a
time from an emulator cannot stand in one column, or one table, with a time from a board.
"""

from __future__ import annotations

import csv as csv_format
import io
import json
from dataclasses import dataclass, replace
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from buildmatrix.model import Measurement, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NO_MEMORY = "'-' is out of memory"
DRIFT = 0.05  # a sentinel that moved more than this is told
FIELDS = (
    "cell", "device", "emulated", "batch", "threads", "passes", "status", "mean_ms_per_image",
    "samples_ns", "instructions_per_image", "peak_rss_kib", "max_rel_error", "void_reason",
    "first_pass_ns", "run", "taken_at", "bundle", "series",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """One field of a grid: milliseconds or a status, and millions of instructions if counted.

    `figure` is what cells are compared by, less is better: instructions under emulation, else time.
    """

    text: str = ""
    instructions: str = ""
    figure: float | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of batch sizes by cells, ready to be drawn in any format."""

    title: str
    emulated: bool
    cells: tuple[str, ...]
    batches: tuple[int, ...]
    values: Mapping[tuple[int, str], Value]
    notes: tuple[str, ...] = ()

    @property
    def counted(self) -> bool:
        return any(value.instructions for value in self.values.values())

    def value(self, batch: int, cell: str) -> Value:
        return self.values.get((batch, cell), Value())

    def is_best(self, batch: int, cell: str) -> bool:
        """True where no other field of the row has a smaller figure."""
        row = [self.value(batch, name).figure for name in self.cells]
        figures = [figure for figure in row if figure is not None]
        return len(figures) > 1 and self.value(batch, cell).figure == min(figures)


def document(
    measurements: Sequence[Measurement], *, model_name: str, parameters: int
) -> dict[str, object]:
    """The `report` document, version 1: one entry for each row, every raw sample included."""
    return {
        "version": 1,
        "model": {"name": model_name, "parameters": parameters},
        "rows": [_fields(row) for row in _of_model(measurements, model_name)],
    }


def grids(measurements: Sequence[Measurement], *, bound: float | None = None) -> tuple[Grid, ...]:
    """One grid for each device, model and thread count, emulated ones apart and last.

    Cells stand in the order in which they first occur. `bound` is the least number of quad
    multiply-add instructions an image can take; it is told where instructions were counted.
    """

    def key(row: Measurement) -> tuple[bool, str, str, int]:
        return row.emulated, row.device, row.model, row.threads

    groups = groupby(sorted(measurements, key=key), key)
    return tuple(_grid(tuple(rows), bound=bound) for _, rows in groups)


def study() -> Grid:
    """The table published in 2017, as it was printed. Not a measurement of ours."""
    text = (resources.files("buildmatrix") / "study.json").read_text(encoding="utf-8")
    data = json.loads(text)
    values = {
        (row["batch"], cell): Value("-" if ms is None else f"{ms:.2f}", figure=ms)
        for row in data["rows"]
        for cell, ms in zip(data["cells"], row["ms"], strict=True)
    }
    return Grid(
        title=f"{data['title']}: {data['model']}, ms an image",
        emulated=False,
        cells=tuple(data["cells"]),
        batches=tuple(row["batch"] for row in data["rows"]),
        values=values,
        notes=(f"from {data['source']}: reference data, not measured by buildmatrix", NO_MEMORY),
    )


def table(drawn: Iterable[Grid], *, width: int = 100) -> Group:
    """Grids for a terminal; a grid wider than `width` columns becomes several tables."""
    parts: list[Table | Text] = []
    for grid in drawn:
        slices = _slices(grid, width)
        for number, cells in enumerate(slices, start=1):
            part = f" ({number} of {len(slices)})" if len(slices) > 1 else ""
            parts += [Text(grid.title + part, style="bold"), _table(grid, cells), Text()]
        parts += [*(Text(note, style="dim") for note in grid.notes), Text()]
    return Group(*parts)


def markdown(drawn: Iterable[Grid]) -> str:
    """Grids as Markdown tables, each with its title and notes; the best of a row is bold."""
    return "\n".join("\n".join(_markdown(grid)) for grid in drawn)


def csv(measurements: Iterable[Measurement]) -> str:
    """One line for each row and the fields of the document; samples are separated by spaces."""
    text = io.StringIO()
    writer = csv_format.DictWriter(text, ("model", *FIELDS), lineterminator="\n")
    writer.writeheader()
    for row in measurements:
        plain = {
            "model": row.model,
            "emulated": str(row.emulated).lower(),
            "samples_ns": " ".join(map(str, row.samples_ns)),
        }
        writer.writerow(_fields(row) | plain)
    return text.getvalue()


def _of_model(measurements: Sequence[Measurement], name: str) -> list[Measurement]:
    return [row for row in measurements if row.model == name]


def _fields(row: Measurement) -> dict[str, object]:
    return {name: getattr(row, name) for name in FIELDS} | {
        "status": row.status.value,
        "samples_ns": list(row.samples_ns),
    }


def _grid(rows: Sequence[Measurement], *, bound: float | None) -> Grid:
    first = rows[0]
    where = f"{first.device} (emulated)" if first.emulated else first.device
    threads = "1 thread" if first.threads == 1 else f"{first.threads} threads"
    passes = " or ".join(str(n) for n in sorted({row.passes for row in rows}))
    notes = _Notes()
    grid = Grid(
        title=f"{where}: {first.model}, {threads}, {passes} passes, ms an image",
        emulated=first.emulated,
        cells=tuple(dict.fromkeys(row.cell for row in rows)),
        batches=tuple(sorted({row.batch for row in rows})),
        values={(row.batch, row.cell): notes.value(row) for row in rows},
    )
    return replace(grid, notes=(*_remarks(grid, rows, bound), *notes.lines()))


class _Notes:
    """Footnotes in the making: one number for one reason of one cell."""

    def __init__(self) -> None:
        self._numbered: dict[tuple[str, str], list[int]] = {}
        self._memory: dict[str, str] = {}

    def value(self, row: Measurement) -> Value:
        """The field of a row; anything but a time leaves a note."""
        if row.status is Status.OOM:
            self._memory[row.cell] = row.void_reason.partition("; ")[2]
            return Value("-")
        if row.mean_ms_per_image is None:
            batches = self._numbered.setdefault((row.cell, row.void_reason), [])
            batches.append(row.batch)
            number = list(self._numbered).index((row.cell, row.void_reason)) + 1
            return Value(f"{_word(row)} [{number}]")
        ms, count = row.mean_ms_per_image, row.instructions_per_image
        told = "" if count is None else f"{count / 1e6:.1f}"
        return Value(f"{ms:.2f}", told, count if row.emulated else ms)

    def lines(self) -> Iterator[str]:
        if self._memory:
            told = [f"{cell}: {words}" for cell, words in self._memory.items() if words]
            yield "; ".join([NO_MEMORY, *told])
        for number, ((cell, reason), batches) in enumerate(self._numbered.items(), start=1):
            at = ", ".join(map(str, sorted(batches)))
            yield f"[{number}] {cell}, batch {at}: {reason}"


def _word(row: Measurement) -> str:
    if row.status is not Status.WRONG:
        return row.status.value
    return "WRONG" if row.max_rel_error is None else f"WRONG {row.max_rel_error:.0e}"


def _remarks(grid: Grid, rows: Sequence[Measurement], bound: float | None) -> Iterator[str]:
    """What a reader must know before comparing two figures of the grid."""
    if grid.emulated:
        yield "emulated: these times say nothing about a board; compare executed instructions"
    if grid.counted:
        least = "" if bound is None else f"; no fewer than {bound / 1e6:.1f} are possible"
        yield f"M instr: millions of instructions executed an image{least}"
    ratios = {row.run: row.environment.get("sentinel_ratio") for row in rows}
    for run, ratio in ratios.items():
        if isinstance(ratio, float) and abs(ratio - 1) > DRIFT:
            moved = f"{abs(ratio - 1):.0%} {'slower' if ratio > 1 else 'faster'}"
            yield f"run {run}: the board was {moved} at the end than at the start"


def _table(grid: Grid, cells: Sequence[str]) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    drawn.add_column("batch", justify="right", vertical="bottom")
    for cell in cells:
        drawn.add_column(Text(_header(grid, cell), justify="right"), justify="right", no_wrap=True)
    for batch in grid.batches:
        drawn.add_row(str(batch), *(_styled(grid, batch, cell) for cell in cells))
    return drawn


def _header(grid: Grid, cell: str) -> str:
    unit = f"ms{'M instr':>9}" if grid.counted else "ms"
    return "\n".join([cell, *(["emulated"] if grid.emulated else []), unit])


def _styled(grid: Grid, batch: int, cell: str) -> Text:
    value = grid.value(batch, cell)
    best = "bold green" if grid.is_best(batch, cell) else ""
    if value.figure is None and value.text not in ("", "-") and not value.text[0].isdigit():
        best = "red"
    if not grid.counted:
        return Text(value.text, style=best)
    time = Text(value.text, style="dim" if grid.emulated and best != "red" else best)
    return time.append(f"{value.instructions:>9}", style=best)


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


def _markdown(grid: Grid) -> Iterator[str]:
    sign = " (emulated)" if grid.emulated else ""
    unit = "ms (M instr)" if grid.counted else "ms"
    yield f"### {_escaped(grid.title)}\n"
    yield _line(["batch", *(f"{_escaped(cell)}{sign}, {unit}" for cell in grid.cells)])
    yield _line(["---:"] * (len(grid.cells) + 1))
    for batch in grid.batches:
        yield _line([str(batch), *(_markdown_field(grid, batch, cell) for cell in grid.cells)])
    yield ""
    yield from (f"- {_escaped(note)}" for note in grid.notes)
    yield ""


def _markdown_field(grid: Grid, batch: int, cell: str) -> str:
    """The best of a row is bold; under emulation that is an instruction count, never a time."""
    value = grid.value(batch, cell)
    mark = "**" if grid.is_best(batch, cell) else ""
    count = f" ({value.instructions})" if value.instructions else ""
    if grid.emulated:
        return value.text + count.replace("(", f"({mark}").replace(")", f"{mark})")
    return f"{mark}{value.text}{count}{mark}"


def _line(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _escaped(text: str) -> str:
    """A runner's words may hold what Markdown or HTML would act on."""
    for sign, harmless in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(sign, harmless)
    return text
