"""Boards: which one is meant, how it is reached, what could go there."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from buildmatrix import ssh, virtual
from buildmatrix.errors import AuditError, InputError, LinkLost
from buildmatrix.nouns import BoardAddress, Bundle, Verb
from buildmatrix.pipeline.perform import audit_of, blocking_in, plan_all
from buildmatrix.protocols import Note
from buildmatrix.records import read_record, write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TypeVar

    from buildmatrix.nouns import Target
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.ssh import SshConnection

    T = TypeVar("T")

TRUST = "trust.json"
CONNECT = 30.0  # seconds
ATTEMPTS = 5  # of a call whose connection broke


@dataclass(frozen=True, slots=True)
class Access:
    """How this person gets into boards: files of ~/.ssh, pins of `device trust`, who is asked."""

    known_hosts: Path | None = None
    config: Path | None = None
    pins: Mapping[str, str] = field(default_factory=dict)  # host:port to "SHA256:…"
    keyring: ssh.Keyring = field(default_factory=ssh.Keyring)


def find(host: str, *, devices: Mapping[str, BoardAddress], state: Path) -> BoardAddress:
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
            raise LinkLost(f"virtual board {host} is off", hint=f"inv device up --name {host}")
        return boards[host].target
    found = devices.get(host) or next((d for d in devices.values() if d.host == host), None)
    return found or _address(host)


def _address(text: str) -> BoardAddress:
    """user@host:port, each but the host optional."""
    user, _, rest = text.rpartition("@")
    host, _, port = rest.partition(":")
    if not host or (port and not port.isdigit()):
        raise InputError(
            f"'{text}' is no board", hint="write a name of matrix.yaml, or user@host:port"
        )
    return BoardAddress(name=host, host=host, port=int(port or 0), user=user)


def trust(address: str, fingerprint: str, *, state: Path) -> None:
    """Pin a host key for an address, host:port."""
    write_record(state / TRUST, {**read_record(state / TRUST), address: fingerprint})


def pins(state: Path) -> dict[str, str]:
    """What `device trust` pinned: host:port to "SHA256:…"."""
    return {address: str(key) for address, key in read_record(state / TRUST).items()}


def connect(target: BoardAddress, access: Access, *, timeout: float = CONNECT) -> SshConnection:
    return ssh.connect(
        target,
        timeout=timeout,
        known_hosts=access.known_hosts,
        config=access.config,
        pins=access.pins,
        keyring=access.keyring,
    )


def resolved(target: BoardAddress, access: Access) -> BoardAddress:
    """The address as the ssh configuration completes it."""
    last = ssh.route(target, config=access.config)[-1]
    return replace(target, host=last.host, port=last.port, user=last.user)


def offered(target: BoardAddress, access: Access) -> tuple[str, str, str]:
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


def target_of(workshop: Workshop, cell_id: str) -> Target:
    """What a cell is built for."""
    cell = next(cell for cell in workshop.project.cells if cell.id == cell_id)
    return workshop.project.toolchains[cell.toolchain].target


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
