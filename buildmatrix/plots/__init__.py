"""Charts as Vega-Lite specs. Pure: points in, plain dicts out; `page` draws them.

A colour is written `var(--bm-blue,#0f4c8a)`: in the page a style sheet answers for it, light or
dark, and a file gets the value after the comma.
"""

from __future__ import annotations

from buildmatrix.plots.chart import COLOURS, Chart, Point, Spec, Style, points, styles
from buildmatrix.plots.intervals import Interval, intervals
from buildmatrix.plots.lines import lines
from buildmatrix.plots.pareto import AXES, Axis, pareto

__all__ = [
    "AXES",
    "COLOURS",
    "Axis",
    "Chart",
    "Interval",
    "Point",
    "Spec",
    "Style",
    "intervals",
    "lines",
    "pareto",
    "points",
    "styles",
]
