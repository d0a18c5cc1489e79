"""Estimates as intervals: a chart of their own, in which no measured figure is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.plots.chart import PAPER, TEXT, Spec, framed
from buildmatrix.summary import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, ROW = 720, 34  # pixels, of the chart and of one cell
SUBTITLE = "estimated, not measured; bars take in nine of ten such cases"


@dataclass(frozen=True, slots=True)
class Interval:
    """Estimated milliseconds of one cell, between their ends."""

    cell: str
    ms: float
    low: float
    high: float


def intervals(title: str, rows: Sequence[Interval]) -> Spec:
    """A bar for each cell from the least to the most that is estimated, dashed, with a hollow
    point: no figure of a board is drawn so."""
    y = {"field": "cell", "type": "nominal", "title": None, "sort": None}
    x = {
        "field": "low",
        "type": "quantitative",
        "title": "estimated ms an image",
        "scale": {"domain": [0, max(row.high for row in rows) * 1.06], "nice": False},
        "axis": {"tickCount": 6},
    }
    return framed(
        title,
        SUBTITLE,
        size=(WIDTH, ROW * len(rows)),
        data={"values": [_datum(row) for row in rows]},
        layer=[
            {
                "mark": {"type": "rule", "color": TEXT, "strokeDash": [4, 3], "strokeWidth": 1.5},
                "encoding": {"y": y, "x": x, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "size": 90, "fill": PAPER, "stroke": TEXT, "opacity": 1},
                "encoding": {"y": y, "x": {**x, "field": "ms"}},
            },
            {
                "mark": {"type": "text", "dy": -11, "fontSize": 11.5, "color": TEXT},
                "encoding": {"y": y, "x": {**x, "field": "ms"}, "text": {"field": "told"}},
            },
        ],
    )


def _datum(row: Interval) -> Spec:
    told = f"estimated {time_text(row.ms)}"
    return {"cell": row.cell, "ms": row.ms, "low": row.low, "high": row.high, "told": told}
