"""Boards: which one is meant, is it fit, what goes there."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from buildmatrix import deploy, device, ssh, virtual
from buildmatrix.errors import AuditError, DeviceError, InputError, LinkLost
from buildmatrix.model import Bundle, Severity, SshTarget, Verb
from buildmatrix.pipeline.make import audit_of, blocking_in, plan_all
from buildmatrix.protocols import Finished, Note, Started
from buildmatrix.store import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TypeVar

    from buildmatrix.model import DeviceInfo, Finding
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.ssh import SshConnection

    T = TypeVar("T")

TRUST = "trust.json"
CONNECT = 30.0  # seconds
ATTEMPTS = 5  # of a call whose connection broke
MARGIN_KIB = 16 * 1024  # left free on the board's disk beside the bundle


@dataclass(frozen=True, slots=True)
class Access:
    """How this person gets into boards: files of ~/.ssh, pins of `device trust`, who is asked."""

    known_hosts: Path | None = None
    config: Path | None = None
    pins: Mapping[str, str] = field(default_factory=dict)  # host:port to "SHA256:…"
    keyring: ssh.Keyring = field(default_factory=ssh.Keyring)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deploy did on one board."""

    info: DeviceInfo
    bundles: tuple[Bundle, ...]
    pushed: deploy.Pushed
    refused: tuple[tuple[str, tuple[Finding, ...]], ...]  # (cell, why)
    seconds: float


def find(host: str, *, devices: Mapping[str, SshTarget], state: Path) -> SshTarget:
    """The board that `--host` means: a name in matrix.yaml, a virtual board, or an address."""
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
    found = devices.get(host) or next((d for d in devices.values() if d.host == host), None)
    return found or _address(host)


def _address(text: str) -> SshTarget:
    """user@host:port, each but the host optional."""
    user, _, rest = text.rpartition("@")
    host, _, port = rest.partition(":")
    if not host or (port and not port.isdigit()):
        raise InputError(
            f"'{text}' is no board", hint="write a name of matrix.yaml, or user@host:port"
        )
    return SshTarget(name=host, host=host, port=int(port or 0), user=user)


def trust(address: str, fingerprint: str, *, state: Path) -> None:
    """Pin a host key for an address, host:port."""
    write_json(state / TRUST, {**read_json(state / TRUST), address: fingerprint})


def pins(state: Path) -> dict[str, str]:
    """What `device trust` pinned: host:port to "SHA256:…"."""
    return {address: str(key) for address, key in read_json(state / TRUST).items()}


def connect(target: SshTarget, access: Access, *, timeout: float = CONNECT) -> SshConnection:
    return ssh.connect(
        target,
        timeout=timeout,
        known_hosts=access.known_hosts,
        config=access.config,
        pins=access.pins,
        keyring=access.keyring,
    )


def resolved(target: SshTarget, access: Access) -> SshTarget:
    """The address as the ssh configuration completes it."""
    last = ssh.route(target, config=access.config)[-1]
    return replace(target, host=last.host, port=last.port, user=last.user)


def offered(target: SshTarget, access: Access) -> tuple[str, str, str]:
    """(host:port, key type, fingerprint) of a board, as ssh is configured and a board shows."""
    address = ssh.route(target, config=access.config)[-1].address
    return address, *ssh.fingerprint(
        target.host,
        target.port,
        timeout=CONNECT,
        known_hosts=access.known_hosts,
        config=access.config,
        pins=access.pins,
        keyring=access.keyring,
    )


def info(target: SshTarget, access: Access) -> DeviceInfo:
    """What the board says it is."""
    with connect(target, access) as connection:
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


def bundles(workshop: Workshop, *, model: str = "") -> tuple[Bundle, ...]:
    """The bundles of the selected cells (of one model) that are built and passed their audit.

    Raises InputError when there is none.
    """
    actions = {a.id: a for a in plan_all(workshop)}
    found, missing = [], []
    for cell in workshop.project.cells:
        if model and cell.model != model:
            continue
        audited, packed = actions.get(f"audit:{cell.id}"), actions.get(f"bundle:{cell.id}")
        if audited is None or packed is None or audited.verb is not Verb.SKIP:
            missing.append(cell.id)
            continue
        blocking = blocking_in(audit_of(workshop, audited.key))
        if blocking:
            raise AuditError(
                f"{cell.id} has {len(blocking)} findings that forbid shipping",
                details="\n".join(blocking),
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


def stored_bundle(workshop: Workshop, cell: str, digest: str, *, key: str = "") -> Bundle | None:
    """A bundle by its digest, also one that a later build superseded; None when it is not there.

    With `key` only the entry of that key is looked at.
    """
    for candidate in (key,) if key else sorted(workshop.store.stored()):
        entry = workshop.store.entry(candidate)
        if entry and any(f.path == "manifest.json" and f.sha256 == digest for f in entry.files):
            return Bundle(cell, digest, entry.files)
    return None


def deploy_all(
    workshop: Workshop, target: SshTarget, *, access: Access, verify: bool = False
) -> Deployed:
    """Put the selected, built cells on a board. A cell that cannot run there is not sent."""
    started = time.monotonic()
    everything = bundles(workshop)
    subject = f"deploy {target.name}"
    about = retried(lambda: info(target, access), workshop, subject)
    fit, refused = _gate(workshop, about, everything)
    workshop.reporter.emit(Started(subject, f"{len(fit)} bundles to {target.host}"))

    def push() -> deploy.Pushed:
        with connect(target, access) as connection:
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
    doubts: dict[str, Finding] = {}  # of the board, so the same for every bundle
    for bundle in everything:
        target = workshop.project.toolchains[cells[bundle.cell].toolchain].target
        findings = device.unfit(about, target, needs_kib=bundle.size // 1024 + MARGIN_KIB)
        errors = tuple(f for f in findings if f.severity is Severity.ERROR)
        doubts.update({f.message: f for f in findings if f not in errors})
        if errors:
            refused.append((bundle.cell, errors))
        else:
            fit.append(bundle)
    for doubt in doubts.values():
        workshop.reporter.emit(Note("warning", f"{doubt.code} {about.name}: {doubt.message}"))
    for cell, errors in refused:
        for error in errors:
            text = f"{error.code} {cell} cannot run on {about.name}: {error.message}; {error.hint}"
            workshop.reporter.emit(Note("error", text))
    if not fit:
        raise DeviceError(
            f"no bundle can run on {about.name}", hint="see the findings above; `inv device info`"
        )
    return tuple(fit), tuple(refused)
