"""How cells, plans, builds and what they are made from look on a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from buildmatrix.cli.common import spoken
from buildmatrix.cli.listing import Listing
from buildmatrix.cli.tables import STATES, clipped, shown
from buildmatrix.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.documents.building import (
        Build,
        Cells,
        ForecastRow,
        Offers,
        Plan,
        ReproducedRow,
        Sources,
        Toolchains,
    )
    from buildmatrix.nouns import Basis


VERBS = {"RUN": "green", "RERUN": "yellow", "SKIP": "dim", "BLOCKED": "red"}


RUNGS = {
    "rendered": "its scripts could be filled in",
    "runner": "its engine gave the right answer, with this library, in another cell",
    "built": "it was built and passed its audit",
    "ran": "it gave the right answer on a virtual board",
    "measured": "it was measured on hardware",
}


def cells(document: Cells) -> RenderableType:
    """A reason that many cells share stands once, below, and its number in the rows."""
    listing = Listing(("cell", "stack", "shown"), "options, and what stands in the way")
    counts = Counter(cell["reason"] for cell in document["cells"])
    often = [reason for reason, n in counts.items() if n > 1 and reason != "stored"]
    shared = {reason: f"({number})" for number, reason in enumerate(often, 1)}
    for cell in document["cells"]:
        options = " ".join(f"{k}={shown(v)}" for k, v in cell["options"].items())
        reason = "" if cell["reason"] == "stored" else cell["reason"]
        reason = escape(spoken(shared.get(reason, reason)))
        words = f"{escape(options)}\n[dim]{reason}[/]" if reason else escape(options)
        listing.add(cell["id"], cell["stack"], cell["shown"]["rung"], words=words)
    parts: list[RenderableType] = [listing]
    notes = [f"{number} {spoken(reason)}" for reason, number in shared.items()]
    rungs = dict.fromkeys(cell["shown"]["rung"] for cell in document["cells"])
    notes += [f"{rung}: {RUNGS[rung]}" for rung in rungs]
    parts += [Text(), *(Text(note, "dim") for note in notes)]
    if document["dropped"]:
        dropped = Listing(("dropped",), "by which rule, and why")
        for row in document["dropped"]:
            dropped.add(row["id"], words=f"{escape(row['rule'])}\n[dim]{escape(row['reason'])}[/]")
        parts += [Text(), dropped]
    return Group(*parts)


def plan(document: Plan) -> RenderableType:
    listing = Listing(("", "expected", "action"), "because", right=frozenset({1}))
    for action in document["actions"]:
        seconds = action["predicted_seconds"]
        verb = action["verb"]
        reason = escape(spoken(clipped(action["reason"], 300)))
        listing.add(
            f"[{VERBS[verb]}]{verb}[/]",
            "" if seconds is None else _expected(seconds, action["predicted_by"]),
            escape(action["id"]),
            words=f"[dim]{reason}[/]",
        )
    wanted = sum(action["verb"] in ("RUN", "RERUN") for action in document["actions"])
    summary = f"\n{wanted} of {len(document['actions'])} actions to run"
    if not wanted:
        return Group(listing, Text(summary))
    return Group(listing, Text(summary), *_outlook(document["forecast"]))


def _expected(seconds: float, basis: Basis | None) -> str:
    return f"{seconds:.0f} s" if basis == "record" else f"[dim]guess[/] {seconds:.0f} s"


def _outlook(row: ForecastRow) -> Iterator[RenderableType]:
    """How long all of it takes, and the chain that it waits for, a line for each of its works."""
    guessed = f" (of {row['guessed']} works it is guessed)" if row["guessed"] else ""
    yield Text(
        f"about {_minutes(row['seconds'])}{guessed}, one after the other "
        f"{_minutes(row['one_at_a_time'])}\n"
    )
    chain = Listing((f"longest chain, {_minutes(row['critical_seconds'])}",), "")
    for work in row["critical_path"]:
        chain.add(escape(work))
    yield chain


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} s"


def build(document: Build) -> RenderableType:
    listing = Listing(("cell", ""), "")
    for cell in document["cells"]:
        word, colour = STATES[cell["state"]]
        text = cell["brief"] if cell["state"] not in ("done", "cached") else ""
        words = f"[dim]{escape(spoken(text))}[/]" if text else ""
        listing.add(cell["id"], f"[{colour}]{word}[/]", words=words)
    if "reproduced" not in document:
        return listing
    return Group(listing, Text(), *_reproduced(document["reproduced"]))


def _reproduced(rows: Sequence[ReproducedRow]) -> Iterator[RenderableType]:
    unlike = [row for row in rows if row["difference"]]
    yield Text(f"made again: {len(rows)} works, {len(rows) - len(unlike)} of them the same bytes")
    if not unlike:
        return
    listing = Listing(("not the same", "files"), "the first that differs", right=frozenset({1}))
    for row in unlike:
        words = escape(clipped(row["difference"], 400))
        report = f"\n[dim]diffoscope: {escape(row['report'])}[/]" if row["report"] else ""
        files = f"{len(row['differing'])} of {row['files']}"
        listing.add(escape(row["id"]), files, words=words + report)
    yield listing


def offers(document: Offers) -> RenderableType:
    """A line each: its name, whose it is, what it is."""
    listing = Listing((document["kind"].removesuffix("s"), "from"), "what it is")
    for one in document["offers"]:
        listing.add(one["name"], _origin(one["origin"]), words=escape(one["summary"]))
    return listing


def _origin(origin: str) -> str:
    return "here" if origin == "project" else "[dim]shipped[/]"


def toolchains(document: Toolchains) -> RenderableType:
    heads = ("toolchain", "from", "identity", "packages")
    listing = Listing(heads, "what it is", right=frozenset({3}))
    for t in document["toolchains"]:
        target = t["target"]
        what = f"{t['summary']}\n[dim]{target['triple']} {target['march']} {target['fpu']}[/]"
        if t["changed"]:
            what += f"\n[yellow]{escape(t['changed'])}[/]"
        made = t["identity"][:12] or "not made"
        packages = str(len(t["packages"]) or "-")
        listing.add(t["name"], _origin(t["origin"]), made, packages, words=what)
    return listing


SOURCES = {
    "held": "dim",
    "verified": "green",
    "not fetched": "",
    "out of reach": "yellow",
    "unlocked": "yellow",
    "damaged": "bold red",
    "badly signed": "bold red",
}


def sources(document: Sources) -> RenderableType:
    listing = Listing(("source", "", ""), "where from, and what stands in the way")
    for row in document["sources"]:
        words = [*row["alternates"]]
        words += [f"[yellow]{escape(spoken(row['reason']))}[/]"] if row["reason"] else []
        words += [f"next: {escape(spoken(row['way_out']))}"] if row["way_out"] else []
        words += [f"written: {escape(row['file'])}"] if row["file"] else []
        if (signature := row["signature"]) is not None:
            words.append(f"signature {signature['state']}: {escape(signature['reason'])}")
        words.append(f"for {', '.join(row['cells'])}")
        colour = SOURCES[row["state"]] or "none"
        listing.add(
            row["source"],
            f"[dim]{row['identity'][:12]}[/]",
            f"[{colour}]{row['state']}[/]",
            words="\n".join((escape(words[0]), *(f"[dim]{word}[/]" for word in words[1:]))),
        )
    return listing
