"""Rows arranged as tables: batch sizes by cells, with the notes a reader needs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

from buildmatrix.conditions import of_table
from buildmatrix.nouns import Measurement, Status
from buildmatrix.summary import (
    CONFIDENCE,
    Row,
    Spread,
    millions_text,
    spread,
    threads_text,
    time_text,
)
from buildmatrix.workload import REFERENCE, answer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NO_MEMORY = "'-' is out of memory"
NO_MARGIN = "±?"
NO_ROOM = "'-' is out of memory, tried or predicted"


@dataclass(frozen=True, slots=True)
class Value:
    """One field of a grid: milliseconds or a status, and millions of instructions if counted.

    `figure` is what cells are compared by, less is better: instructions under emulation, else time.
    """

    text: str = ""
    instructions: str = ""
    figure: float | None = None
    interval: tuple[float, float] | None = None  # of the figure; None: it is taken as exact
    joules: str = ""  # of an image, with its unit
    margin: str = ""  # half the 95 % interval of the mean, in per cent; only of a board's times

    @property
    def lowest(self) -> float:
        """The least that the figure may be."""
        return self.interval[0] if self.interval else self.figure or 0.0

    @property
    def highest(self) -> float:
        """The most that the figure may be."""
        return self.interval[1] if self.interval else self.figure or 0.0


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of batch sizes by cells, ready to be drawn in any format."""

    title: str
    emulated: bool
    cells: tuple[str, ...]
    batches: tuple[int, ...]
    values: Mapping[tuple[int, str], Value]
    notes: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()  # that it shows; none of the published table

    @property
    def counted(self) -> bool:
        return any(value.instructions for value in self.values.values())

    @property
    def metered(self) -> bool:
        return any(value.joules for value in self.values.values())

    @property
    def margins(self) -> bool:
        return any(value.margin not in ("", NO_MARGIN) for value in self.values.values())

    def value(self, batch: int, cell: str) -> Value:
        return self.values.get((batch, cell), Value())

    def is_best(self, batch: int, cell: str) -> bool:
        """True where no other field of the row is surely smaller; several may be best.

        A field whose interval meets that of the smallest figure is no worse than it.
        """
        row = [self.value(batch, name) for name in self.cells]
        known = [value for value in row if value.figure is not None]
        ours = self.value(batch, cell)
        if len(known) < 2 or ours.figure is None:
            return False
        smallest = min(known, key=lambda value: value.figure or 0.0)
        return ours.lowest <= smallest.highest


def grids(
    rows: Sequence[Row],
    *,
    bound: float | None = None,
    notes: Mapping[str, Sequence[str]] | None = None,
    per: str = "an image",
) -> tuple[Grid, ...]:
    """One grid for each device, model and thread count, emulated ones apart and last.

    What one board measured under different conditions stands in several, each saying so.

    Cells stand in the order in which they first occur. `bound` is the least number of quad
    multiply-add instructions an image can take; it is told where instructions were counted.
    `notes` are words about a run, by its id: what a reader must know to believe it. `per` says what
    a figure is of.
    """

    boards = _by_board(rows)
    often = Counter(_board_key(shared[0]) for shared in boards)
    return tuple(
        _grid(shared, bound, notes or {}, apart=often[_board_key(shared[0])] > 1, per=per)
        for shared in boards
    )


def _board_key(row: Row) -> tuple[bool, str, str, int]:
    """What a grid's title tells: emulated or not, the device, the model and the threads."""
    return row.emulated, row.first.device, row.first.model, row.first.threads


def _by_board(rows: Iterable[Row]) -> tuple[tuple[Row, ...], ...]:
    """The rows of each grid: of one board, model and thread count, under the same conditions."""
    groups: dict[object, list[Row]] = {}
    for row in sorted(rows, key=_board_key):
        shared = of_table(row.conditions)
        groups.setdefault(shared, []).append(row)
    return tuple(tuple(group) for group in groups.values())


def study() -> Grid:
    """The table published in 2017, as it was printed. Not a measurement of ours."""
    text = (resources.files("buildmatrix.report") / "study.json").read_text(encoding="utf-8")
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


def _grid(
    rows: Sequence[Row],
    bound: float | None,
    words_of: Mapping[str, Sequence[str]],
    *,
    apart: bool,
    per: str,
) -> Grid:
    first = rows[0].first
    where = f"{first.device} (emulated)" if first.emulated else first.device
    notes = _Notes(rows)
    grid = Grid(
        title=f"{where}: {first.model}, {threads_text(first.threads)}, {_passes(rows)}, ms {per}",
        emulated=first.emulated,
        cells=tuple(dict.fromkeys(row.cell for row in rows)),
        batches=tuple(sorted({row.batch for row in rows})),
        values={(row.batch, row.cell): notes.value(row) for row in rows},
        rows=tuple(rows),
    )
    where_else = _apart(rows[0]) if apart else ()
    return replace(
        grid, notes=(*where_else, *_remarks(grid, rows, bound, words_of, per), *notes.lines())
    )


def _apart(row: Row) -> Iterator[str]:
    """What this grid was measured under, where the same board has another grid."""
    measured_under = row.conditions
    named = {
        "passes": measured_under.passes,
        "warm-up": measured_under.warmup,
        "kernel": measured_under.kernel_release,
        "governor": measured_under.governor,
        "clock limit in kHz": measured_under.clock_limit_khz,
        "version of the model": measured_under.model_version,
        "cores": measured_under.pinned,
        "board": measured_under.board,
    }
    words = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
    yield f"not comparable with this board's other tables: measured under {words}"


def _passes(rows: Sequence[Row]) -> str:
    """'100 passes' or '5 rounds of 20 passes': those that were timed."""
    rounds = sorted({len(row.used) for row in rows if row.used}) or [1]
    passes = " or ".join(str(n) for n in sorted({row.first.passes for row in rows}))
    often = "-".join(str(n) for n in dict.fromkeys((rounds[0], rounds[-1])))
    timed = "1 pass" if passes == "1" else f"{passes} passes"
    return timed if often == "1" else f"{often} rounds of {timed}"


class _Notes:
    """Footnotes in the making: one number for one reason of one cell."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._largest: dict[str, int] = {}
        for row in rows:
            if row.status is Status.OK:
                self._largest[row.cell] = max(row.batch, self._largest.get(row.cell, 0))
        self._numbered: dict[tuple[str, str], list[int]] = {}
        self._memory: dict[str, str] = {}
        self._void: list[Measurement] = []
        self._repeated = 0

    def value(self, row: Row) -> Value:
        """The field of a row; anything but a time leaves a note."""
        if row.status in (Status.OOM, Status.SKIPPED):
            largest = self._largest.get(row.cell)
            ran = f"the largest that ran is {largest}" if largest else "no batch size ran"
            self._memory[row.cell] = ran
            return Value("-")
        if row.status is Status.OK:
            self._void += [block for block in row.blocks if block.status is Status.VOID]
        ms, count = row.mean_ms_per_image, row.instructions_per_image
        if ms is None:
            batches = self._numbered.setdefault((row.cell, row.reason), [])
            batches.append(row.batch)
            number = list(self._numbered).index((row.cell, row.reason)) + 1
            return Value(f"{_word(row)} [{number}]")
        counted = "" if count is None else millions_text(count)
        joules = "" if row.joules_per_image is None else f"{time_text(row.joules_per_image)} J"
        if row.emulated:
            return Value(time_text(ms), counted, count, joules=joules)
        figures = spread(row)
        return Value(
            time_text(ms),
            counted,
            ms,
            figures.interval if figures else None,
            joules,
            _margin(row, figures),
        )

    def lines(self) -> Iterator[str]:
        if self._memory:
            largest = [f"{cell}: {words}" for cell, words in self._memory.items()]
            yield "; ".join([NO_ROOM, *largest])
        if self._void:
            reasons = "; ".join(dict.fromkeys(block.void_reason for block in self._void))
            several = f"{len(self._void)} blocks were" if len(self._void) > 1 else "1 block was"
            yield f"{several} void and counts for nothing: {reasons}"
        for number, ((cell, reason), batches) in enumerate(self._numbered.items(), start=1):
            at = ", ".join(map(str, sorted(batches)))
            yield f"[{number}] {cell}, batch {at}: {reason}"


def _margin(row: Row, figures: Spread | None) -> str:
    if figures is None or figures.interval is None or row.mean_ms_per_image is None:
        return NO_MARGIN
    low, high = figures.interval
    return f"±{(high - low) / 2 / row.mean_ms_per_image:.1%}"


def _word(row: Row) -> str:
    if row.status is not Status.WRONG:
        return row.status.value
    return "WRONG" if row.max_rel_error is None else f"WRONG {row.max_rel_error:.0e}"


def _remarks(
    grid: Grid,
    rows: Sequence[Row],
    bound: float | None,
    words_of: Mapping[str, Sequence[str]],
    per: str,
) -> Iterator[str]:
    """What a reader must know before comparing two figures of the grid."""
    if grid.emulated:
        way = "" if grid.counted else ", which boards count whose kind ends in -counted"
        yield f"emulated: these times say nothing about a board; compare executed instructions{way}"
    if grid.counted:
        least = "" if bound is None else f"; a direct convolution needs {millions_text(bound)}"
        yield f"M instr: millions of instructions executed {per}{least}"
    if grid.margins:
        few = f"; {NO_MARGIN}: too few blocks" if _some(grid, NO_MARGIN) else ""
        yield f"±: half the {CONFIDENCE:.0%} interval of the mean, over blocks{few}"
    if cold := sum(_cold(block) for row in rows for block in row.used):
        passes = "1 pass was" if cold == 1 else f"{cold} passes were"
        yield f"{passes} still slower at the beginning of a block, and left out"
    if grid.metered:
        yield from _meters(grid, rows, per)
    yield from _tolerances(rows)
    for run in dict.fromkeys(row.run for row in rows):
        yield from (f"run {run}: {words}" for words in words_of.get(run, ()))


def _cold(block: Measurement) -> int:
    count = block.environment.get("cold_passes")
    return count if isinstance(count, int) else 0


def _meters(grid: Grid, rows: Sequence[Row], per: str) -> Iterator[str]:
    """What the joules are of."""
    names = {str(row.first.environment.get("power_of")) for row in rows if row.watts is not None}
    mark = "; emulated: the meter's board is not the one that is emulated" if grid.emulated else ""
    for name in sorted(names):
        yield f"J: joules {per} of {name}, the mean of readings during the timed passes{mark}"


def _some(grid: Grid, margin: str) -> bool:
    return any(value.margin == margin for value in grid.values.values())


def _tolerances(rows: Sequence[Row]) -> Iterator[str]:
    """How right the answers had to be, for each number format that was measured."""
    told = ("number_format", "tolerance", "step", "answerer")
    formats = {
        tuple(block.environment.get(name) for name in told) for row in rows for block in row.used
    }
    for number_format, tolerance, step, answerer in sorted(formats, key=str):
        if isinstance(tolerance, float):
            unit = f" steps of {step:.2g}" if isinstance(step, float) else ""
            whose = answer_of(str(answerer or REFERENCE))
            yield f"every answer is within {tolerance:.2g}{unit} of {whose} ({number_format})"
