"""Benchmark runs: asked for, begun on the board, collected, judged, taken again, stored."""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from buildmatrix import __version__, bench, device
from buildmatrix.bench.journal import parse
from buildmatrix.bench.order import retakes
from buildmatrix.bench.request import Entrant, Request, request_of, run_id
from buildmatrix.bench.verdict import Golden, measurements
from buildmatrix.boards.reach import bundles, connect, retried, target_of
from buildmatrix.cachekey import digest
from buildmatrix.errors import BenchError, DeviceError, InputError
from buildmatrix.graph import BundleWork
from buildmatrix.nouns import Run, Severity
from buildmatrix.pipeline.perform import plan_all
from buildmatrix.protocols import Finished, Note, Started
from buildmatrix.results import Results

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from buildmatrix.boards.reach import Access
    from buildmatrix.matrix import BenchSpec
    from buildmatrix.network import NetworkSpec
    from buildmatrix.nouns import BoardAddress, DeviceInfo, FileRecord, Measurement
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.protocols import Connection

POLL = 4.0  # seconds between looks; each look costs the board some CPU
JOURNAL_KIB = 8 * 1024  # room that a run's journal and output may take on the board


@dataclass(frozen=True, slots=True)
class Settings:
    """Run-time settings of a benchmark."""

    batches: tuple[int, ...]
    rounds: int
    passes: int
    warmup: int
    threads: int
    seed: int
    retakes: int
    governor: bool
    wireless: str
    owner: str  # user@machine, for whoever finds the board busy


def settings(plan: BenchSpec, owner: str) -> Settings:
    """What the matrix says, or a command line over it."""
    return Settings(
        batches=tuple(plan.batches),
        rounds=plan.rounds,
        passes=plan.passes,
        warmup=plan.warmup,
        threads=plan.threads,
        seed=plan.seed,
        retakes=plan.retakes,
        governor=plan.governor,
        wireless=plan.wireless,
        owner=owner,
    )


def results_path(workshop: Workshop) -> Path:
    return workshop.state / "results.sqlite"


def ask(workshop: Workshop, settings: Settings) -> Request:
    """What is to be measured: the selected, built cells of one model at these settings."""
    net = workshop.project.network
    there = bundles(workshop, model=net.name)
    others = [model for model in workshop.project.models if model != net.name]
    if others:
        text = (
            f"a run is of one model, now {net.name}; then: inv bench --model {' or '.join(others)}"
        )
        workshop.reporter.emit(Note("info", text))
    return Request(
        run=_new_id(),
        model=net.name,
        model_version=model_version(net),
        entrants=tuple(Entrant(b.cell, b.digest, _facts(workshop, b.cell)) for b in there),
        tool=__version__,
        **asdict(settings),
    )


def replayed(workshop: Workshop, run: str, owner: str) -> Request:
    """A stored run once more: the same bundles, settings, seed and so the same order."""
    with Results(results_path(workshop)) as results:
        before = request_of(results.run(run).request)
    net = workshop.project.networks.get(before.model)
    if net is None or before.model_version != model_version(net):
        raise InputError(
            f"run {before.run} measured another version of the model '{before.model}'",
            hint="replay it with the matrix and model that it was made with",
        )
    return replace(before, run=_new_id(), owner=owner, tool=__version__)


def model_version(net: NetworkSpec) -> str:
    """Of what is computed: layers, sizes, and the seed of weights and input."""
    what = net.model_dump(
        mode="json", include={"input", "seed", "gain", "layers"}, exclude_defaults=True
    )  # as in network.digest
    return digest(what)[:16]


def _new_id() -> str:
    return run_id(datetime.now(UTC), secrets.token_hex(3))


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


def fitted(
    workshop: Workshop, target: BoardAddress, request: Request, *, access: Access
) -> Request:
    """The request without the cells that are for another machine than the board is."""
    known = {cell.id for cell in workshop.project.cells}
    machines = {
        e.cell: target_of(workshop, e.cell).machine for e in request.entrants if e.cell in known
    }
    if len(set(machines.values())) < 2:
        return request

    def ask() -> DeviceInfo:
        with connect(target, access) as connection:
            return device.probe(connection, target.name)

    ours = device.meant_for(retried(ask, workshop, target.name), machines)
    others = machines.keys() - set(ours)
    return replace(request, entrants=tuple(e for e in request.entrants if e.cell not in others))


def start(
    workshop: Workshop, target: BoardAddress, request: Request, *, access: Access
) -> bench.RunState:
    """Begin a detached run on the board, or attach to the one that is there.

    Raises DeviceError when a bundle cannot run there.
    """

    def begin() -> bench.RunState:
        with connect(target, access) as connection:
            if bench.state(connection).status == "none":  # a run that is there goes on anyway
                _gate(workshop, device.probe(connection, target.name), request)
            return bench.start(connection, request)

    held = retried(begin, workshop, target.name)
    if held.run != request.run:
        text = (
            f"{target.name} holds run {held.run} of {held.owner or 'somebody'} "
            f"({held.done} of {held.total} blocks done): attached to it"
        )
        workshop.reporter.emit(Note("warning", text))
    return held


def _gate(workshop: Workshop, about: DeviceInfo, request: Request) -> None:
    """The board against what is to run there, once more: it may have changed since the deploy."""
    cells = {cell.id: cell for cell in workshop.project.cells}
    toolchains = {cells[e.cell].toolchain for e in request.entrants if e.cell in cells}
    findings = {
        finding.message: finding
        for name in toolchains
        for finding in device.unfit(
            about, workshop.project.toolchains[name].target, needs_kib=JOURNAL_KIB
        )
    }
    errors = [f for f in findings.values() if f.severity is Severity.ERROR]
    for finding in findings.values():
        text = f"{finding.code} {about.name}: {finding.message}"
        workshop.reporter.emit(Note("error" if finding in errors else "warning", text))
    if errors:
        raise DeviceError(f"{about.name} cannot be measured", hint=errors[0].hint)


def measure(
    workshop: Workshop,
    target: BoardAddress,
    request: Request,
    *,
    access: Access,
    deadline: float,
    label: str = "",
) -> tuple[Measurement, ...]:
    """Run and collect. A run found on the board is collected first; unless it asked for the same,
    ours follows it."""
    request = fitted(workshop, target, request, access=access)
    held = start(workshop, target, request, access=access)
    found = collect(workshop, target, access=access, deadline=deadline, label=label)
    if held.request is None or _same_work(held.request, request):
        return found
    workshop.reporter.emit(Note("info", f"run {held.run} asked for something else: now ours"))
    start(workshop, target, request, access=access)
    return collect(workshop, target, access=access, deadline=deadline, label=label)


def _same_work(one: Request, other: Request) -> bool:
    return replace(one, run="", tool="", owner="") == replace(other, run="", tool="", owner="")


def collect(
    workshop: Workshop,
    target: BoardAddress,
    *,
    access: Access,
    deadline: float,
    label: str = "",
) -> tuple[Measurement, ...]:
    """Wait for the board's run, judge it, have void blocks taken again, store it, then take it off
    the board.

    A dropped connection loses nothing: the run goes on, and collecting goes on after it.
    """
    subject = f"bench {target.name}"
    workshop.reporter.emit(Started(subject, "waiting for the run on the board"))
    began = time.monotonic()

    def wait() -> _Settled:
        with connect(target, access) as connection:
            about = device.probe(connection, target.name)
            return _settled(workshop, connection, about, subject, began + deadline)

    settled = retried(wait, workshop, subject)
    request, about, found = settled.request, settled.about, settled.found
    run = Run(
        id=request.run,
        device=about.name,
        emulated=bool(about.emulated),
        request=asdict(request),
        journal=settled.journal,
        collected_at=datetime.now(UTC).isoformat(timespec="seconds"),
        label=label,
    )
    with Results(results_path(workshop)) as results:
        new = results.insert(found, run)

    def forget() -> None:
        with connect(target, access) as connection:
            bench.forget(connection, request.run)

    retried(forget, workshop, subject)
    said = f"{new} new blocks of run {request.run}"
    workshop.reporter.emit(Finished(subject, "done", time.monotonic() - began, said))
    return found


@dataclass(frozen=True, slots=True)
class _Settled:
    """A finished run in which no void block is left that may be taken again."""

    request: Request
    journal: str
    about: DeviceInfo
    found: tuple[Measurement, ...]


def _settled(
    workshop: Workshop, connection: Connection, about: DeviceInfo, subject: str, end: float
) -> _Settled:
    while True:
        collected = bench.collect(
            connection,
            reporter=workshop.reporter,
            deadline=max(1.0, end - time.monotonic()),
            poll=POLL,
        )
        request = collected.request
        expected = golden(workshop, request)
        blocks = parse(collected.journal).blocks
        found = measurements(blocks, request, golden=expected, device=about)
        again = retakes(found, request)
        if not again:
            return _Settled(request, collected.journal, about, found)
        count = sum(not block.sentinel for block in again)
        text = f"{subject}: {count} {'blocks were' if count > 1 else 'block was'} void; once more"
        workshop.reporter.emit(Note("warning", text))
        bench.extend(connection, request, again)


def golden(workshop: Workshop, request: Request) -> Golden:
    """The expected output, from the model that went into the bundles."""
    net = workshop.project.networks.get(request.model)
    if net is None or request.model_version != model_version(net):
        nets = workshop.project.networks
        ours = ", ".join(f"'{name}' {model_version(one)}" for name, one in nets.items())
        raise BenchError(
            f"the run on the board used model '{request.model}' {request.model_version}, "
            f"this matrix has {ours}",
            hint="collect it with the matrix that started it",
        )
    tolerances = {str(name): allowed for name, allowed in net.tolerance.items()}
    return Golden(expected_output(workshop, net.name), tolerances)


def expected_output(workshop: Workshop, model: str) -> Sequence[float]:
    """Of a network for its one input image, by the reference in float64."""
    # By the present key: the newest entry of a model may be of another version of it.
    keys = {action.id: action.key for action in plan_all(workshop)}
    for work in workshop.project.works:
        if isinstance(work.subject, BundleWork) and work.subject.cell.model == model:
            entry = workshop.store.entry(keys[work.subject.model])
            if entry is not None:
                return _doubles(workshop, next(f for f in entry.files if f.path == "expected.f64"))
    raise BenchError("the model's expected output is not in the store", hint="run `inv build`")


def _doubles(workshop: Workshop, record: FileRecord) -> Sequence[float]:
    with workshop.store.open(record.sha256) as stream:
        return struct.unpack(f"<{record.size // 8}d", stream.read())
