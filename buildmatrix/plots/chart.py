"""What a chart shows, how a cell looks in it, and the frame that all charts share."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

from buildmatrix.summary import spread, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from buildmatrix.summary import Row

Spec = dict[str, Any]

# After Okabe and Ito, moved until each stands 3:1 from its paper and two differ for people with
# protanopia, deuteranopia and tritanopia as well. Name, on white, on near-black.
COLOURS = (
    ("blue", "#0f4c8a", "#58c4f5"),
    ("red", "#c83a10", "#df6020"),
    ("green", "#0b8263", "#22958c"),
    ("pink", "#c4609f", "#f59ca4"),
    ("ink", "#26172b", "#f4f4f0"),
    ("olive", "#a39400", "#cfcb2e"),
    ("sky", "#4a93e0", "#a169e0"),
)
# The counts of colours, shapes and dashes have no common divisor: a look comes again after 280.
SHAPES = (
    ("circle", "●"),
    ("square", "■"),
    ("triangle-up", "▲"),
    ("diamond", "◆"),
    ("triangle-down", "▼"),
    ("cross", "✚"),
    ("triangle-right", "▶"),
    ("triangle-left", "◀"),
)
DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (14, 4))

TEXT = "var(--bm-text,#1b1f24)"
QUIET = "var(--bm-quiet,#5a6470)"
GRID = "var(--bm-grid,#e4e7eb)"
PAPER = "var(--bm-paper,#ffffff)"
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"  # the first is in vl-convert itself


@dataclass(frozen=True, slots=True)
class Style:
    """How one cell is drawn wherever it occurs; colour is never the only sign."""

    colour: str  # name, as in COLOURS
    value: str  # of the colour, as a spec has it
    shape: str
    glyph: str  # the shape as a letter
    dash: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one cell at one batch size, in the unit of its chart."""

    cell: str
    batch: int
    figure: float  # ms an image; under emulation millions of instructions an image
    interval: tuple[float, float] | None = None  # 95 %, of the mean over blocks
    blocks: int = 1
    peak_kib: int | None = None
    wrong: float | None = None  # share of the pictures that were held out; None: not asked


@dataclass(frozen=True, slots=True)
class Chart:
    """The points of one grid, and what must be said beside them."""

    name: str  # pi3, 4 threads
    emulated: bool
    points: tuple[Point, ...]
    batches: tuple[int, ...]
    cells: tuple[str, ...]  # every cell of the report: one looks alike in all charts
    bound: float | None = None  # least figure that is possible, in the unit of the points
    per: str = "an image"  # what a figure is of

    @property
    def unit(self) -> str:
        return f"million instructions {self.per} (emulated)" if self.emulated else f"ms {self.per}"

    @property
    def quantity(self) -> str:
        return "Instructions" if self.emulated else "Time"

    @property
    def subject(self) -> str:
        return f"{self.name} (emulated)" if self.emulated else self.name

    @property
    def drawn(self) -> tuple[str, ...]:
        """The cells that have a point, in the order in which they occur."""
        return tuple(dict.fromkeys(point.cell for point in self.points))


def points(rows: Iterable[Row]) -> tuple[Point, ...]:
    """Rows as they are plotted: a time, but under emulation instructions. No figure, no point."""
    return tuple(point for row in rows if (point := _point(row)))


def _point(row: Row) -> Point | None:
    if row.emulated:
        count = row.instructions_per_image
        figure, interval = None if count is None else count / 1e6, None
    else:
        figure, distribution = row.mean_ms_per_image, spread(row)
        interval = distribution.interval if distribution else None
    if figure is None:
        return None
    wrong = None if row.right is None else 1 - row.right.share
    return Point(row.cell, row.batch, figure, interval, len(row.used), row.peak_rss_kib, wrong)


def styles(cells: Iterable[str]) -> Mapping[str, Style]:
    """One look for each name, by its place in the order of the names."""
    looks_of = {}
    for place, cell in enumerate(sorted(set(cells))):
        colour, value, _ = COLOURS[place % len(COLOURS)]
        shape, glyph = SHAPES[place % len(SHAPES)]
        dash = DASHES[place % len(DASHES)]
        looks_of[cell] = Style(colour, f"var(--bm-{colour},{value})", shape, glyph, dash)
    return looks_of


def looks(chart: Chart, *channels: str, legend: Spec | None = None) -> Spec:
    """Encoding by cell of color, shape or both."""
    look = styles(chart.cells)
    ranges: dict[str, list[object]] = {
        "color": [look[cell].value for cell in chart.drawn],
        "shape": [look[cell].shape for cell in chart.drawn],
    }
    return {
        name: {
            "field": "cell",
            "type": "nominal",
            "legend": legend,
            "scale": {"domain": list(chart.drawn), "range": ranges[name]},
        }
        for name in channels
    }


def datum(point: Point) -> Spec:
    """A point as data, with the words of its tooltip."""
    low, high = point.interval or (None, None)
    return {
        "cell": point.cell,
        "batch": point.batch,
        "figure": point.figure,
        "low": low,
        "high": high,
        "blocks": point.blocks,
        "told": time_text(point.figure),
        "interval": (
            "too few blocks"
            if low is None or high is None
            else f"{time_text(low)} to {time_text(high)}"
        ),
        "memory": f"{point.peak_kib / 1024:.0f} MiB" if point.peak_kib else "not known",
    }


def tooltip(chart: Chart, **more: str) -> list[Spec]:
    """The fields of `datum` that a reader sees on a point; `more` is field=title."""
    titles = {"cell": "cell", "batch": "batch", "told": chart.unit}
    if any(point.interval for point in chart.points):
        titles["interval"] = "95 % interval"
    titles |= {"blocks": "blocks", "memory": "peak memory"} | more
    return [{"field": field, "title": title, "type": "nominal"} for field, title in titles.items()]


def ticks(low: float, high: float) -> list[float] | None:
    """Round numbers of a logarithmic axis, five or more if there are; None leaves it to Vega."""
    inside: list[float] = []
    for digits in ((1, 2, 5), (1, 2, 3, 5, 7), range(1, 10)):
        if len(inside) < 5:
            decades = range(floor(log10(low)), ceil(log10(high)) + 1)
            values = [digit * 10.0**decade for decade in decades for digit in digits]
            inside = [value for value in values if low <= value <= high]
    return inside or None


def apart(boxes: Sequence[tuple[float, float, float]], line: float) -> list[float]:
    """Heights of labels, moved up where they would overlap; `boxes` are left, right, height."""
    heights = [0.0] * len(boxes)
    taken: list[tuple[float, float, float]] = []
    for index in sorted(range(len(boxes)), key=lambda i: boxes[i][2]):
        left, right, height = boxes[index]
        for start, end, other in sorted(taken, key=lambda box: box[2]):
            if start < right and left < end and height < other + line:
                height = other + line
        taken.append((left, right, height))
        heights[index] = height
    return heights


def framed(title: str, subtitle: object, *, size: tuple[int, int], **content: object) -> Spec:
    """A spec with the looks that all charts have in common."""
    words = {"labelColor": QUIET, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "title": {"text": title, "subtitle": subtitle},
        "description": title,
        "width": size[0],
        "height": size[1],
        "background": PAPER,
        "padding": 4,
        **content,
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": {
                **words,
                "titleColor": QUIET,
                "titleFontWeight": "normal",
                "titlePadding": 10,
                "gridColor": GRID,
                "domainColor": QUIET,
                "tickColor": QUIET,
                "labelPadding": 4,
            },
            "axisY": {"domain": False, "ticks": False},
            "legend": {
                "orient": "top",
                "labelColor": TEXT,
                "labelFontSize": 12,
                "labelLimit": 0,
                "symbolSize": 110,
                "symbolOpacity": 1,
                "rowPadding": 5,
                "columnPadding": 18,
                "offset": 12,
            },
            "title": {
                "anchor": "start",
                "frame": "group",
                "fontSize": 15,
                "color": TEXT,
                "subtitleFontSize": 12,
                "subtitleColor": QUIET,
                "subtitlePadding": 5,
                "offset": 14,
            },
        },
    }
