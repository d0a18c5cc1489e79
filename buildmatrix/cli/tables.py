"""What tables on a terminal have in common; each kind of document has a view of its own."""

from __future__ import annotations

from rich.table import Table

STATES = {
    "done": ("built", "green"),
    "cached": ("stored", "dim"),
    "failed": ("FAILED", "bold red"),
    "unavailable": ("out of reach", "yellow"),
    "not reached": ("not reached", "yellow"),
}
SEVERITIES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def headed(*columns: str, title: str = "") -> Table:
    """An empty table without lines; what is too long for a column folds."""
    table = Table(title=title, box=None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", header_style="dim")
    return table


def shown(value: object) -> str:
    """A value as YAML writes it; a dash for none."""
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def clipped(text: str, length: int) -> str:
    """The text, or its beginning and a mark that it goes on; `length` in characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
