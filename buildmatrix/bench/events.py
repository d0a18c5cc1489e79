"""What the board wrote down of itself during a run, in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.bench.journal import Event


def words(event: Event) -> str:
    """One sentence; empty for what nobody needs to know.

    >>> words({"event": "takeover", "owner": "ann@desk", "silent": 75})
    "the agent of ann@desk's run was silent for 75 s and was replaced"
    """
    match event["event"]:
        case "takeover":
            whose = f" of {event['owner']}'s run" if event.get("owner") else ""
            return f"the agent{whose} was silent for {event['silent']} s and was replaced"
        case "resumed":
            return "resumed, because the agent or the board had gone down"
        case "unrestored":
            return f"{event['files']} settings of the board could not be put back"
        case "clock":
            return (
                f"the board's date jumped by {event['seconds']} s in block {event['block']}: "
                "durations are by its uptime, times of day before and after do not fit together"
            )
        case "conditions":
            return "; ".join(part for part in (_governor(event), _wireless(event)) if part)
        case _:
            return ""


def _governor(event: Event) -> str:
    now, was = event["governor"], event["was"]
    if not now:
        return "the board lets nobody choose its clock: it has no governor"
    if now != was:
        return f"governor {now} during the run, {was} otherwise"
    if now == "performance":
        return ""
    why = "no right to change it" if event["rights"] == "none" else "left as it was"
    return f"governor {now}, {why}: the clock may have moved"


def _wireless(event: Event) -> str:
    state, _, detail = event["wireless"].partition(": ")
    return {
        "off": f"wireless off during the run ({detail})",
        "kept": f"wireless on ({detail})" if detail else "",
    }.get(state, "")
