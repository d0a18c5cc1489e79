"""How documents look on a terminal, from 60 columns up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from buildmatrix.cli.listing import Listing
from buildmatrix.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.documents.boards import DeviceList
    from buildmatrix.documents.building import (
        Build,
        Cells,
        Checks,
        ForecastRow,
        Offers,
        Plan,
        Sources,
        Toolchains,
    )
    from buildmatrix.documents.clearing import Gc
    from buildmatrix.documents.verdicts import Compare, ComparisonRow, Nightly, NightRun
    from buildmatrix.nouns import Basis

VERBS = {"RUN": "green", "RERUN": "yellow", "SKIP": "dim", "BLOCKED": "red"}
STATES = {
    "done": ("built", "green"),
    "cached": ("stored", "dim"),
    "failed": ("FAILED", "bold red"),
    "unavailable": ("out of reach", "yellow"),
    "not reached": ("not reached", "yellow"),
}
SEVERITIES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def _table(*columns: str, title: str = "") -> Table:
    table = Table(title=title, box=None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", header_style="dim")
    return table


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
        options = " ".join(f"{k}={_value(v)}" for k, v in cell["options"].items())
        reason = "" if cell["reason"] == "stored" else cell["reason"]
        reason = escape(shared.get(reason, reason))
        words = f"{escape(options)}\n[dim]{reason}[/]" if reason else escape(options)
        listing.add(cell["id"], cell["stack"], cell["shown"]["rung"], words=words)
    parts: list[RenderableType] = [listing]
    notes = [f"{number} {reason}" for reason, number in shared.items()]
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
        reason = escape(_clipped(action["reason"], 300))
        listing.add(
            f"[{VERBS[verb]}]{verb}[/]",
            "" if seconds is None else _expected(seconds, action["predicted_by"]),
            escape(action["id"]),
            words=f"[dim]{reason}[/]",
        )
    wanted = sum(action["verb"] in ("RUN", "RERUN") for action in document["actions"])
    summary = f"\n{wanted} of {len(document['actions'])} actions to run"
    return Group(listing, Text(summary + (_outlook(document["forecast"]) if wanted else "")))


def _expected(seconds: float, basis: Basis | None) -> str:
    return f"{seconds:.0f} s" if basis == "record" else f"[dim]guess[/] {seconds:.0f} s"


def _outlook(row: ForecastRow) -> str:
    """How long all of it takes, and what it waits for, in two sentences."""
    guessed = f", {row['guessed']} of them guessed" if row["guessed"] else ""
    return (
        f"{guessed}: about {_minutes(row['seconds'])}, one after the other "
        f"{_minutes(row['one_at_a_time'])}\nlongest chain, {_minutes(row['critical_seconds'])}: "
        + " → ".join(row["critical_path"])
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.0f} s"


def build(document: Build) -> RenderableType:
    listing = Listing(("cell", ""), "")
    for cell in document["cells"]:
        word, colour = STATES[cell["state"]]
        text = cell["cause"] if cell["state"] not in ("done", "cached") else ""
        words = f"[dim]{escape(_clipped(text, 400))}[/]" if text else ""
        listing.add(cell["id"], f"[{colour}]{word}[/]", words=words)
    return listing


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
}


def sources(document: Sources) -> RenderableType:
    listing = Listing(("source", "", ""), "where from, and what stands in the way")
    for row in document["sources"]:
        words = [*row["alternates"]]
        words += [f"[yellow]{escape(row['reason'])}[/]"] if row["reason"] else []
        words += [f"next: {escape(row['way_out'])}"] if row["way_out"] else []
        words += [f"written: {escape(row['file'])}"] if row["file"] else []
        words.append(f"for {', '.join(row['cells'])}")
        colour = SOURCES[row["state"]] or "none"
        listing.add(
            row["source"],
            f"[dim]{row['identity'][:12]}[/]",
            f"[{colour}]{row['state']}[/]",
            words="\n".join((escape(words[0]), *(f"[dim]{word}[/]" for word in words[1:]))),
        )
    return listing


def device(document: dict[str, Any]) -> RenderableType:
    table = _table("", "")
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
    return _value(value)


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


def checks(document: Checks) -> RenderableType:
    listing = Listing(("", "check"), "found")
    for check in document["checks"]:
        sign = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]?[/]"}[check["ok"]]
        hint = f"\n[dim]{escape(check['hint'])}[/]" if check["hint"] and not check["ok"] else ""
        listing.add(sign, check["name"], words=f"{escape(check['found'])}{hint}")
    return listing


def garbage(document: Gc) -> RenderableType:
    """All kinds with what they weigh; of what goes, the heaviest twenty by name."""
    goes = "would go" if document["dry_run"] else "removed"
    kinds = _table("", "there", "needed", goes)
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
        heaviest = _table(
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


VERDICTS = {
    "better": "green",
    "worse": "bold red",
    "the board": "yellow",
    "not enough data": "yellow",
    "not alike": "yellow",
    "gone": "yellow",
}


def comparison(document: Compare) -> RenderableType:
    """Figures are never cut: where columns are few, the names and the words fold."""
    rows = document["comparisons"]
    figures = [
        (
            str(row["batch"]),
            _figure(row, row["base"]),
            _figure(row, row["new"]),
            "" if row["change"] is None else f"{row['change']:+.1%}",
        )
        for row in rows
    ]
    title = f"{document['new']} against {document['base']}"
    table = _table("cell", "batch", "base", "new", "change", "verdict", title=title)
    for place, column in enumerate(table.columns[1:5]):
        column.no_wrap, column.justify = True, "right"
        column.min_width = max((len(texts[place]) for texts in figures), default=0)
    for row, texts in zip(rows, figures, strict=True):
        colour = VERDICTS.get(row["verdict"], "dim")
        reason = f"\n[dim]{escape(row['reason'])}[/]" if row["reason"] else ""
        table.add_row(escape(row["cell"]), *texts, f"[{colour}]{escape(row['words'])}[/]{reason}")
    units = {row["metric"]: row["unit"] for row in rows}
    notes = [f"figures: {', '.join(units.values())}" if units else "nothing to compare"]
    return Group(table, Text(), *(Text(note, style="dim") for note in (*notes, *document["notes"])))


def _figure(row: ComparisonRow, figure: float | None) -> str:
    """Times as they are, instructions in millions: see the unit below the table."""
    from buildmatrix.summary import millions_text, time_text

    if figure is None:
        return "-"
    counted = row["metric"].startswith("instructions")
    if counted:
        return f"{figure / 1e6:.2f} M" if figure >= 1e6 else f"{millions_text(figure)} M"
    return time_text(figure)


def night(document: Nightly) -> RenderableType:
    parts: list[RenderableType] = [Text(f"night {document['id']}", style="bold"), Text()]
    toolchains = _table("toolchain", "rebuilt from nothing")
    for name, words in document["toolchains"].items():
        toolchains.add_row(name, escape(_clipped(words, 600)))
    cells = _table("cell", "")
    for name, state in document["cells"].items():
        word, colour = STATES[state]
        cells.add_row(name, f"[{colour}]{word}[/]")
    parts += [toolchains, Text(), cells, Text()]
    for run in document["runs"]:
        parts.append(Text(run["model"], style="bold"))
        if run["compared_with"]:
            verdicts: Compare = {
                "version": 1,
                "base": run["compared_with"],
                "new": run["run"],
                "notes": run["notes"],
                "comparisons": run["comparisons"],
            }
            parts.append(comparison(verdicts))
            if run["since_accepted"]:
                parts.append(_since_accepted(run))
        else:
            none = "no good night of this model on this board yet: nothing to compare with"
            parts.append(Text(none, "yellow"))
    parts += [Text(f"the board: {words}", style="yellow") for words in document["health"]]
    for trouble in document["troubles"]:
        parts.append(Text(f"trouble ({trouble['code']}): {trouble['words']}", style="bold red"))
    if not document["troubles"]:
        parts.append(Text("a good night", style="green"))
    return Group(*parts)


def _since_accepted(run: NightRun) -> RenderableType:
    """What moved since the last accepted night, where each night alone moved too little."""
    moved = [c for c in run["since_accepted"] if c["verdict"] in ("better", "worse", "the board")]
    if not moved:
        return Text(f"since {run['accepted']}, the last accepted: nothing moved", "dim")
    return comparison(
        {
            "version": 1,
            "base": f"{run['accepted']}, the last accepted",
            "new": run["run"],
            "notes": [],
            "comparisons": moved,
        }
    )


def _value(value: object) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def agreement(model: str, rows: Iterable[Sequence[str]]) -> RenderableType:
    columns = ("cell", "computes in", "to the reference", "worst to a cell of that format")
    table = _table(*columns, title=f"{model}: largest relative difference, and at which output")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
