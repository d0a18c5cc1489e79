"""How a history looks on a terminal: what moved, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from buildmatrix.printable import escape
from buildmatrix.summary import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.documents.verdicts import History, HistoryBoard, HistoryRow, HistoryStep


def table(document: History) -> RenderableType:
    """What moved, board by board, newest first."""
    parts = [part for board in document["boards"] for part in (_board(board), Text())]
    return Group(*parts)


def _board(board: HistoryBoard) -> RenderableType:
    nights = board["nights"]
    kind = ", emulated" if board["emulated"] else ""
    count = f"{len(nights)} night{'s' if len(nights) > 1 else ''}"
    title = f"{board['device']}{kind}: {count}, {len(board['rows'])} rows"
    days = {night["id"]: night["at"][:10] for night in nights}
    order = {name: place for place, name in enumerate(days)}
    steps = sorted(_steps(board), key=lambda one: -order[one[2]["night"]])
    if not steps:
        return Text(f"{title}: nothing stepped")
    made = Table(title=title, title_justify="left", box=None, header_style="bold")
    made.add_column("night", no_wrap=True)
    made.add_column("what", overflow="fold")
    made.add_column("change", no_wrap=True, justify="right")
    made.add_column("from, to", no_wrap=True)
    made.add_column("what changed", overflow="fold")
    for what, levels, step in steps:
        accepted = [f"accepted on {days[step['accepted']]}"] if step["accepted"] else []
        words = escape("; ".join((*step["changed"], *accepted)))
        made.add_row(days[step["night"]], escape(what), f"{step['change']:+.1%}", levels, words)
    return made


def _steps(board: HistoryBoard) -> Iterator[tuple[str, str, HistoryStep]]:
    for step in board["steps"]:
        yield "everything on the board", "", step
    for row in board["rows"]:
        for step in row["steps"]:
            levels = (_level(row, step["before"]), _level(row, step["after"]))
            yield f"{row['cell']}, batch {row['batch']}", " to ".join(levels), step


def _level(row: HistoryRow, figure: float) -> str:
    counted = row["metric"].startswith("instructions")
    return f"{figure / 1e6:.2f} M" if counted else time_text(figure)
