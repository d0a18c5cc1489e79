"""From a journal to measurements: correct first, then undisturbed, then a time."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from buildmatrix.bench.request import VERSION, request_blocks
from buildmatrix.errors import BenchError
from buildmatrix.keys import digest
from buildmatrix.model import Measurement, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.bench.request import Entrant, Request
    from buildmatrix.model import DeviceInfo

THROTTLED_NOW = 0xF  # under-voltage, frequency capped, throttled, soft temperature limit
OUT_OF_MEMORY = (3, 137)  # the runner's own word; SIGKILL, the kernel's
TOO_LATE = (124, 143)  # coreutils' and busybox' timeout
SIGNALS = {132: "an illegal instruction: built for another CPU", 139: "a segmentation fault"}


@dataclass(frozen=True, slots=True)
class BlockResult:
    """One line of the journal. `result` is the runner's own JSON; None when it gave none."""

    block: int
    cell: str
    batch: int
    exit: int
    started: int  # seconds since 1970 by the board's clock
    seconds: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    result: Mapping[str, Any] | None
    stderr_tail: str


@dataclass(frozen=True, slots=True)
class Golden:
    """The output that every runner must give for image 0, and how far it may be off."""

    expected: Sequence[float]
    tolerance: float


def parse(journal: str) -> tuple[BlockResult, ...]:
    """The journal's blocks. A last line that is torn is dropped: its block runs again.

    Raises BenchError naming any other line that is not a block.
    """
    lines = journal.split("\n")
    found = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            data = json.loads(line)
            found.append(BlockResult(result=_runner_line(data.pop("stdout")), **data))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BenchError(
                f"line {number} of the journal is not a block: {line[:60]!r}",
                hint="look at runs/current/journal.jsonl on the board",
            ) from error
    return tuple({block.block: block for block in reversed(found)}.values())[::-1]


def measurements(
    results: Sequence[BlockResult], request: Request, *, golden: Golden, device: DeviceInfo
) -> tuple[Measurement, ...]:
    """A verdict for each block of a run, in the order of the request; the sentinel is no row.

    An OOM row tells the largest batch size of its cell that did run.
    """
    ratio = sentinel_ratio(results, request)
    order = {entrant.cell: place for place, entrant in enumerate(request.entrants)}
    sentinels = {block.index for block in request_blocks(request) if block.sentinel}
    rows = [
        measure(block, request, golden=golden, device=device, sentinel=ratio)
        for block in results
        if block.block not in sentinels
    ]
    largest: dict[str, int] = {}
    for row in rows:
        if row.status is Status.OK:
            largest[row.cell] = max(row.batch, largest.get(row.cell, 0))
    rows = [_with_last_good(row, largest.get(row.cell)) for row in rows]
    return tuple(sorted(rows, key=lambda row: (order[row.cell], row.batch)))


def measure(
    block: BlockResult,
    request: Request,
    *,
    golden: Golden,
    device: DeviceInfo,
    sentinel: float | None = None,
) -> Measurement:
    """One block as a measurement. Only Status.OK and VOID carry samples, only OK has a mean."""
    entrant = next(item for item in request.entrants if item.cell == block.cell)
    status, reason, error = judge(block, request, golden)
    result = block.result or {}
    timed = result if status in (Status.OK, Status.VOID) else {}
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
        samples_ns=tuple(timed.get("samples_ns", ())),
        first_pass_ns=timed.get("first_pass_ns"),
        instructions=timed.get("instructions"),
        peak_rss_kib=result.get("peak_rss_kib"),
        max_rel_error=error,
        void_reason=reason,
        bundle=entrant.bundle,
        series=series(request, cell=block.cell, batch=block.batch, device=device),
        taken_at=datetime.fromtimestamp(block.started, UTC).isoformat(),
        environment=_environment(block, request, entrant=entrant, device=device)
        | {"sentinel_ratio": sentinel},
    )


def judge(block: BlockResult, request: Request, golden: Golden) -> tuple[Status, str, float | None]:
    """Status, reason and largest relative error of a block. Correct comes before fast."""
    ended = _ended(block, request)
    if ended:
        return *ended, None
    result = block.result or {}
    if fault := _fault(result, block, request):
        return Status.FAILED, fault, None
    error = max_relative_error(result["output"], golden.expected)
    if wrong := _wrong(result, golden, error):
        return Status.WRONG, wrong, error if math.isfinite(error) else None
    if disturbed := "; ".join(_disturbances(block, result)):
        return Status.VOID, disturbed, error
    return Status.OK, "", error


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
    floor = max(map(abs, expected)) / 1000
    if floor == 0:
        return 0.0 if all(value == 0 for value in got) else math.inf
    return max(abs(o - e) / max(abs(e), floor) for o, e in zip(got, expected, strict=True))


def series(request: Request, *, cell: str, batch: int, device: DeviceInfo) -> str:
    """Hash of the controlled variables: runs with the same one may be compared over time."""
    return digest(
        {
            "benchmark": VERSION,
            "cell": cell,
            "model": request.model,
            "batch": batch,
            "threads": request.threads,
            "passes": request.passes,
            "warmup": request.warmup,
            "device": device.name,
            "emulated": bool(device.emulated),
        }
    )


def sentinel_ratio(results: Sequence[BlockResult], request: Request) -> float | None:
    """Time of the block that closes the run over that of the same block at its opening.

    None until both have run. Far from 1, the board changed under the run.
    """
    plan = request_blocks(request)
    ends = {plan[0].index, plan[-1].index}
    found = sorted((b for b in results if b.block in ends), key=lambda block: block.block)
    samples = [block.result.get("samples_ns") or [] for block in found if block.result]
    if len(samples) < 2 or not all(samples):
        return None
    opening, closing = (sum(times) / len(times) for times in samples)
    return float(closing / opening)


def _ended(block: BlockResult, request: Request) -> tuple[Status, str] | None:
    """How a block ended that has no answer to judge."""
    said = (block.result or {}).get("status")
    if block.exit in OUT_OF_MEMORY or said == "oom":
        return Status.OOM, "out of memory"
    if block.exit in TOO_LATE:
        return Status.FAILED, f"stopped after {request.limit_seconds} s"
    if block.exit == 0 and said == "ok":
        return None
    words = (block.result or {}).get("message") or block.stderr_tail.strip().split("\n")[-1]
    ended = SIGNALS.get(block.exit, f"exit status {block.exit}")
    return Status.FAILED, f"{ended}: {words}" if words else ended


def _fault(result: Mapping[str, Any], block: BlockResult, request: Request) -> str:
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
    return "" if isinstance(result.get("output"), list) else "the runner gave no output"


def _wrong(result: Mapping[str, Any], golden: Golden, error: float) -> str:
    """In which way an answer is not the golden one; empty when it is."""
    if len(result["output"]) != len(golden.expected):
        return f"{len(result['output'])} outputs instead of {len(golden.expected)}"
    if not math.isfinite(error):
        return "the output is not finite"
    if error > golden.tolerance:
        return f"off by {error:.1e}, allowed is {golden.tolerance:.1e}"
    spread = result.get("batch_max_abs_diff")
    allowed = golden.tolerance * max(map(abs, golden.expected))
    if spread is None or spread > allowed:
        told = "not finite" if spread is None else f"{spread:.1e} apart"
        return f"images of one batch have different answers ({told})"
    if not result.get("repeat_identical"):
        return "the same input gave different answers in the first and the last pass"
    return ""


def _disturbances(block: BlockResult, result: Mapping[str, Any]) -> Iterator[str]:
    """What the board did meanwhile that makes a time worthless."""
    before, after = block.before, block.after
    bits = [int(at["throttled"] or "0", 16) & THROTTLED_NOW for at in (before, after)]
    if any(bits):
        yield f"throttled (firmware bits 0x{bits[0] | bits[1]:x})"
    if before["max_khz"] != after["max_khz"]:
        yield f"clock limit moved from {before['max_khz']} to {after['max_khz']} kHz"
    if pages := after["swapped"] - before["swapped"]:
        yield f"the board swapped {pages} pages"
    if faults := result.get("page_faults_major"):
        yield f"{faults} major page faults during the timed passes"


def _with_last_good(row: Measurement, largest: int | None) -> Measurement:
    if row.status is not Status.OOM:
        return row
    ran = f"the largest batch that ran is {largest}" if largest else "no batch size ran"
    return replace(row, void_reason=f"out of memory; {ran}")


def _environment(
    block: BlockResult, request: Request, *, entrant: Entrant, device: DeviceInfo
) -> dict[str, object]:
    """All that was not controlled but may explain a figure later. JSON types only."""
    return {
        "device": asdict(device) | {"features": sorted(device.features)},
        "before": dict(block.before),
        "after": dict(block.after),
        "seconds": block.seconds,
        "block": block.block,
        "warmup": request.warmup,
        "seed": request.seed,
        "tool": request.tool,
        "engine": (block.result or {}).get("engine"),
        "facts": dict(entrant.facts),
    }


def _runner_line(text: str) -> Mapping[str, Any] | None:
    """The runner's JSON, or None for a line that is none: killed in the middle of it."""
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
