"""gc: what the state folder keeps and nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, print_table, progress, say, workshop
from buildmatrix.errors import UsageError

if TYPE_CHECKING:
    from buildmatrix.documents.clearing import Gc

GIB = 2**30


@command(
    {
        "unused-days": "how long a thing was of no use before it goes (default: 30)",
        "at-most-gib": "then the longest unused go, until so much is left; what is needed stays",
        "images": "the container engine's images too, those of other projects among them",
        "dry-run": "only say what would go",
    }
)
def gc(
    _c: Any,
    unused_days: str = "30",
    at_most_gib: str = "",
    images: bool = False,
    dry_run: bool = False,
    matrix: str = "matrix.yaml",
    json: bool = False,
    state: str = "",
) -> None:
    """Remove what this matrix does not need and nobody used for a time; results always stay."""
    from buildmatrix.pipeline.clearing import clear

    days = _number("--unused-days", unused_days)
    most = int(_number("--at-most-gib", at_most_gib) * GIB) if at_most_gib else None
    with progress() as reporter:
        shop = workshop(matrix, None, state, reporter)
        engine = shop.engine if images else None
        document = clear(shop, unused_days=days, at_most=most, engine=engine, dry_run=dry_run)
    if json:
        print_json(document)
        return
    from buildmatrix.cli import housekeeping_view

    print_table(housekeeping_view.garbage(document))
    say(_summary(document, most))


def _number(flag: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1e6:
        raise UsageError(f"{flag} {text}: not a number of 0 or more")
    return number


def _summary(document: Gc, at_most: int | None) -> str:
    """What went, in a sentence; and why more is there than was asked for, where that is so."""
    freed = sum(one["removed_bytes"] for one in document["kinds"])
    count = sum(one["removed"] for one in document["kinds"])
    left = sum(one["bytes"] for one in document["kinds"]) - freed
    would = "would go" if document["dry_run"] else "removed"
    lines = [f"{count} {would}, {freed / GIB:.2f} GiB; {left / GIB:.2f} GiB stay"]
    if document["busy"]:
        lines.append(f"{len(document['busy'])} stay because something uses them")
    if at_most is not None and left > at_most:
        lines.append("what is left is needed: by this matrix, or by a virtual board that is there")
    return "\n".join(lines)


TASKS = (gc,)
