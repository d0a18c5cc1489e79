"""From a Page to one HTML file that loads nothing and runs no script but its own two.

The Content-Security-Policy in its head names the hashes of those scripts and of the style sheet:
whatever a runner or a board may have said, no browser runs it.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import plots, template
from buildmatrix.page.answer import answers
from buildmatrix.page.draw import inline_svg, vega
from buildmatrix.page.executed import tables
from buildmatrix.report.estimated import HEADS
from buildmatrix.summary import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from buildmatrix.compare import Comparison
    from buildmatrix.page.answer import Winner
    from buildmatrix.page.content import BoardSection, Page
    from buildmatrix.plots import Chart, Point, Spec
    from buildmatrix.report import Grid, Value

FOLDER = Path(__file__).parent
FOOTNOTE = re.compile(r"(?P<word>.*) \[(?P<number>\d+)\]")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One chart, twice: a picture for paper and for browsers without scripts, and its spec.

    The title stands outside it, where it can wrap.
    """

    id: str
    title: str
    subtitle: str
    spec: Spec
    picture: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A board as the template wants it."""

    id: str
    board: BoardSection
    answers: tuple[Winner, ...]
    lines: tuple[Drawn, ...]  # linear and logarithmic, or none
    fronts: tuple[Drawn, ...]
    batches: tuple[int, ...]  # that the fronts can be shown at
    batch: int  # that they are shown at


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a table: what counts, what stands small below it, and a footnote's number."""

    text: str
    below: str = ""
    note: str = ""
    best: bool = False
    bad: bool = False


def render(content: Page) -> str:
    """The page as one file, some 1 MB; nearly all of it is Vega."""
    style = (FOLDER / "page.css").read_text(encoding="utf-8") + _colours()
    scripts = (vega(), (FOLDER / "page.js").read_text(encoding="utf-8"))
    context: dict[str, object] = {
        "page": content,
        "intervals": _drawn("estimated", spec) if (spec := content.intervals) else None,
        "boards": [_shown(content, board, f"b{n}") for n, board in enumerate(content.boards, 1)],
        "comparisons": [
            list(group) for _, group in groupby(sorted(content.comparisons, key=_kind), _kind)
        ],
        "executed": tables(one.profile for one in content.cells if one.profile),
        "heads": HEADS,
        "looks": plots.styles(content.names),
        "field": field,
        "figure_text": time_text,
        "verdicts": _counted,
        "policy": _policy(style, scripts),
        "style": style,
        "scripts": scripts,
    }
    return template.page(FOLDER / "page.html.j2", context)


def field(grid: Grid, batch: int, cell: str) -> Field:
    """Time and margin; under emulation instructions, with the time that says nothing below."""
    value = grid.value(batch, cell)
    if footnote := FOOTNOTE.fullmatch(value.text):
        return Field(footnote["word"], note=footnote["number"], bad=True)
    best = value.figure is not None and grid.is_best(batch, cell)
    if grid.emulated and value.text[:1].isdigit():
        below = ", ".join(filter(None, (f"{value.text} ms", value.joules)))
        return Field(value.instructions or "not counted", below, best=best)
    return Field(value.text, _below(value), best=best)


def _below(value: Value) -> str:
    counted = f"{value.instructions} M instr" if value.instructions else ""
    return ", ".join(filter(None, (value.margin, counted, value.joules)))


def _shown(content: Page, board: BoardSection, name: str) -> Shown:
    chart = content.chart(board)
    study = _published(content.study) if content.study and not chart.emulated else ()
    batch = _batch(chart)
    winners = answers(board)
    fronts = {
        against: plots.pareto(chart, against=against, sizes=content.sizes, batch=batch)
        for against in _payable(chart, content.sizes)
    }
    lines = {
        scale: plots.lines(chart, logarithmic=scale == "log", study=study)
        for scale in ("linear", "log")
        if chart.points
    }
    return Shown(
        id=name,
        board=board,
        answers=winners,
        lines=tuple(_drawn(f"{name}-{scale}", spec) for scale, spec in lines.items()),
        fronts=tuple(_drawn(f"{name}-{against}", spec) for against, spec in fronts.items()),
        batches=tuple(sorted({point.batch for point in chart.points})),
        batch=batch,
    )


def _drawn(name: str, spec: Spec) -> Drawn:
    title = spec.pop("title")
    return Drawn(name, title["text"], title["subtitle"], spec, inline_svg(spec))


def _batch(chart: Chart) -> int:
    """The batch size at which most cells have a figure; of several the largest."""
    counts = Counter(point.batch for point in chart.points)
    return max(counts, key=lambda batch: (counts[batch], batch), default=1)


def _payable(chart: Chart, sizes: Mapping[str, int]) -> Iterator[str]:
    """What can be held against the figures: two cells make a choice, one does not."""
    if len(set(chart.drawn) & set(sizes)) > 1:
        yield "bundle"
    if len({point.cell for point in chart.points if point.peak_kib}) > 1:
        yield "memory"
    if len({point.cell for point in chart.points if point.wrong is not None}) > 1:
        yield "wrong"


def _published(study: Grid) -> tuple[Point, ...]:
    """The study's table as points."""
    return tuple(
        plots.Point(cell, batch, figure)
        for cell in study.cells
        for batch in study.batches
        if (figure := study.value(batch, cell).figure) is not None
    )


def _kind(comparison: Comparison) -> tuple[str, str]:
    """One table each: a time never stands with a count of instructions."""
    return comparison.device, comparison.metric.name


def _counted(comparisons: list[Comparison]) -> str:
    """'2 worse, 1 better, 6 same', what got worse first."""
    counts = Counter(str(comparison.verdict) for comparison in comparisons)
    order = sorted(counts, key=lambda word: (word != "worse", word != "better", word))
    return ", ".join(f"{counts[word]} {word}" for word in order)


def _colours() -> str:
    """The variables that specs name, and a class for each: what is not black on white."""
    dark = "".join(f"--bm-{name}: {value}; " for name, _, value in plots.COLOURS)
    classes = "".join(
        f".look-{name} {{ color: var(--bm-{name}, {value}); }}\n"
        for name, value, _ in plots.COLOURS
    )
    return f"\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n{classes}"


def _policy(style: str, scripts: tuple[str, ...]) -> str:
    """Nothing but what is in the file: no fetch, no frame, no form, no other script or style."""
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(map(_hash, scripts)),
        "style-src": _hash(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in allowed.items())


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
