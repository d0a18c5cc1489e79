"""What the board did beside a block that makes its time worthless.

On an emulated board a time is worthless anyway and its clock is the host's: what is told from
times and load is judged on hardware only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.bench.steady import two_speeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from buildmatrix.bench.journal import BlockResult

THROTTLED_NOW = 0xF  # under-voltage, frequency capped, throttled, soft temperature limit
CLOCK_SLACK = 0.05  # share that the clock may be below its limit
SPEED_SLACK = 0.1  # share that one speed probe may differ from another
OTHERS_SHARE = 0.1  # of one core
TICKS = 100  # a second in /proc/stat, on every Linux that a board runs
OWN_SECONDS = 0.2  # what starting and ending the runner takes, outside of its own count


def disturbances(
    block: BlockResult,
    *,
    emulated: bool,
    fastest_probe: int | None = None,
    max_celsius: int = 0,
) -> Iterator[str]:
    """Reasons to void a block that gave a right answer, each in words with its figures.

    `fastest_probe` is the least time of the speed probe in the whole run; a block that began or
    ended hotter than `max_celsius` is void, unless that is 0.
    """
    before, after, result = block.before, block.after or {}, block.result or {}
    bits = [int(at.get("throttled") or "0", 16) & THROTTLED_NOW for at in (before, after)]
    if any(bits):
        yield f"throttled (firmware bits 0x{bits[0] | bits[1]:x})"
    hottest = max(at.get("millicelsius") or 0 for at in (before, after)) / 1000
    if max_celsius and hottest > max_celsius:
        yield f"the board had {hottest:.1f} °C, the limit is {max_celsius} °C"
    limits = before.get("max_khz"), after.get("max_khz")
    if limits[0] != limits[1]:
        yield f"clock limit moved from {limits[0]} to {limits[1]} kHz"
    every = before.get("limits_khz"), after.get("limits_khz")
    if limits[0] == limits[1] and every[0] and every[1] and every[0] != every[1]:
        yield f"clock limits moved from {every[0]} to {every[1]} kHz"
    yield from _slow_clock(after)
    if pages := (after.get("swapped") or 0) - (before.get("swapped") or 0):
        yield f"the board swapped {pages} pages"
    if faults := result.get("page_faults_major"):
        yield f"{faults} major page faults during the timed passes"
    if not emulated:
        yield from _moving_speed(result.get("probe_ns") or (), fastest_probe)
        if words := two_speeds(result.get("samples_ns") or ()):
            yield words
        yield from _others(before, after, result)


def fastest_probe(blocks: Iterable[BlockResult]) -> int | None:
    """The least time that the speed probe took in these blocks."""
    times = [ns for block in blocks for ns in (block.result or {}).get("probe_ns") or ()]
    return min(times, default=None)


def _slow_clock(after: Mapping[str, Any]) -> Iterator[str]:
    """The performance governor keeps every clock at its limit; if one is not, something else
    rules."""
    if after.get("governor") != "performance":
        return
    clocks, limits = _clocks(after, "clocks_khz"), _clocks(after, "limits_khz")
    if not clocks or len(clocks) != len(limits):
        clocks, limits = [after.get("cur_khz") or 0], [after.get("max_khz") or 0]
    for now, limit in zip(clocks, limits, strict=True):
        if now and limit and now < (1 - CLOCK_SLACK) * limit:
            yield f"the clock stood at {now} kHz, its limit is {limit} kHz"


def _clocks(at: Mapping[str, Any], name: str) -> list[int]:
    """One number for each clock of the board, 0 where it does not say.

    >>> _clocks({"clocks_khz": "408000 null"}, "clocks_khz")
    [408000, 0]
    """
    return [int(word) if word.isdecimal() else 0 for word in str(at.get(name) or "").split()]


def _moving_speed(probes: Iterable[int], fastest: int | None) -> Iterator[str]:
    """The speed probe is always the same work, so its time is the processor's real clock."""
    times = [ns for ns in probes if ns > 0]
    if len(times) < 2:
        return
    if max(times) > (1 + SPEED_SLACK) * min(times):
        share = times[1] / times[0] - 1
        yield f"the processor was {abs(share):.0%} {'slower' if share > 0 else 'faster'} at the end"
    elif fastest and min(times) > (1 + SPEED_SLACK) * fastest:
        share = min(times) / fastest - 1
        yield f"the processor was {share:.0%} slower than in the run's fastest block"


def _others(
    before: Mapping[str, Any], after: Mapping[str, Any], result: Mapping[str, Any]
) -> Iterator[str]:
    """Processor time of everybody, less the runner's own, over the time the block took."""
    cpu_ns = result.get("cpu_ns")
    known = ("busy_ticks", "uptime")
    if cpu_ns is None or any(at.get(name) is None for at in (before, after) for name in known):
        return
    seconds = after["uptime"] - before["uptime"]
    others = (after["busy_ticks"] - before["busy_ticks"]) / TICKS - cpu_ns / 1e9
    if others > OTHERS_SHARE * seconds + OWN_SECONDS:
        yield f"others took {others:.1f} s of processor time in {seconds:.1f} s"
