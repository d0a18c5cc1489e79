"""How documents look on a terminal. 100 columns are enough for all of them."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

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


def cells(document: dict[str, Any]) -> RenderableType:
    table = _table("cell", "stack", "shown", "options, and what stands in the way")
    table.columns[0].no_wrap = table.columns[2].no_wrap = True
    for cell in document["cells"]:
        options = " ".join(f"{k}={_value(v)}" for k, v in cell["options"].items())
        reason = "" if cell["reason"] == "stored" else f"\n[dim]{escape(cell['reason'])}[/]"
        table.add_row(cell["id"], cell["stack"], cell["shown"]["rung"], escape(options) + reason)
    parts: list[RenderableType] = [table]
    if document["dropped"]:
        dropped = _table("dropped", "rule", "reason", title="\nDropped")
        for cell in document["dropped"]:
            dropped.add_row(cell["id"], cell["rule"], escape(cell["reason"]))
        parts.append(dropped)
    return Group(*parts)


def plan(document: dict[str, Any]) -> RenderableType:
    table = _table("", "action and reason", "last took")
    table.columns[2].justify = "right"
    table.columns[2].no_wrap = True
    for action in document["actions"]:
        seconds = action["predicted_seconds"]
        verb = action["verb"]
        reason = escape(_clipped(action["reason"], 300))
        table.add_row(
            f"[{VERBS[verb]}]{verb}[/]",
            f"{escape(action['id'])}\n[dim]{reason}[/]",
            "" if seconds is None else f"{seconds:.0f} s",
        )
    wanted = [a for a in document["actions"] if a["verb"] in ("RUN", "RERUN")]
    known = [a["predicted_seconds"] for a in wanted if a["predicted_seconds"] is not None]
    unknown = len(wanted) - len(known)
    summary = f"\n{len(wanted)} of {len(document['actions'])} actions to run"
    if known:
        summary += f", about {sum(known) / 60:.1f} minutes by last time"
    if unknown:
        summary += f", {unknown} never timed here"
    return Group(table, Text(summary))


def build(document: dict[str, Any]) -> RenderableType:
    table = _table("cell", "", "")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for cell in document["cells"]:
        word, colour = STATES[cell["state"]]
        text = cell["cause"] if cell["state"] not in ("done", "cached") else ""
        table.add_row(cell["id"], f"[{colour}]{word}[/]", f"[dim]{escape(_clipped(text, 400))}[/]")
    return table


def audit(document: dict[str, Any]) -> RenderableType:
    facts = _table(
        "file", "float", "cpu", "fp", "SIMD", "NEON\nmultiplies", "GLIBC",
        title=f"Facts{' of ' + document['cell'] if 'cell' in document else ''}",
    )  # fmt: skip
    facts.columns[0].no_wrap = facts.columns[4].no_wrap = True
    facts.columns[5].justify = "right"
    for f in document["facts"]:
        facts.add_row(
            escape(f["file"]), f["float_abi"], f["cpu_arch"], f["fp_arch"], f["simd"] or "-",
            str(f["neon_instructions"]), f["glibc_max"],
        )  # fmt: skip
    if not document["findings"]:
        return Group(facts, Text("\nno findings", style="green"))
    findings = _table("code", "file", "finding", title="\nFindings")
    findings.columns[0].no_wrap = True
    for f in document["findings"]:
        findings.add_row(
            f"[{SEVERITIES[f['severity']]}]{f['code']}[/]",
            escape(f["file"]),
            f"{escape(f['message'])}\n[dim]{escape(f['hint'])}[/]",
        )
    return Group(facts, findings)


def toolchains(document: dict[str, Any]) -> RenderableType:
    table = _table("toolchain", "identity", "packages", "what it is")
    for t in document["toolchains"]:
        target = t["target"]
        what = f"{t['summary']}\n[dim]{target['triple']} {target['march']} {target['fpu']}[/]"
        if t["changed"]:
            what += f"\n[yellow]{escape(t['changed'])}[/]"
        table.add_row(t["name"], t["identity"][:12] or "not made", str(len(t["packages"])), what)
    return table


def device(document: dict[str, Any]) -> RenderableType:
    table = _table("", "")
    for name, value in document.items():
        if name != "version":
            text = " ".join(value) if isinstance(value, list | tuple) else _value(value)
            table.add_row(f"[dim]{name.replace('_', ' ')}[/]", escape(text))
    return table


def checks(document: dict[str, Any]) -> RenderableType:
    table = _table("", "check", "found")
    for check in document["checks"]:
        sign = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]?[/]"}[check["ok"]]
        hint = f"\n[dim]{escape(check['hint'])}[/]" if check["hint"] and not check["ok"] else ""
        table.add_row(sign, check["name"], f"{escape(check['found'])}{hint}")
    return table


def _value(value: object) -> str:
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
