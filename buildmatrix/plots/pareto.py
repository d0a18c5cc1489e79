"""What a figure costs: figures at one batch size against bundle size, peak memory, or accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

from buildmatrix.plots.chart import (
    PAPER,
    QUIET,
    TEXT,
    Chart,
    Point,
    Spec,
    Style,
    apart,
    datum,
    framed,
    looks,
    styles,
    ticks,
    tooltip,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SIZE = (420, 300)
LETTER, LINE = 6.0, 14.0  # pixels that a letter and a line of a label take, roughly


@dataclass(frozen=True, slots=True)
class Axis:
    """What is paid for a figure; less is better."""

    title: str
    unit: str


AXES: Mapping[str, Axis] = {
    "bundle": Axis("bundle size", "MB"),
    "memory": Axis("peak memory", "MiB"),
    "wrong": Axis("wrong answers", "% of the pictures that were held out"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A point and its cost, in the axis' unit."""

    point: Point
    cost: float


def pareto(chart: Chart, *, against: str, sizes: Mapping[str, int], batch: int) -> Spec:
    """Figures at `batch` against one of AXES, each point labelled, the Pareto front marked.

    `sizes` are bundles in bytes, by cell. `batch` is one of the chart's; in the drawn chart the
    signal `at`.
    """
    axis = AXES[against]
    costs = [(point, _cost(point, against, sizes)) for point in chart.points]
    places = [Place(point, cost) for point, cost in costs if cost is not None]
    by_batch = {at: [p for p in places if p.point.batch == at] for at in chart.batches}
    look = styles(chart.cells)
    reach = {at: _reach(there) for at, there in by_batch.items()}
    x = {
        "field": "cost",
        "type": "quantitative",
        "title": f"{axis.title}, {axis.unit}",
        "scale": {"domain": [0, {"expr": "reach[at][0]"}], "nice": False},
        "axis": {"grid": False, "tickCount": 5},
    }
    y = {
        "field": "figure",
        "type": "quantitative",
        "title": chart.unit,
        "scale": {
            "type": "log",
            "nice": False,
            "domain": [{"expr": "reach[at][1]"}, {"expr": "reach[at][2]"}],
        },
        "axis": {"values": {"expr": "ticks[at]"}, "format": "~r"},
    }
    subtitle = "'batch size ' + at + ', logarithmic scale; filled: nothing is better in both'"
    return framed(
        f"{chart.quantity} against {axis.title}: {chart.subject}",
        {"expr": subtitle},
        size=SIZE,
        params=[
            {"name": "at", "value": batch},
            {"name": "reach", "value": {str(at): ends for at, ends in reach.items()}},
            {"name": "ticks", "value": {str(at): ticks(*ends[1:]) for at, ends in reach.items()}},
        ],
        data={"values": [v for at in by_batch for v in _values(by_batch[at], reach[at], look)]},
        transform=[{"filter": "datum.batch == at"}],
        layer=[*_front_line(x, y), *_marks(chart, x, y, axis), *_labels(x, y)],
    )


def front(places: Sequence[Place]) -> tuple[Place, ...]:
    """The places that no other beats in one of cost and figure without losing in the other."""
    return tuple(
        one
        for one in places
        if not any(
            other.cost <= one.cost
            and other.point.figure <= one.point.figure
            and (other.cost, other.point.figure) != (one.cost, one.point.figure)
            for other in places
        )
    )


def _cost(point: Point, against: str, sizes: Mapping[str, int]) -> float | None:
    if against == "bundle":
        return sizes[point.cell] / 1e6 if point.cell in sizes else None
    if against == "wrong":
        return None if point.wrong is None else 100 * point.wrong
    return point.peak_kib / 1024 if point.peak_kib else None


def _reach(places: Sequence[Place]) -> tuple[float, float, float]:
    """Of one batch size: the end of the costs' axis, both ends of the figures', with some room."""
    costs = [place.cost for place in places if place.cost] or [1.0]
    figures = [place.point.figure for place in places] or [1.0]
    return 1.2 * max(costs), min(figures) / 1.5, max(figures) * 1.5


def _values(
    places: Sequence[Place], reach: tuple[float, float, float], look: Mapping[str, Style]
) -> Iterator[Spec]:
    """Data of one batch size. Labels that would overlap are moved apart, and tell the shape."""
    best = front(places)
    right, bottom, top = reach
    pixels = SIZE[1] / log10(top / bottom)
    boxes = []
    for place in places:
        middle = place.cost / right * SIZE[0]
        room = (len(place.point.cell) + 4) * LETTER
        start = middle - room if place.cost > right / 2 else middle
        boxes.append((start, start + room, log10(place.point.figure / bottom) * pixels))
    for place, height in zip(places, apart(boxes, LINE), strict=True):
        cell = place.point.cell
        yield datum(place.point) | {
            "cost": place.cost,
            "cost_told": f"{place.cost:.1f}",
            "front": place in best,
            "left": place.cost > right / 2,
            "label": f"{look[cell].glyph} {cell}",
            "height": bottom * 10 ** (height / pixels),
        }


def _front_line(x: Spec, y: Spec) -> Iterator[Spec]:
    yield {
        "transform": [{"filter": "datum.front"}],
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "color": QUIET,
            "strokeWidth": 1,
            "strokeDash": [4, 3],
        },
        "encoding": {"x": x, "y": y, "order": {"field": "cost"}},
    }


def _marks(chart: Chart, x: Spec, y: Spec, axis: Axis) -> Iterator[Spec]:
    fields = tooltip(chart, cost_told=f"{axis.title}, {axis.unit}")
    for test, fill in (("!datum.front", {"fill": PAPER}), ("datum.front", {"filled": True})):
        yield {
            "transform": [{"filter": test}],
            "mark": {"type": "point", "size": 110, "strokeWidth": 2, "opacity": 1, **fill},
            "encoding": {"x": x, "y": y, "tooltip": fields, **looks(chart, "color", "shape")},
        }


def _labels(x: Spec, y: Spec) -> Iterator[Spec]:
    for test, align, dx in (("!datum.left", "left", 8), ("datum.left", "right", -8)):
        for on_front, colour, weight in ((True, TEXT, "bold"), (False, QUIET, "normal")):
            which = "datum.front" if on_front else "!datum.front"
            yield {
                "transform": [{"filter": f"{test} && {which}"}],
                "mark": {
                    "type": "text",
                    "align": align,
                    "dx": dx,
                    "dy": -9,
                    "fontSize": 11.5,
                    "color": colour,
                    "fontWeight": weight,
                },
                "encoding": {"x": x, "y": {**y, "field": "height"}, "text": {"field": "label"}},
            }
