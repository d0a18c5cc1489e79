"""How boards look on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.cli.listing import Listing
from buildmatrix.cli.tables import headed, shown
from buildmatrix.printable import escape

if TYPE_CHECKING:
    from rich.console import RenderableType

    from buildmatrix.documents.boards import DeviceList


def device(document: dict[str, Any]) -> RenderableType:
    table = headed("", "")
    for name, value in document.items():
        if name != "version":
            table.add_row(f"[dim]{name.replace('_', ' ')}[/]", escape(_fact(value)))
    return table


def _fact(value: object) -> str:
    """What a board said, for people: a line for each of its clocks, clusters, libraries."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_fact(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        if any(isinstance(each, dict) for each in value):
            return "\n".join(_row(each) for each in value)
        return " ".join(map(str, value))
    return shown(value)


def _row(facts: dict[str, object]) -> str:
    """
    >>> _row({"cpus": (0, 1), "part": "0xd03", "capacity": None, "max_khz": 1200000})
    'cpus 0 1, part 0xd03, max khz 1200000'
    """
    known = {name: each for name, each in facts.items() if each not in (None, "")}
    return ", ".join(f"{name.replace('_', ' ')} {_fact(each)}" for name, each in known.items())


LOOKS = {"idle": "green", "running": "cyan", "away": "red", "off": "dim"}


def devices(document: DeviceList) -> RenderableType:
    """A column that no board has a fact for is left out."""
    leased = any(d["owner"] for d in document["devices"])
    heads = ("board", "kind", "state", *(("lease of",) if leased else ()))
    listing = Listing(heads, "address, and what it is at")
    for d in document["devices"]:
        colour = LOOKS.get(d["state"], "yellow")
        seen = f", last seen {d['last_seen']}" if d["state"] == "away" and d["last_seen"] else ""
        detail = f"\n[dim]{escape(d['detail'])}{seen}[/]" if d["detail"] else ""
        listing.add(
            *(d["name"], d["kind"], f"[{colour}]{d['state']}[/]"),
            *((escape(d["owner"]),) if leased else ()),
            words=f"{escape(d['user'])}@{d['host']}:{d['port']}{detail}",
        )
    return listing
