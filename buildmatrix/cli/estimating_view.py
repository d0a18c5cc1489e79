"""How an estimate looks on a terminal: never without the word, never without its error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from buildmatrix.estimate.shown import about, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.documents.estimating import CheckRow, Estimate, Order, Ordered, PartRow
    from buildmatrix.estimate.board import Board

LARGEST = 3
UNSEEN = {
    "network": "networks that the fit had not seen",
    "board": "boards that the fit had not seen",
    "both": "networks and boards that the fit had not seen",
}


def sentence(made: Estimate, board: Board) -> str:
    """Lines of text: what is estimated, how far such estimates were off, and what else to know."""
    plural = "s" if made["threads"] > 1 else ""
    head = (
        f"{made['cell']}, {made['model']}, as on {about(board)}, "
        f"{made['threads']} thread{plural}, batch 1"
    )
    errors = made["errors"]
    off = (
        f"such estimates of {UNSEEN[made['held_out']]} were off by {errors['median_error']:.0%} "
        f"(median) and {errors['ninth_decile']:.0%} (nine of ten), over {errors['rows']} "
        "published times"
    )
    lines = [head, _figure(made), off]
    if counted := made["counted"]:
        millions = counted["multiply_add_instructions"] / 1e6
        lines.append(
            f"arithmetic as emulation counted it, {millions:.1f} M multiply-add instructions: "
            f"{counted['times']:.2f} times what the layers say"
        )
    if made["own_rows"]:
        count = f"{made['own_rows']} run{'s' if made['own_rows'] > 1 else ''}"
        lines.append(f"fitted to {count} of one's own too, on real boards, none held out")
    lines += [f"changed: {one}" for one in made["changed"]]
    return "\n".join([*lines, *(f"note: {note}" for note in made["notes"])])


def _figure(made: Estimate) -> str:
    ms, interval = made["estimated_ms_per_image"], made["estimated_interval_ms"]
    if ms is None or interval is None:
        return f"estimated: no milliseconds, only the order: {_order(made)}"
    low, high = interval
    between = f"{rounded(low)} to {rounded(high)}"
    return f"estimated: {rounded(ms)} ms an image, {between} in nine of ten such cases"


def _order(made: Estimate) -> str:
    words = [
        f"{than} {name}"
        for than, name in (
            ("slower than", made["slower_than"]),
            ("faster than", made["faster_than"]),
        )
        if name
    ]
    return ", ".join(words)


def ranked(made: Order, board: Board) -> str:
    """Lines of text: why there are no milliseconds, and where the cell stands among others."""
    own, rows = made["cell"], made["cells"]
    head = f"{own}, {made['model']}, as on {about(board)}, batch 1"
    lines = [head, f"estimated: {made['reason']}"]
    others = [row for row in rows if row["cell"] != own]
    words = {
        "fewer instructions than": [r["cell"] for r in others if _apart(r, more=True)],
        "more than": [r["cell"] for r in others if _apart(r, more=False)],
        f"within {made['near']:.0%} of": [r["cell"] for r in others if not r["told_apart"]],
    }
    place = [f"{than} {', '.join(cells)}" for than, cells in words.items() if cells]
    lines.append(
        "its order, by what emulation counted of one image: " + "; ".join(place)
        if place
        else "no other cell of this network and machine was profiled: inv profile CELL --host BOARD"
    )
    return "\n".join([*lines, *(f"note: {note}" for note in made["notes"])])


def _apart(row: Ordered, *, more: bool) -> bool:
    return row["told_apart"] and (row["times"] > 1) == more


def ordered(made: Order) -> Table:
    """The cells of the network, that with the fewest instructions first."""
    table = Table(box=None, header_style="bold")
    for head in ("cell", "stack", "M instr", "M multiply-adds", "times", "told apart"):
        right = head.startswith(("M ", "times"))
        table.add_column(head, justify="right" if right else "left", overflow="fold")
    for row in made["cells"]:
        asked = row["cell"] == made["cell"]
        table.add_row(
            Text(row["cell"]),
            Text(row["stack"]),
            f"{row['instructions'] / 1e6:.1f}",
            f"{row['multiply_add_instructions'] / 1e6:.1f}",
            f"{row['times']:.2f}",
            "this cell" if asked else "yes" if row["told_apart"] else "no",
        )
    return table


def explained(made: Estimate) -> RenderableType:
    """The largest parts of the time, the largest layers, and the validation."""
    return Group(
        _parts("the largest parts of the estimated time", made["parts"][:LARGEST]),
        Text(),
        _parts("the largest layers", made["layers"][:LARGEST]),
        Text(),
        _validation(made["validation"]),
    )


def _parts(title: str, rows: Sequence[PartRow]) -> Table:
    made = Table(title=title, title_justify="left", box=None, header_style="bold")
    made.add_column("estimated ms", justify="right")
    made.add_column("share", justify="right")
    made.add_column("of", overflow="fold")
    for row in rows:
        ms = row["estimated_ms"]
        made.add_row("-" if ms is None else rounded(ms), f"{row['share']:.0%}", Text(row["name"]))
    return made


def _validation(rows: Sequence[CheckRow]) -> Table:
    title = "published milliseconds, each beside an estimate not fitted to it"
    made = Table(title=title, title_justify="left", box=None, header_style="bold")
    for head in ("board", "threads", "network", "published", "estimated", "error", "held out"):
        right = head in ("threads", "published", "estimated", "error")
        made.add_column(head, justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(
            Text(row["board"]),
            str(row["threads"]),
            Text(row["network"]),
            f"{row['published_ms']:.1f}",
            f"{row['estimated_ms']:.1f}",
            f"{row['error']:+.0%}",
            row["held_out"],
        )
    return made
