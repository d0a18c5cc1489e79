"""What a run was asked for and its board could not do, in words: told, or a limit that nothing was
held against would look like one that nothing broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.conditions import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.nouns import Measurement

MOST_WATTS = 200.0  # that a board with its supply takes; what reads more reads milliwatts


def unmet(request: Mapping[str, object], blocks: Sequence[Measurement]) -> Iterator[str]:
    """Sentences about a stored run: `request` in its JSON form, and its blocks."""
    heats = (mapping(block.environment.get("before")).get("millicelsius") for block in blocks)
    if all(heat is None for heat in heats):
        if limit := request.get("max_celsius"):
            yield f"the board tells no temperature: no block was held against {limit} °C"
        if goal := request.get("cool_down"):
            yield f"the board tells no temperature: nothing waited for {goal} °C"
    if request.get("power"):
        readings = [watt for block in blocks for watt in _watts(block)]
        silent = sum(not _watts(block) for block in blocks)
        if not readings:
            yield "the meter gave no reading during the timed passes"
        elif silent:
            yield f"the meter gave no reading in {silent} of {len(blocks)} blocks"
        if max(readings, default=0.0) > MOST_WATTS:
            yield f"the meter read {max(readings):.0f} W: a command of `power` prints watts"


def _watts(block: Measurement) -> Sequence[float]:
    readings = block.environment.get("watts")
    return readings if isinstance(readings, list) else ()
