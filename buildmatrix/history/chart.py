"""One series as a picture: SVG text that takes its colours from the page and runs no script.

Coordinates are whole numbers: two hundred nights of a row take some 20 kB with their words.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from buildmatrix.history.words import figure, percent, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from buildmatrix.history.series import Board, Interval, Night, Point, Series

WIDTH, HEIGHT = 1000, 260
LEFT, RIGHT, TOP, BOTTOM = 70, 985, 24, 228
LINES = 4  # across
DATES = 6  # below, at the most
LEAST_SPAN = 0.04  # of the figure: noise of half a percent shall not fill the picture
SPARK = (160, 28)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a night and a figure lie in the picture."""

    nights: int
    low: float
    high: float

    def x(self, night: float) -> int:
        return round(LEFT + (RIGHT - LEFT) * night / max(1, self.nights - 1))

    def y(self, value: float) -> int:
        return round(BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low))


def series(board: Board, one: Series) -> str:
    """Every night's figure and interval, the levels between steps, breaks and accepted nights."""
    if not one.points:
        return ""
    frame = _framed(len(board.nights), list(_values(one.points)))
    unit = one.metric
    parts = [
        *_grid(frame, board.nights, lambda value: figure(unit, value)),
        *(f'<path class="band" d="{_band(frame, part)}"/>' for part in one.stretches()),
        *(f'<path class="line" d="{_line(frame, part)}"/>' for part in one.stretches()),
        *_marks(frame, board.nights, {step.night for step in one.steps}),
        *(_upright(frame, broken.night, "break") for broken in one.breaks),
        *(_dot(frame, board.nights[p.night], p, _told(one, p)) for p in one.points),
    ]
    return _picture(parts, f"{one.cell}, {one.name}: {len(one.points)} nights")


def moves(board: Board) -> str:
    """By how much everything on a board was above its level, night by night."""
    values = [100 * move for move in board.moves]
    if not values:
        return ""
    frame = _framed(len(values), [*values, 0.0], least=2.0)
    path = "".join(
        f"{'L' if at else 'M'}{frame.x(at)},{frame.y(value)}" for at, value in enumerate(values)
    )
    steps = {step.night for step in board.steps}
    parts = [
        *_grid(frame, board.nights, lambda value: f"{value:+.1f} %"),
        f'<path class="line" d="{path}"/>',
        *_marks(frame, board.nights, steps),
        *(
            f'<path class="dot" d="M{frame.x(at)},{frame.y(value)}h0"><title>'
            f"{escape(board.nights[at].at[:10])}: {percent(value / 100)}</title></path>"
            for at, value in enumerate(values)
        ),
    ]
    return _picture(parts, f"what all rows of {board.name} did together")


def spark(board: Board, one: Series) -> str:
    """The same without words, as high as a line of text."""
    if not one.points:
        return ""
    width, height = SPARK
    values = [point.figure for point in one.points]
    low, high = _spanned(values, LEAST_SPAN * max(values))
    across, down = max(1, len(board.nights) - 1), high - low
    path = "".join(
        f"{'L' if at else 'M'}{round(width * point.night / across)},"
        f"{round(height - 1 - (height - 2) * (point.figure - low) / down)}"
        for at, point in enumerate(one.points)
    )
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f'<path class="line" d="{path}"/></svg>'
    )


def _picture(parts: Sequence[str], words: str) -> str:
    inside = "".join(parts)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f"{inside}</svg>"
    )


def _values(points: Sequence[Point]) -> Iterator[float]:
    for point in points:
        yield point.figure
        yield from point.interval or ()


def _framed(nights: int, values: Sequence[float], least: float = 0.0) -> Frame:
    low, high = _spanned(values, least or LEAST_SPAN * max(values))
    room = 0.06 * (high - low)
    return Frame(nights, low - room, high + room)


def _spanned(values: Sequence[float], least: float) -> tuple[float, float]:
    """Lowest and highest, at least so far apart."""
    low, high = min(values), max(values)
    lack = max(0.0, least - (high - low)) / 2
    return low - lack, high + lack + (1e-12 if low == high and not lack else 0.0)


def _grid(frame: Frame, nights: Sequence[Night], label: Callable[[float], str]) -> Iterator[str]:
    for number in range(LINES + 1):
        value = frame.low + (frame.high - frame.low) * number / LINES
        y = frame.y(value)
        yield f'<path class="grid" d="M{LEFT},{y}H{RIGHT}"/>'
        yield f'<text class="side" x="{LEFT - 8}" y="{y + 4}">{escape(label(value))}</text>'
    last = len(nights) - 1
    for at in sorted({round(last * number / (DATES - 1)) for number in range(DATES)}):
        place = "start" if not at else "end" if at == last else "middle"
        yield (
            f'<text x="{frame.x(at)}" y="{HEIGHT - 12}" text-anchor="{place}">'
            f"{escape(nights[at].at[:10])}</text>"
        )


def _line(frame: Frame, points: Sequence[Point]) -> str:
    return "".join(
        f"{'L' if at else 'M'}{frame.x(point.night)},{frame.y(point.figure)}"
        for at, point in enumerate(points)
    )


def _band(frame: Frame, points: Sequence[Point]) -> str:
    """There along the upper ends of the intervals, and back along the lower ones."""
    known: list[tuple[int, Interval]] = [
        (point.night, point.interval) for point in points if point.interval
    ]
    if not known:
        return ""
    there = [f"{frame.x(night)},{frame.y(high)}" for night, (_, high) in known]
    back = [f"{frame.x(night)},{frame.y(low)}" for night, (low, _) in reversed(known)]
    return f"M{'L'.join((*there, *back))}Z"


def _marks(frame: Frame, nights: Sequence[Night], steps: set[int]) -> Iterator[str]:
    for night in sorted(steps):
        yield _upright(frame, night, "step")
    for at, one in enumerate(nights):
        if one.accepted:
            title = f"<title>accepted on {escape(one.at[:10])}</title>"
            x = frame.x(at)
            yield f'<path class="accepted" d="M{x},{TOP - 4}l-5,-9h10z">{title}</path>'


def _upright(frame: Frame, night: int, kind: str) -> str:
    x = frame.x(night - 0.5)
    return f'<path class="{kind}" d="M{x},{TOP}V{BOTTOM}"/>'


def _dot(frame: Frame, night: Night, point: Point, words: str) -> str:
    x, y = frame.x(point.night), frame.y(point.figure)
    return (
        f'<path class="dot" d="M{x},{y}h0"><title>{escape(night.at[:10])}: {words}</title></path>'
    )


def _told(one: Series, point: Point) -> str:
    return f"{figure(one.metric, point.figure)}{span(one.metric, point.interval)}"
