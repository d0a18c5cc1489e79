"""What the board wrote down of itself during a run, in words for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.bench.journal import Event

COOLING = 600  # seconds that the agent waits for a temperature at most; `cool` in agent/bench.sh


def words(event: Event) -> str:
    """One sentence; empty for what nobody needs to know.

    >>> words({"event": "takeover", "owner": "ann@desk", "silent": 75})
    "the agent of ann@desk's run was silent for 75 s and was replaced"
    """
    match event["event"]:
        case "takeover":
            whose = f" of {event['owner']}'s run" if event.get("owner") else ""
            silent = event.get("silent")
            seconds = "a while" if silent is None else f"{silent} s"
            return f"the agent{whose} was silent for {seconds} and was replaced"
        case "resumed":
            return "resumed, because the agent or the board had gone down"
        case "unrestored":
            files = "some" if event.get("files") is None else event["files"]
            return f"{files} settings of the board could not be put back"
        case "clock":
            return (
                f"the board's date jumped by {event.get('seconds', 'some')} s in block "
                f"{event.get('block', 'unknown')}: durations are by its uptime, times of day "
                "before and after do not fit together"
            )
        case "cooled" if (event.get("seconds") or 0) >= COOLING:
            degrees, block = (event.get("millicelsius") or 0) / 1000, event.get("block", "unknown")
            waited = f"after {COOLING // 60} minutes of waiting"
            return f"the board still had {degrees:.0f} °C before block {block}, {waited}"
        case "conditions":
            return "; ".join(part for part in (_governor(event), _wireless(event)) if part)
        case _:
            return ""


def _governor(event: Event) -> str:
    now, was = event.get("governor"), event.get("was")
    if now is None:
        return ""
    if not now:
        return "the board lets nobody choose its clock: it has no governor"
    if was is not None and now != was:
        return f"governor {now} during the run, {was} otherwise"
    if now == "performance":
        return ""
    why = "no right to change it" if event.get("rights") == "none" else "left as it was"
    return f"governor {now}, {why}: the clock may have moved"


def _wireless(event: Event) -> str:
    state, _, detail = (event.get("wireless") or "").partition(": ")
    return {
        "off": f"wireless off during the run ({detail})",
        "kept": f"wireless on ({detail})" if detail else "",
    }.get(state, "")
