"""A history as a folder of HTML pages that load nothing and run nothing.

An index of what moved, a page a board, a page a cell and board. The policy in each head allows the
one style sheet that stands in it, by its hash, and no script at all.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import template
from buildmatrix.history import chart, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.history.series import Board, History, Series, Step

FOLDER = Path(__file__).parent
UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")  # in a file's name


@dataclass(frozen=True, slots=True)
class Moved:
    """A line of what moved: a step, and where it is told."""

    night: int
    day: str
    step: Step
    series: Series | None  # None: everything on the board
    page: str
    accepted: str  # the day; empty: not accepted

    @property
    def sign(self) -> str:
        """'worse' or 'better' by the metric's direction; a board's move is neither."""
        if self.series is None:
            return "board"
        return "better" if self.step.change * self.series.metric.sign > 0 else "worse"


@dataclass(frozen=True, slots=True)
class Shown:
    """A board, its own page, the page of each of its cells, and what moved on it, newest first."""

    board: Board
    page: str
    cells: dict[str, str]
    moved: tuple[Moved, ...]

    def of(self, cell: str) -> tuple[Series, ...]:
        """The series of one cell."""
        return tuple(one for one in self.board.series if one.cell == cell)


def pages(history: History, *, made: str) -> Iterator[tuple[str, str]]:
    """File names and texts. `made` says when and by what the pages were made."""
    style = (FOLDER / "history.css").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    context: dict[str, object] = {
        "style": style,
        "policy": f"default-src 'none'; style-src 'sha256-{digest}'",
        "made": made,
        "chart": chart,
        "words": words,
    }
    shown = [_shown(board, number) for number, board in enumerate(history.boards, start=1)]
    yield "index.html", _page("index", context | {"shown": shown})
    for one in shown:
        yield one.page, _page("board", context | {"one": one})
        for cell, name in one.cells.items():
            moved = [line for line in one.moved if line.page == name]
            own = context | {"one": one, "cell": cell, "moved": moved, "series": one.of(cell)}
            yield name, _page("cell", own)


def _page(kind: str, context: dict[str, object]) -> str:
    return template.page(FOLDER / "history.html.j2", {**context, "kind": kind})


def _shown(board: Board, number: int) -> Shown:
    cells = dict.fromkeys(one.cell for one in board.series)
    names = {
        cell: f"{number}-{place}-{_file(cell)}.html" for place, cell in enumerate(cells, start=1)
    }
    page = f"{number}-{_file(board.device)}.html"
    return Shown(board, page, names, tuple(_moved(board, page, names)))


def _moved(board: Board, page: str, cells: dict[str, str]) -> Sequence[Moved]:
    days = {night.id: night.at[:10] for night in board.nights}
    steps: list[tuple[Step, Series | None, str]] = [
        *((step, None, page) for step in board.steps),
        *((step, one, cells[one.cell]) for one in board.series for step in one.steps),
    ]
    lines = [
        Moved(
            step.night,
            board.nights[step.night].at[:10],
            step,
            one,
            place,
            days.get(step.accepted, ""),
        )
        for step, one, place in steps
    ]
    return sorted(lines, key=lambda line: (-line.night, -abs(line.step.change)))


def _file(name: str) -> str:
    """A name that every file system takes; a number before it keeps two apart."""
    return UNSAFE.sub("_", name)[:80] or "_"
