"""Batch sizes against figures: a line for each cell."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

from buildmatrix.plots.chart import (
    PAPER,
    QUIET,
    TEXT,
    Chart,
    Point,
    Spec,
    apart,
    datum,
    framed,
    looks,
    styles,
    ticks,
    tooltip,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SIZE = (720, 340)  # pixels, in a file; a live chart takes the width that there is
LETTER, LINE = 6.3, 12.0  # pixels that a letter of the legend and a line of a label take, roughly


def lines(chart: Chart, *, logarithmic: bool = False, study: Sequence[Point] = ()) -> Spec:
    """A line for each cell over the batch sizes, with 95 % intervals where they are known.

    `study` is drawn behind, thin and grey. Those are times of a board, so ValueError under
    emulation.
    """
    if study and chart.emulated:
        raise ValueError("published times have no place beside emulated figures")
    bars = any(point.interval for point in chart.points)
    x, y = _x([*chart.batches, *(p.batch for p in study)]), _y(chart, study, logarithmic)
    subtitle = [
        "logarithmic scale" if logarithmic else "linear scale",
        *(["bars are 95 % intervals of the mean"] if bars else []),
        *(["grey is the study of 2017"] if study else []),
    ]
    return framed(
        f"{chart.quantity} by batch size: {chart.subject}",
        "; ".join(subtitle),
        size=SIZE,
        data={"values": list(_values(chart))},
        layer=[*_study(study, x, y), *_bound(chart, y), *_cells(chart, x, y, bars=bars)],
    )


def _values(chart: Chart) -> Iterator[Spec]:
    """A batch size without a figure breaks the line: what was not measured is not bridged."""
    there = {(point.cell, point.batch): point for point in chart.points}
    for cell in chart.drawn:
        for batch in chart.batches:
            point = there.get((cell, batch))
            yield datum(point) if point else {"cell": cell, "batch": batch, "figure": None}


def _x(batches: Sequence[int]) -> Spec:
    sizes = sorted(set(batches)) or [1]
    return {
        "field": "batch",
        "type": "quantitative",
        "title": "batch size",
        "scale": {"type": "log", "base": 2, "domain": [sizes[0] / 1.15, sizes[-1] * 1.15]},
        "axis": {"values": sizes, "format": "d", "grid": False},
    }


def _y(chart: Chart, study: Sequence[Point], logarithmic: bool) -> Spec:  # noqa: FBT001
    values = [point.figure for point in (*chart.points, *study)]
    values += [end for point in chart.points for end in point.interval or ()]
    values += [] if chart.bound is None else [chart.bound]
    top = max(values, default=1.0)
    domain = [min(values, default=1.0) / 1.25, top * 1.15] if logarithmic else [0, top * 1.06]
    return {
        "field": "figure",
        "type": "quantitative",
        "title": chart.unit,
        "scale": {"type": "log" if logarithmic else "linear", "domain": domain, "nice": False},
        "axis": {"values": ticks(*domain), "format": "~r"} if logarithmic else {"tickCount": 6},
    }


def _cells(chart: Chart, x: Spec, y: Spec, *, bars: bool) -> Iterator[Spec]:
    longest = max(map(len, chart.drawn), default=1)
    columns = f"max(1, min({len(chart.drawn)}, floor(width / {longest * LETTER + 44:.0f})))"
    legend = {"title": None, "columns": {"expr": columns}}
    look = styles(chart.cells)
    for cell in chart.drawn:  # a layer for each: a dash told in the legend would fray its symbols
        mark = {"color": look[cell].value, "strokeDash": list(look[cell].dash)}
        yield {
            "transform": [{"filter": {"field": "cell", "equal": cell}}],
            "mark": {"type": "line", "strokeWidth": 2, **mark},
            "encoding": {"x": x, "y": y},
        }
    if bars:
        yield {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "errorbar", "ticks": {"size": 9}, "thickness": 1.5},
            "encoding": {
                "x": x,
                "y": y | {"field": "low"},
                "y2": {"field": "high"},
                **looks(chart, "color", legend=legend),
            },
        }
    yield {
        "transform": [{"filter": "isValid(datum.figure)"}],
        "mark": {
            "type": "point",
            "filled": True,
            "size": 80,
            "opacity": 1,
            "stroke": PAPER,
            "strokeWidth": 1,
        },
        "encoding": {
            "x": x,
            "y": y,
            "tooltip": tooltip(chart),
            **looks(chart, "color", "shape", legend=legend),
        },
    }


def _bound(chart: Chart, y: Spec) -> Iterator[Spec]:
    """What no build can go below, across the whole width."""
    if chart.bound is None:
        return
    data = {"values": [{"figure": chart.bound, "told": f"direct convolution: {chart.bound:.1f}"}]}
    words = {"type": "text", "align": "left", "baseline": "bottom", "dx": 6, "dy": -3}
    yield {
        "data": data,
        "mark": {"type": "rule", "color": TEXT, "strokeDash": [1, 3], "strokeWidth": 1.5},
        "encoding": {"y": y},
    }
    yield {
        "data": data,
        "mark": {**words, "color": TEXT, "fontSize": 12},
        "encoding": {"y": y, "x": {"value": 0}, "text": {"field": "told"}},
    }


def _study(study: Sequence[Point], x: Spec, y: Spec) -> Iterator[Spec]:
    """Published times: thin, grey, named where each line ends."""
    if not study:
        return
    titles = {"source": "published", "cell": "cell", "batch": "batch", "told": "ms an image"}
    tooltips = [
        {"field": name, "title": title, "type": "nominal"} for name, title in titles.items()
    ]
    values = [datum(point) | {"source": "study of 2017"} for point in study]
    yield {
        "data": {"values": values},
        "mark": {
            "type": "line",
            "color": QUIET,
            "strokeWidth": 1,
            "strokeDash": [4, 4],
            "opacity": 0.7,
            "point": {"color": QUIET, "size": 14},
        },
        "encoding": {"x": x, "y": y, "detail": {"field": "cell"}, "tooltip": tooltips},
    }
    yield {
        "data": {"values": list(_ends(study, y["scale"]))},
        "mark": {"type": "text", "align": "left", "dx": 8, "color": QUIET, "fontSize": 10},
        "encoding": {"x": x, "y": y, "text": {"field": "cell"}},
    }


def _ends(study: Sequence[Point], scale: Spec) -> Iterator[Spec]:
    """The last point of each line, moved along the axis where names would overlap."""
    last = {p.cell: p for p in sorted(study, key=lambda point: point.batch)}
    low, high = map(_linear(scale), scale["domain"])
    pixels = SIZE[1] / (high - low)
    boxes = [
        (p.batch, p.batch + 0.5, (_linear(scale)(p.figure) - low) * pixels) for p in last.values()
    ]
    for point, height in zip(last.values(), apart(boxes, LINE), strict=True):
        moved = height / pixels + low
        yield {
            "cell": point.cell,
            "batch": point.batch,
            "figure": 10**moved if scale["type"] == "log" else moved,
        }


def _linear(scale: Spec) -> Callable[[float], float]:
    return log10 if scale["type"] == "log" else float
