"""From a journal to measurements: correct first, then undisturbed, then a time."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from buildmatrix.bench import beside
from buildmatrix.bench.disturbance import disturbances, fastest_probe
from buildmatrix.bench.energy import watts
from buildmatrix.bench.warming import warming
from buildmatrix.cachekey import digest
from buildmatrix.errors import BenchError
from buildmatrix.nouns import ALL_CORES, Measurement, Status
from buildmatrix.workload import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.bench.journal import BlockResult
    from buildmatrix.bench.request import Entrant, Request
    from buildmatrix.nouns import DeviceInfo

OUT_OF_MEMORY = (3, 137)  # the runner's own word; SIGKILL, where that could not be said
TOO_LATE = (124, 143)  # coreutils' and busybox' timeout
SIGNALS = {132: "an illegal instruction: built for another CPU", 139: "a segmentation fault"}
RAN = (Status.OK, Status.VOID, Status.WRONG)


@dataclass(frozen=True, slots=True)
class Golden:
    """The output that every runner must give for image 0, and how far it may be off.

    `tolerances` is the largest relative error of a right answer, by the runner's number format.
    `labels` are the right outputs for the pictures that were held out, where there are any.
    `step`: of a quantized output, the distance of two numbers: tolerances are in steps of it then.
    `answerer`: who gave `expected`, as `workload` says it.
    """

    expected: Sequence[float]
    tolerances: Mapping[str, float]
    labels: Sequence[int] = ()
    step: float = 0.0
    answerer: str = REFERENCE


def measurements(
    results: Sequence[BlockResult], request: Request, *, golden: Golden, device: DeviceInfo
) -> tuple[Measurement, ...]:
    """A verdict for each block of a run, in the order in which they ran, sentinels included.

    A block out of memory tells the largest batch size of its cell that did run.
    """
    fastest = fastest_probe(results)
    rows = [
        measure(block, request, golden=golden, device=device, fastest=fastest) for block in results
    ]
    largest: dict[str, int] = {}
    for row in rows:
        if row.status in RAN:
            largest[row.cell] = max(row.batch, largest.get(row.cell, 0))
    return tuple(_with_last_good(row, largest.get(row.cell)) for row in rows)


def measure(
    block: BlockResult,
    request: Request,
    *,
    golden: Golden,
    device: DeviceInfo,
    fastest: int | None = None,
) -> Measurement:
    """One block as a measurement. Only Status.OK and VOID carry samples, only OK has a mean.

    `fastest` is the least time of the speed probe in the run, in ns.
    """
    entrant = next((item for item in request.entrants if item.cell == block.cell), None)
    if entrant is None:
        raise BenchError(
            f"block {block.block} of the journal is of {block.cell!r}, "
            f"which run {request.run} did not ask for",
            hint="look at runs/current/journal.jsonl on the board",
        )
    status, reason, error = judge(
        block, request, golden, emulated=bool(device.emulated), fastest=fastest
    )
    result = block.result or {}
    timed = result if status in (Status.OK, Status.VOID) else {}
    samples = tuple(timed.get("samples_ns", ()))
    cold = _cold(samples, request, emulated=bool(device.emulated))
    return Measurement(
        run=request.run,
        cell=block.cell,
        device=device.name,
        emulated=bool(device.emulated),
        model=request.model,
        batch=block.batch,
        threads=request.threads,
        passes=request.passes,
        status=status,
        block=block.block,
        round=block.round,
        sentinel=block.sentinel,
        samples_ns=samples[cold:],
        first_pass_ns=timed.get("first_pass_ns"),
        instructions=_share(timed.get("instructions"), len(samples) - cold, len(samples)),
        peak_rss_kib=result.get("peak_rss_kib"),
        max_rel_error=error,
        void_reason=reason,
        bundle=entrant.bundle,
        series=series(request, entrant, batch=block.batch, device=device),
        taken_at=datetime.fromtimestamp(block.started, UTC).isoformat(),
        environment=_environment(block, request, golden, entrant=entrant, device=device)
        | {"cold_passes": cold},
    )


def judge(
    block: BlockResult,
    request: Request,
    golden: Golden,
    *,
    emulated: bool,
    fastest: int | None = None,
) -> tuple[Status, str, float | None]:
    """Status, reason and largest relative error of a block. Correct comes before fast."""
    if ended := _ended(block, request):
        return *ended, None
    result = block.result or {}
    if fault := _fault(result, block, request, golden):
        return Status.FAILED, fault, None
    error = max_relative_error(result["output"], golden.expected)
    off, told = wrong(result, golden, error), error if math.isfinite(error) else None
    if off:
        return Status.WRONG, off, told
    reasons = disturbances(
        _warm(block, request, emulated=emulated),
        emulated=emulated,
        fastest_probe=fastest,
        max_celsius=request.max_celsius,
    )
    if disturbed := "; ".join(reasons):
        return Status.VOID, disturbed, told
    return Status.OK, "", told


def _warm(block: BlockResult, request: Request, *, emulated: bool) -> BlockResult:
    """The block without the passes that are left out: they are no second speed."""
    result = block.result or {}
    samples = result.get("samples_ns") or ()
    cold = _cold(samples, request, emulated=emulated)
    return replace(block, result={**result, "samples_ns": samples[cold:]}) if cold else block


def _cold(samples: Sequence[int], request: Request, *, emulated: bool) -> int:
    """How many of the timed passes are still warm-up; a time under emulation tells none."""
    return warming(samples) if request.settle and not emulated else 0


def _share(count: int | None, part: int, whole: int) -> int | None:
    """As much of a count as falls on a part of the passes."""
    return count if not count or part == whole else round(count * part / whole)


def max_relative_error(output: Sequence[float | None], expected: Sequence[float]) -> float:
    """Largest |output - expected| / |expected|; the same figure as in `reference`, without numpy.

    Expected values below a thousandth of the largest count as that thousandth. Infinite when the
    sizes differ or a value is not finite (the runner writes such a value as null).

    >>> max_relative_error([0.9, 0.1], [1.0, 0.1])
    0.09999999999999998
    """
    got = [math.nan if value is None else value for value in output]
    if not expected or len(got) != len(expected) or not all(map(math.isfinite, got)):
        return math.inf
    largest = max(map(abs, expected))
    floor = largest / 1000 or largest  # a thousandth of the smallest doubles is none
    if floor == 0:
        return 0.0 if all(value == 0 for value in got) else math.inf
    return max(abs(o - e) / max(abs(e), floor) for o, e in zip(got, expected, strict=True))


def series(request: Request, entrant: Entrant, *, batch: int, device: DeviceInfo) -> str:
    """Hash of the controlled variables: what has the same one may be compared over time.

    The cell counts by what ran, its bundle; the board by its kind, so that two Pi 3 are one.
    """
    return digest(
        {
            "benchmark": request.harness,
            "model": [request.model, request.model_version],
            "bundle": entrant.bundle,
            "toolchain": entrant.facts.get("toolchain"),
            "flags": entrant.facts.get("flags"),
            "device": [device.model or device.name, list(device.cpu_parts)],
            "emulated": bool(device.emulated),
            "threads": request.threads,
            "batch": batch,
            "passes": request.passes,
            "warmup": request.warmup,
            **({"settle": True} if request.settle else {}),
            **({"cores": request.cores} if request.cores != ALL_CORES else {}),
        }
    )


def number_format(result: Mapping[str, Any]) -> str:
    """What a runner computed in; one that does not say is of a time when there was no choice."""
    return str(result.get("number_format") or "float32")


def _ended(block: BlockResult, request: Request) -> tuple[Status, str] | None:
    """How a block ended that has no answer to judge."""
    if block.skipped is not None:
        return Status.SKIPPED, _skipped(block.skipped)
    status = (block.result or {}).get("status")
    if block.exit in OUT_OF_MEMORY or status == "oom":
        return Status.OOM, _out_of_memory(block)
    if block.exit in TOO_LATE:
        return Status.FAILED, f"stopped after {request.limit_seconds} s"
    if block.exit == 0 and status == "ok":
        return None
    words = (block.result or {}).get("message") or block.stderr_tail.strip().split("\n")[-1]
    ended = SIGNALS.get(block.exit, f"exit status {block.exit}")
    return Status.FAILED, f"{ended}: {words}" if words else ended


def _skipped(why: Mapping[str, Any]) -> str:
    if "out_of_memory" in why:
        return f"batch {why['out_of_memory']} ran out of memory"
    lower, upper = why["by"]
    return (
        f"needs about {_mb(why['needs_kib'])} by batches {lower} and {upper}, "
        f"{_mb(why['available_kib'])} are free"
    )


def _out_of_memory(block: BlockResult) -> str:
    """The runner tells its peak, unless the kernel ended all of it: then what was free before."""
    peak, free = (block.result or {}).get("peak_rss_kib"), block.before.get("available_kib")
    if peak:
        return f"out of memory at a peak of {_mb(peak)}"
    return f"out of memory, {_mb(free)} were free" if free else "out of memory"


def _mb(kib: int) -> str:
    return f"{kib / 1024:,.0f} MB"


def _fault(result: Mapping[str, Any], block: BlockResult, request: Request, golden: Golden) -> str:
    """What makes a runner's line no answer to what was asked."""
    asked = {
        "batch": block.batch,
        "threads": request.threads,
        "passes": request.passes,
        "warmup": request.warmup,
    }
    for name, value in asked.items():
        if result.get(name) != value:
            return f"asked for {name} {value}, the runner says {result.get(name)}"
    samples = result.get("samples_ns")
    if not isinstance(samples, list) or not all(type(n) is int and n > 0 for n in samples):
        return "the runner's samples are not positive whole nanoseconds"
    if len(samples) != request.passes:
        return f"{len(samples)} samples for {request.passes} passes"
    if (numbers := number_format(result)) not in golden.tolerances:
        return f"the runner computes in {numbers}, for which the model has no tolerance"
    if not isinstance(result.get("output"), list):
        return "the runner gave no output"
    return beside.unlike(result, request, golden.labels)


def wrong(result: Mapping[str, Any], golden: Golden, error: float) -> str:
    """In which way an answer is not the golden one; empty when it is."""
    tolerance = golden.tolerances[number_format(result)]
    if len(result["output"]) != len(golden.expected):
        return f"{len(result['output'])} outputs instead of {len(golden.expected)}"
    if not math.isfinite(error) and not (golden.step and _finite(result["output"])):
        return "the output is not finite"
    if golden.step:
        steps = _steps(result["output"], golden)
        if steps > tolerance:
            return f"off by {steps:.1f} steps of {golden.step:.3g}, allowed are {tolerance:g}"
    elif error > tolerance:
        return f"off by {error:.1e}, allowed is {tolerance:.1e}"
    spread = result.get("batch_max_abs_diff")
    if spread is None or spread > tolerance * (golden.step or max(map(abs, golden.expected))):
        apart = "not finite" if spread is None else f"{spread:.1e} apart"
        return f"images of one batch have different answers ({apart})"
    if not result.get("repeat_identical"):
        return "the same input gave different answers in the first and the last pass"
    return ""


def _finite(output: Sequence[float | None]) -> bool:
    return all(value is not None and math.isfinite(value) for value in output)


def _steps(output: Sequence[float], golden: Golden) -> float:
    """Largest distance from the golden output, in steps of it; a hundredth of one is rounding."""
    off = max(abs(o - e) for o, e in zip(output, golden.expected, strict=True))
    return round(off / golden.step, 2)


def _with_last_good(row: Measurement, largest: int | None) -> Measurement:
    if row.status is not Status.OOM:
        return row
    ran = f"the largest batch that ran is {largest}" if largest else "no batch size ran"
    return replace(row, void_reason=f"{row.void_reason}; {ran}")


def _environment(
    block: BlockResult, request: Request, golden: Golden, *, entrant: Entrant, device: DeviceInfo
) -> dict[str, object]:
    """All that was not controlled but may explain a figure later. JSON types only."""
    result = block.result or {}
    numbers = number_format(result) if result else None
    return {
        "device": asdict(device) | {"features": sorted(device.features)},
        "before": dict(block.before),
        "after": dict(block.after or {}),
        "seconds": block.seconds,
        "warmup": request.warmup,
        "settle": request.settle,
        "model_version": request.model_version,
        "harness": request.harness,
        "seed": request.seed,
        "tool": request.tool,
        "engine": result.get("engine"),
        "probe_ns": result.get("probe_ns"),
        "number_format": numbers,
        "tolerance": golden.tolerances.get(numbers) if numbers else None,
        **({"step": golden.step} if golden.step else {}),
        **({"answerer": golden.answerer} if golden.answerer != REFERENCE else {}),
        "facts": dict(entrant.facts),
        **_power(block, request, result),
        **beside.environment(result, request, golden.labels),
    }


def _power(block: BlockResult, request: Request, result: Mapping[str, Any]) -> Mapping[str, object]:
    """Watts during the timed passes and what they are of; nothing where no meter is named."""
    if not request.power:
        return {}
    readings = watts(block, result.get("samples_ns") or ())
    return {"watts": list(readings), "power_of": request.power_of}
