"""Series with their steps: the board's own moves taken out, the steps found, and put in words."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.conditions import differences
from buildmatrix.history.changes import changed_at
from buildmatrix.history.series import Board, Break, History, Step, boards
from buildmatrix.history.steps import common, jumps, sizes_of, steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from buildmatrix.history.series import Night, Point, Series
    from buildmatrix.history.steps import Floats
    from buildmatrix.summary import Row


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Points of one series that were all measured alike."""

    series: Series
    points: tuple[Point, ...]
    levels: Floats  # logarithms


def judged(nights: Sequence[Night], rows: Iterable[Row], sentinels: Iterable[Row] = ()) -> History:
    """The history of all boards. `nights` are in the order of time; `sentinels` are rows as well,
    which tell what the board did and are not shown."""
    watching = {(board.device, board.emulated): board for board in boards(nights, sentinels)}
    return History(
        tuple(
            _with_steps(board, watching.get((board.device, board.emulated)))
            for board in boards(nights, rows)
        )
    )


def _with_steps(board: Board, sentinel: Board | None) -> Board:
    stretches = [one for series in board.series for one in _stretches(series)]
    moves = np.zeros(len(board.nights))
    if not board.emulated:  # what an emulator counts, no board moves
        moves = common(_table([*stretches, *_watching(sentinel, board)], len(moves)))
    beside = [one.levels - moves[[p.night for p in one.points]] for one in stretches]
    places_of = steps(beside)
    of_series: dict[int, list[Step]] = {id(series): [] for series in board.series}
    for one, levels, places in zip(stretches, beside, places_of, strict=True):
        of_series[id(one.series)] += _worded(one, levels, places, board.nights)
    series = tuple(
        replace(one, steps=tuple(of_series[id(one)]), breaks=tuple(_breaks(one)))
        for one in board.series
    )
    return replace(
        board,
        series=series,
        moves=tuple(np.expm1(moves).tolist()),
        steps=tuple(_of_board(board, stretches, moves)),
    )


def _stretches(series: Series) -> Iterator[_Stretch]:
    for points in series.stretches():
        yield _Stretch(series, points, np.log([point.figure for point in points]))


def _watching(sentinel: Board | None, board: Board) -> Iterator[_Stretch]:
    """The sentinel's own stretches, by the nights of the board."""
    if sentinel is None:
        return
    place = {night.id: at for at, night in enumerate(board.nights)}
    for series in sentinel.series:
        for one in _stretches(series):
            at = [place[sentinel.nights[point.night].id] for point in one.points]
            moved = [replace(p, night=n) for p, n in zip(one.points, at, strict=True)]
            yield replace(one, points=tuple(moved))


def _table(stretches: Sequence[_Stretch], nights: int) -> Floats:
    table = np.full((len(stretches), nights), np.nan)
    for line, one in zip(table, stretches, strict=True):
        line[[point.night for point in one.points]] = one.levels
    return table


def _worded(
    one: _Stretch, levels: Floats, places: Sequence[int], nights: Sequence[Night]
) -> Iterator[Step]:
    ends = [0, *places, len(one.points)]
    for number, (place, size) in enumerate(zip(places, sizes_of(levels, places), strict=True)):
        night = one.points[place].night
        yield Step(
            night=night,
            change=math.expm1(size),
            before=float(np.exp(levels[ends[number] : place].mean())),
            after=float(np.exp(levels[place : ends[number + 2]].mean())),
            changed=changed_at(one.points, place, nights),
            accepted=_accepted(nights, night),
        )


def _of_board(board: Board, stretches: Sequence[_Stretch], moves: Floats) -> Iterator[Step]:
    """Where everything jumped at once, and what changed then for most rows."""
    places = jumps(moves)
    for place, size in zip(places, sizes_of(moves, places), strict=True):
        changes = [
            changed_at(one.points, at, board.nights)
            for one in stretches
            for at, point in enumerate(one.points)
            if point.night == place and at
        ]
        yield Step(
            night=place,
            change=math.expm1(size),
            before=math.exp(float(moves[:place].mean())),
            after=math.exp(float(moves[place:].mean())),
            changed=max(changes, key=changes.count, default=()),
            accepted=_accepted(board.nights, place),
        )


def _breaks(series: Series) -> Iterator[Break]:
    parts = series.stretches()
    for before, after in itertools.pairwise(parts):
        words = differences(before[-1].conditions, after[0].conditions)
        yield Break(after[0].night, words)


def _accepted(nights: Sequence[Night], since: int) -> str:
    return next((night.id for night in nights[since:] if night.accepted), "")
