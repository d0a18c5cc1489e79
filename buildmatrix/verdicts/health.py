"""Whether a board is as it was on earlier nights: its clock, disk, temperature at rest, speed.

Nothing here is a verdict on a cell: it says when to look at the board before believing one.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from buildmatrix.compare.blocks import MAD
from buildmatrix.conditions import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.nouns import Measurement

FEW_RUNS = 3  # of fewer nobody knows what is usual
LEAST_ROOM_KIB = 256 * 1024
WARMER = 10.0  # degrees at rest above the usual
SLOWER = 0.02  # of the sentinel; less is weather
SURE = 5.0  # standard deviations of earlier nights
LARGEST_SKEW = 60.0  # seconds


def health(tonight: Sequence[Measurement], before: Sequence[Sequence[Measurement]]) -> list[str]:
    """What is not as usual, in sentences. `before` are the blocks of earlier runs of the board,
    sentinels included as in `tonight`."""
    return [*_now(tonight), *_beside(tonight, [run for run in before if run])]


def _now(blocks: Sequence[Measurement]) -> Iterator[str]:
    about = mapping(blocks[-1].environment.get("device")) if blocks else {}
    free, skew = _number(about.get("disk_free_kib")), _number(about.get("skew_s"))
    if free is not None and free < LEAST_ROOM_KIB:
        yield f"the board has {free / 1024:.0f} MiB left on its disk"
    if skew is not None and abs(skew) > LARGEST_SKEW:
        yield f"the board's clock is {skew:+.0f} s away from ours"


def _beside(
    tonight: Sequence[Measurement], before: Sequence[Sequence[Measurement]]
) -> Iterator[str]:
    rest, usual = _at_rest(tonight), [t for run in before if (t := _at_rest(run)) is not None]
    if rest is not None and len(usual) >= FEW_RUNS and rest > median(usual) + WARMER:
        yield f"the board had {rest:.0f} °C at rest, {median(usual):.0f} °C on earlier nights"
    limit, limits = _limit(tonight), [k for run in before if (k := _limit(run)) is not None]
    if limit is not None and limits and limit < median(limits):
        yield f"the clock's limit is {limit:.0f} kHz, {median(limits):.0f} kHz on earlier nights"
    yield from _speed(tonight, before)


def _speed(
    tonight: Sequence[Measurement], before: Sequence[Sequence[Measurement]]
) -> Iterator[str]:
    """The sentinel against earlier nights on which it was the same program."""
    now = _sentinel(tonight, "")
    bundle = next((b.bundle for b in tonight if b.sentinel), "")
    known = [level for run in before if (level := _sentinel(run, bundle)) is not None]
    if now is None or len(known) < FEW_RUNS:
        return
    usual = median(known)
    spread = MAD * median(abs(level - usual) for level in known)
    if abs(now - usual) > max(SLOWER * usual, SURE * spread):
        yield f"the sentinel, the same program, took {now / usual - 1:+.1%} against earlier nights"


def _sentinel(blocks: Sequence[Measurement], bundle: str) -> float | None:
    """Milliseconds an image of a run's sentinel; None where it ran another program, or emulated."""
    own = [b for b in blocks if b.sentinel and not b.emulated and bundle in ("", b.bundle)]
    times = [ms for b in own if (ms := b.mean_ms_per_image) is not None]
    return median(times) if times else None


def _at_rest(blocks: Sequence[Measurement]) -> float | None:
    """The temperature before the first block, in degrees."""
    first = mapping(blocks[0].environment.get("before")) if blocks else {}
    heat = _number(first.get("millicelsius"))
    return None if heat is None else heat / 1000


def _limit(blocks: Sequence[Measurement]) -> float | None:
    first = mapping(blocks[0].environment.get("before")) if blocks else {}
    return _number(first.get("max_khz"))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
