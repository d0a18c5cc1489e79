"""Benchmark runs: asked for, begun on the board, collected, judged, stored."""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from buildmatrix import __version__, bench, device
from buildmatrix.bench.request import Entrant, Request, run_id
from buildmatrix.bench.verdict import Golden, measurements, parse
from buildmatrix.errors import BenchError
from buildmatrix.graph import Packed
from buildmatrix.pipeline.boards import bundles, connect, retried
from buildmatrix.pipeline.make import plan_all
from buildmatrix.protocols import Finished, Note, Started
from buildmatrix.results import Results

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from buildmatrix.model import DeviceInfo, FileRecord, Measurement, SshTarget
    from buildmatrix.pipeline.workshop import Workshop

POLL = 4.0  # seconds between looks; each look costs the board some CPU


@dataclass(frozen=True, slots=True)
class Settings:
    """Run-time settings of a benchmark; matrix.yaml's unless the command line says otherwise."""

    batches: tuple[int, ...]
    passes: int
    warmup: int
    threads: int
    seed: int


def ask(workshop: Workshop, settings: Settings) -> Request:
    """What is to be measured: the selected, built cells at these settings."""
    facts = {cell.id: _facts(workshop, cell.id) for cell in workshop.project.cells}
    return Request(
        run=run_id(datetime.now(UTC), secrets.token_hex(3)),
        model=workshop.project.network.name,
        entrants=tuple(Entrant(b.cell, b.digest, facts[b.cell]) for b in bundles(workshop)),
        batches=settings.batches,
        passes=settings.passes,
        warmup=settings.warmup,
        threads=settings.threads,
        seed=settings.seed,
        tool=__version__,
    )


def start(
    workshop: Workshop, target: SshTarget, request: Request, *, known_hosts: Path | None
) -> bench.RunState:
    """Begin a detached run on the board, or attach to the one that is there."""

    def begin() -> bench.RunState:
        with connect(target, known_hosts) as connection:
            return bench.start(connection, request)

    held = retried(begin, workshop, target.name)
    if held.run != request.run:
        text = f"{target.name} holds run {held.run} ({held.done} of {held.total}): attached to it"
        workshop.reporter.emit(Note("warning", text))
    return held


def measure(
    workshop: Workshop,
    target: SshTarget,
    request: Request,
    *,
    known_hosts: Path | None,
    deadline: float,
) -> tuple[Measurement, ...]:
    """Run and collect. A run found on the board is collected first; unless it asked for the same,
    ours follows it."""
    held = start(workshop, target, request, known_hosts=known_hosts)
    rows = collect(workshop, target, known_hosts=known_hosts, deadline=deadline)
    if held.request is None or _same_work(held.request, request):
        return rows
    workshop.reporter.emit(Note("info", f"run {held.run} asked for something else: now ours"))
    start(workshop, target, request, known_hosts=known_hosts)
    return collect(workshop, target, known_hosts=known_hosts, deadline=deadline)


def _same_work(one: Request, other: Request) -> bool:
    return replace(one, run="", tool="") == replace(other, run="", tool="")


def _facts(workshop: Workshop, cell_id: str) -> dict[str, object]:
    """What a result should remember of how its cell was built."""
    cell = next(c for c in workshop.project.cells if c.id == cell_id)
    toolchain = workshop.project.toolchains[cell.toolchain]
    identity = workshop.identities.get(cell.toolchain)
    return {
        "stack": cell.stack,
        "options": dict(cell.options),
        "toolchain": cell.toolchain,
        "toolchain_identity": identity.digest if identity else "",
        "flags": list(toolchain.spec.flags),
    }


def collect(
    workshop: Workshop, target: SshTarget, *, known_hosts: Path | None, deadline: float
) -> tuple[Measurement, ...]:
    """Wait for the board's run, judge it, store it, then take it off the board.

    A dropped connection loses nothing: the run goes on, and collecting goes on after it.
    """
    subject = f"bench {target.name}"
    workshop.reporter.emit(Started(subject, "waiting for the run on the board"))
    began = time.monotonic()
    end = began + deadline

    def wait() -> tuple[bench.Collected, DeviceInfo]:
        with connect(target, known_hosts) as connection:
            collected = bench.collect(
                connection,
                reporter=workshop.reporter,
                deadline=max(1.0, end - time.monotonic()),
                poll=POLL,
            )
            return collected, device.probe(connection, target.name)

    collected, about = retried(wait, workshop, subject)
    rows = measurements(
        parse(collected.journal), collected.request,
        golden=golden(workshop, collected.request), device=about,
    )  # fmt: skip
    with Results(workshop.state / "results.sqlite") as results:
        new = results.insert(rows)

    def forget() -> None:
        with connect(target, known_hosts) as connection:
            bench.forget(connection, collected.request.run)

    retried(forget, workshop, subject)
    said = f"{new} new results of run {collected.request.run}"
    workshop.reporter.emit(Finished(subject, "done", time.monotonic() - began, said))
    return rows


def golden(workshop: Workshop, request: Request) -> Golden:
    """The expected output, from the model that went into the bundles."""
    net = workshop.project.network
    if request.model != net.name:
        raise BenchError(
            f"the run on the board used model '{request.model}', this matrix has '{net.name}'",
            hint="collect it with the matrix that started it",
        )
    # By the present key: the newest entry of a model may be of another version of it.
    keys = {action.id: action.key for action in plan_all(workshop)}
    for work in workshop.project.works:
        if isinstance(work.subject, Packed):
            entry = workshop.store.entry(keys[work.subject.model])
            if entry is not None:
                record = next(f for f in entry.files if f.path == "expected.f64")
                return Golden(_doubles(workshop, record), net.tolerance)
    raise BenchError("the model's expected output is not in the store", hint="run `inv build`")


def _doubles(workshop: Workshop, record: FileRecord) -> Sequence[float]:
    with workshop.store.open(record.sha256) as stream:
        return struct.unpack(f"<{record.size // 8}d", stream.read())
