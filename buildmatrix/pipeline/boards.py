"""Boards: which one is meant, is it fit, what goes there, what comes back."""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from buildmatrix import __version__, bench, deploy, device, ssh, virtual
from buildmatrix.bench.request import Entrant, Request, run_id
from buildmatrix.bench.verdict import Golden, measurements, parse
from buildmatrix.errors import AuditError, BenchError, DeviceError, InputError, LinkLost
from buildmatrix.graph import Packed
from buildmatrix.model import Bundle, FileRecord, Severity, SshTarget, Verb
from buildmatrix.pipeline.make import audit_of, plan_all
from buildmatrix.protocols import Finished, Note, Started
from buildmatrix.results import Results
from buildmatrix.store import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeVar

    from buildmatrix.model import DeviceInfo, Finding, Measurement
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.ssh import SshConnection

    T = TypeVar("T")

CONNECT = 30.0  # seconds
ATTEMPTS = 5  # of a call whose connection broke
POLL = 4.0  # seconds between looks; each look costs the board some CPU
MARGIN_KIB = 16 * 1024  # left free on the board's disk beside the bundle


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deploy did on one board."""

    info: DeviceInfo
    bundles: tuple[Bundle, ...]
    pushed: deploy.Pushed
    refused: tuple[tuple[str, tuple[Finding, ...]], ...]  # (cell, why)
    seconds: float


def find(host: str, *, devices: Mapping[str, SshTarget], state: Path) -> SshTarget:
    """The board that `--host` means: a name in matrix.yaml, a virtual board, or an address.

    A key that `device trust` pinned counts for an address without one in matrix.yaml.
    """
    boards = {board.target.name: board for board in virtual.boards(state)}
    if not host:
        if len(boards) == 1:
            host = next(iter(boards))
        elif len(devices) == 1 and not boards:
            host = next(iter(devices))
        else:
            there = ", ".join([*devices, *boards]) or "none"
            raise InputError(
                f"which board? known here: {there}",
                hint="name one with --host, or start a virtual one: inv device up",
            )
    if host in boards:
        if not boards[host].running:
            raise DeviceError(f"virtual board {host} is off", hint=f"inv device up --name {host}")
        return boards[host].target
    pinned = read_json(state / "trust.json")
    found = devices.get(host) or next((d for d in devices.values() if d.host == host), None)
    target = found or _address(host)
    if target.host_key:
        return target
    key = str(pinned.get(f"{target.host}:{target.port}", ""))
    return SshTarget(target.name, target.host, target.port, target.user, key, target.identity_file)


def _address(text: str) -> SshTarget:
    """user@host:port, each but the host optional."""
    user, _, rest = text.rpartition("@")
    host, _, port = rest.partition(":")
    if not host or (port and not port.isdigit()):
        raise InputError(
            f"'{text}' is no board", hint="write a name of matrix.yaml, or user@host:port"
        )
    return SshTarget(name=host, host=host, port=int(port or 22), user=user or "pi")


def trust(target: SshTarget, fingerprint: str, *, state: Path) -> None:
    """Pin a host key for an address."""
    path = state / "trust.json"
    write_json(path, {**read_json(path), f"{target.host}:{target.port}": fingerprint})


def connect(target: SshTarget, known_hosts: Path | None) -> SshConnection:
    return ssh.connect(target, timeout=CONNECT, known_hosts=known_hosts)


def info(target: SshTarget, known_hosts: Path | None) -> DeviceInfo:
    """What the board says it is."""
    with connect(target, known_hosts) as connection:
        return device.probe(connection, target.name)


def retried(work: Callable[[], T], workshop: Workshop, subject: str) -> T:
    """Do it again when the connection broke, with a growing pause; the last failure raises."""
    for attempt in range(1, ATTEMPTS):
        try:
            return work()
        except LinkLost as lost:
            text = f"{subject}: {lost.brief}; trying again ({attempt} of {ATTEMPTS - 1})"
            workshop.reporter.emit(Note("warning", text))
            time.sleep(min(2**attempt / 2, 10))
    return work()


def bundles(workshop: Workshop) -> tuple[Bundle, ...]:
    """The bundles of the selected cells that are built and passed their audit.

    Raises InputError when there is none.
    """
    actions = {a.id: a for a in plan_all(workshop)}
    found, missing = [], []
    for cell in workshop.project.cells:
        audited, packed = actions.get(f"audit:{cell.id}"), actions.get(f"bundle:{cell.id}")
        if audited is None or packed is None or audited.verb is not Verb.SKIP:
            missing.append(cell.id)
            continue
        findings = audit_of(workshop, audited.key)["findings"]
        errors = [f for f in findings if f["severity"] == Severity.ERROR]
        if errors:
            raise AuditError(
                f"{cell.id} has {len(errors)} findings that forbid shipping",
                details="\n".join(f"{f['code']} {f['file']}: {f['message']}" for f in errors),
                hint=f"inv audit {cell.id}",
            )
        found.append(_bundle(workshop, cell.id, packed.key))
    if not found:
        raise InputError(
            f"none of the selected cells is built: {', '.join(missing)}", hint="run `inv build`"
        )
    return tuple(found)


def _bundle(workshop: Workshop, cell: str, key: str) -> Bundle:
    entry = workshop.store.entry(key)
    if entry is None:
        raise InputError(f"the bundle of {cell} is gone from the store", hint="run `inv build`")
    manifest = next(f for f in entry.files if f.path == "manifest.json")
    return Bundle(cell, manifest.sha256, entry.files)


def deploy_all(
    workshop: Workshop, target: SshTarget, *, known_hosts: Path | None, verify: bool = False
) -> Deployed:
    """Put the selected, built cells on a board. A cell that cannot run there is not sent."""
    started = time.monotonic()
    everything = bundles(workshop)
    with connect(target, known_hosts) as connection:
        about = device.probe(connection, target.name)
    fit, refused = _gate(workshop, about, everything)
    subject = f"deploy {target.name}"
    workshop.reporter.emit(Started(subject, f"{len(fit)} bundles to {target.host}"))

    def push() -> deploy.Pushed:
        with connect(target, known_hosts) as connection:
            return deploy.push(
                connection,
                fit,
                workshop.store,
                reporter=workshop.reporter,
                subject=subject,
                verify=verify,
            )

    pushed = retried(push, workshop, subject)
    seconds = time.monotonic() - started
    said = f"{pushed.sent_objects} objects, {pushed.sent_bytes / 1e6:.1f} MB sent"
    workshop.reporter.emit(Finished(subject, "done", seconds, said))
    return Deployed(about, fit, pushed, refused, seconds)


def _gate(
    workshop: Workshop, about: DeviceInfo, everything: tuple[Bundle, ...]
) -> tuple[tuple[Bundle, ...], tuple[tuple[str, tuple[Finding, ...]], ...]]:
    """Refuse early: compare each bundle's target with the board. Raises when none is left."""
    cells = {cell.id: cell for cell in workshop.project.cells}
    fit, refused = [], []
    for bundle in everything:
        target = workshop.project.toolchains[cells[bundle.cell].toolchain].target
        needs = bundle.size // 1024 + MARGIN_KIB
        findings = device.unfit(about, target, needs_kib=needs)
        errors = tuple(f for f in findings if f.severity is Severity.ERROR)
        if errors:
            refused.append((bundle.cell, errors))
        else:
            fit.append(bundle)
        for finding in findings:
            level = "error" if finding.severity is Severity.ERROR else "warning"
            if bundle is everything[0] or level == "error":
                text = f"{finding.code} {bundle.cell} on {about.name}: {finding.message}"
                workshop.reporter.emit(Note("error" if errors else "warning", text))
    if not fit:
        why = "\n".join(f"{f.code}: {f.message}; {f.hint}" for _, fs in refused for f in fs)
        raise DeviceError(f"no bundle can run on {about.name}", details=why)
    return tuple(fit), tuple(refused)


# -- bench ---------------------------------------------------------------------------------------


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
    for work in workshop.project.works:
        if isinstance(work.subject, Packed):
            entry = workshop.store.latest(work.subject.model)
            if entry is not None:
                record = next(f for f in entry.files if f.path == "expected.f64")
                return Golden(_doubles(workshop, record), net.tolerance)
    raise BenchError("the model's expected output is not in the store", hint="run `inv build`")


def _doubles(workshop: Workshop, record: FileRecord) -> Sequence[float]:
    with workshop.store.open(record.sha256) as stream:
        return struct.unpack(f"<{record.size // 8}d", stream.read())
