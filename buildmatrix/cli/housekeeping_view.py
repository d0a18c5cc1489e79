"""How a machine's fitness and what is cleared away look on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from buildmatrix.cli.common import spoken
from buildmatrix.cli.listing import Listing
from buildmatrix.cli.tables import headed
from buildmatrix.printable import escape

if TYPE_CHECKING:
    from buildmatrix.documents.building import Checks
    from buildmatrix.documents.clearing import Gc


def checks(document: Checks) -> RenderableType:
    listing = Listing(("", "check"), "found")
    for check in document["checks"]:
        sign = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]?[/]"}[check["ok"]]
        words = [escape(check["found"])]
        if check["hint"] and not check["ok"]:
            words.append(f"[dim]{escape(spoken(check['hint']))}[/]")
        listing.add(sign, check["name"], words="\n".join(words))
    return listing


def garbage(document: Gc) -> RenderableType:
    """All kinds with what they weigh; of what goes, the heaviest twenty by name."""
    goes = "would go" if document["dry_run"] else "removed"
    kinds = headed("", "there", "needed", goes)
    for column in kinds.columns[1:]:
        column.justify = "right"
    for kind in document["kinds"]:
        kinds.add_row(
            kind["kind"],
            _weighs(kind["count"], kind["bytes"]),
            _weighs(kind["needed"], kind["needed_bytes"]),
            _weighs(kind["removed"], kind["removed_bytes"]),
        )
    parts: list[RenderableType] = [kinds]
    if document["removed"]:
        heaviest = headed(
            "", "MiB", "last used", title=f"\n{goes.capitalize()}, the heaviest first"
        )
        heaviest.columns[1].justify = "right"
        for one in document["removed"][:20]:
            size = f"{one['bytes'] / 2**20:.1f}"
            heaviest.add_row(escape(one["title"]), size, one["last_used"][:10])
        parts.append(heaviest)
    return Group(*parts)


def _weighs(count: int, size: int) -> str:
    return f"{count}: {size / 2**20:.1f} MiB" if count else "-"
