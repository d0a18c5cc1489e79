"""Every night's figure of every row, as it stands in the record. Pure: rows in, series out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.conditions import Conditions, conditions, differences, mapping
from buildmatrix.summary import FEWEST, resampled_means, tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from buildmatrix.nouns import Metric
    from buildmatrix.summary import Row

Interval = tuple[float, float]
AT_ONCE = 400  # rows whose means are resampled together: 16 MB


@dataclass(frozen=True, slots=True)
class Night:
    """One night's runs on record, one of each model; or a run that no night was written down of,
    of which it is not known whether it was good."""

    id: str  # of the night's record; of the run where there is none
    runs: tuple[str, ...]
    at: str  # ISO 8601, UTC, by the collector's clock
    good: bool | None = None
    accepted: bool = False  # by a person: what moved until then is what is wanted
    toolchains: Mapping[str, str] = field(
        default_factory=dict
    )  # what the rebuild changed, in words


@dataclass(frozen=True, slots=True)
class Point:
    """One night's figure of a row."""

    night: int  # its place among the board's nights
    figure: float  # mean over blocks, in the metric's unit
    interval: Interval | None  # 95 %, of that mean; None below FEWEST blocks
    bundle: str
    conditions: Conditions
    made_with: Mapping[str, object]  # options, toolchain and sources, as far as they were kept


@dataclass(frozen=True, slots=True)
class Step:
    """From one level to another."""

    night: int  # the first on the new level, its place among the board's nights
    change: float  # relative, beside what the whole board did: 0.05 is 5 % more
    before: float  # the level that it left, without what the whole board did, in the metric's unit
    after: float
    changed: tuple[str, ...]  # what was not as the night before
    accepted: str = ""  # the first accepted night from then on, its id; empty: none yet


@dataclass(frozen=True, slots=True)
class Break:
    """Where what decides a figure changed, so that nothing before is compared with what follows."""

    night: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One cell at one batch size and thread count on one board, night by night."""

    cell: str
    model: str
    batch: int
    threads: int
    metric: Metric
    points: tuple[Point, ...]
    gaps: Mapping[int, str]  # night -> why it has no figure
    steps: tuple[Step, ...] = ()
    breaks: tuple[Break, ...] = ()

    @property
    def name(self) -> str:
        """What tells it from the other series of its cell."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.model}, batch {self.batch}, {threads}"

    def stretches(self) -> tuple[tuple[Point, ...], ...]:
        """Its points, cut where what decides a figure changed: no two parts are compared."""
        parts: list[list[Point]] = []
        for point in self.points:
            if parts and not differences(parts[-1][-1].conditions, point.conditions):
                parts[-1].append(point)
            else:
                parts.append([point])
        return tuple(map(tuple, parts))


@dataclass(frozen=True, slots=True)
class Board:
    """All series of one board, and what all of them did together."""

    device: str
    emulated: bool
    nights: tuple[Night, ...]
    series: tuple[Series, ...]
    moves: tuple[float, ...] = ()  # of each night: by how much everything was above its level
    steps: tuple[Step, ...] = ()  # of that

    @property
    def name(self) -> str:
        return f"{self.device}, emulated" if self.emulated else self.device


@dataclass(frozen=True, slots=True)
class History:
    """What `inv history` tells."""

    boards: tuple[Board, ...]


def boards(nights: Sequence[Night], rows: Iterable[Row]) -> tuple[Board, ...]:
    """The series of each board; nights in the order of time, rows of runs that are none left out.

    A board is a device of one kind of time: what an emulator counted stands by itself.
    """
    of_board: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    known = {run for night in nights for run in night.runs}
    for row in rows:
        if row.run in known:
            of_board[row.first.device, row.emulated].append(row)
    return tuple(
        _board(device, emulated, nights, own) for (device, emulated), own in of_board.items()
    )


def _board(device: str, emulated: bool, nights: Sequence[Night], rows: Sequence[Row]) -> Board:  # noqa: FBT001
    there = {row.run for row in rows}
    own = tuple(night for night in nights if there.intersection(night.runs))
    place = {run: at for at, night in enumerate(own) for run in night.runs}
    of_series: dict[tuple[str, str, int, int], list[Row]] = defaultdict(list)
    intervals = dict(zip(map(id, rows), _intervals(rows), strict=True))
    for row in rows:
        of_series[row.first.model, row.cell, row.batch, row.first.threads].append(row)
    series = [
        Series(
            cell=cell,
            model=model,
            batch=batch,
            threads=threads,
            metric=own_rows[0].metric,
            points=tuple(
                _point(row, place[row.run], intervals[id(row)])
                for row in sorted(own_rows, key=lambda row: place[row.run])
                if row.figures(row.metric)
            ),
            gaps={place[row.run]: _why(row) for row in own_rows if not row.figures(row.metric)},
        )
        for (model, cell, batch, threads), own_rows in of_series.items()
    ]
    return Board(device, emulated, own, tuple(series))


def _why(row: Row) -> str:
    return f"{row.status}: {row.reason}" if row.reason else str(row.status)


def _point(row: Row, night: int, interval: Interval | None) -> Point:
    first = row.used[0]
    return Point(
        night=night,
        figure=float(np.mean(row.figures(row.metric))),
        interval=interval,
        bundle=first.bundle,
        conditions=conditions(first),
        made_with=mapping(first.environment.get("facts")),
    )


def _intervals(rows: Sequence[Row]) -> list[Interval | None]:
    """Of each row's mean, as the report gives it; rows of as many blocks are computed together."""
    figures = [np.array(row.figures(row.metric)) for row in rows]
    intervals: list[Interval | None] = [None] * len(rows)
    of_length: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(figures):
        if len(one) >= FEWEST:
            of_length[len(one)].append(place)
    for blocks, places in of_length.items():
        cut = tail(blocks)
        for start in range(0, len(places), AT_ONCE):
            part = places[start : start + AT_ONCE]
            means = resampled_means(np.array([figures[place] for place in part]))
            ends = np.quantile(means.T.copy(), (cut, 1 - cut), axis=1)
            for place, low, high in zip(part, *ends.tolist(), strict=True):
                intervals[place] = (low, high)
    return intervals
