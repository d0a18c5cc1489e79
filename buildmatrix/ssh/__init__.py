"""SSH with paramiko: as OpenSSH's client is configured, over jump hosts, host keys verified.

Host keys are always verified, before any key of the user's is offered, on every host of the way.
All that paramiko and the operating system raise becomes LinkLost (try again) or DeviceError
(change something first).
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from buildmatrix.nouns import BoardAddress
from buildmatrix.ssh.chain import Chain
from buildmatrix.ssh.config import Hop, join_address, route
from buildmatrix.ssh.connection import SshConnection
from buildmatrix.ssh.failures import Deadline, translated
from buildmatrix.ssh.keyring import Keyring
from buildmatrix.ssh.login import log_in
from buildmatrix.ssh.trust import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Hop", "Keyring", "SshConnection", "connect", "fingerprint", "join_address", "route"]

AGAIN = 15.0  # seconds for a second connection, to end what is past its deadline

# What matters is raised; without a handler, logging would print paramiko's tracebacks on stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


def connect(
    board: BoardAddress,
    *,
    timeout: float,
    known_hosts: Path | None,
    config: Path | None = None,
    pins: Mapping[str, str] | None = None,
    keyring: Keyring | None = None,
) -> SshConnection:
    """Log in, or raise; `timeout` is a deadline in seconds for everything but a person's typing.

    `config` is OpenSSH's (~/.ssh/config): it fills what `board` leaves open, and names jump
    hosts. Every host key must be pinned, by `board.host_key` or in `pins` (host:port to
    "SHA256:…"), or else be in the file `known_hosts`. DeviceError: unknown or changed host key,
    nobody lets us in, a configuration that cannot be used. LinkLost: the rest.
    """
    hops = route(board, config=config, known_hosts=known_hosts, pins=pins)
    return _connected(hops, keyring or Keyring(), timeout)


def _connected(hops: Sequence[Hop], keyring: Keyring, timeout: float) -> SshConnection:
    with contextlib.ExitStack() as undo:
        chain = Chain(hops[-1])
        undo.callback(chain.close)
        with Deadline(timeout, chain.cut) as deadline:
            _pass(chain, hops, keyring, deadline)
        undo.pop_all()
    return SshConnection(
        chain, hops[-1].where, lambda: _connected(hops, keyring.without_a_person(), AGAIN)
    )


def fingerprint(
    host: str,
    port: int = 0,
    *,
    timeout: float,
    known_hosts: Path | None = None,
    config: Path | None = None,
    pins: Mapping[str, str] | None = None,
    keyring: Keyring | None = None,
) -> tuple[str, str]:
    """(key type, 'SHA256:…') of the host key that is offered there; nobody logs in.

    Into jump hosts on the way we do log in, and they are verified: see `connect`.
    """
    there = BoardAddress(name=host, host=host, port=port)
    hops = route(there, config=config, known_hosts=known_hosts, pins=pins)
    with (
        contextlib.closing(Chain()) as chain,
        Deadline(timeout, chain.cut) as deadline,
    ):
        _pass(chain, hops[:-1], keyring or Keyring(), deadline)
        with translated(hops[-1].where, chain.gone):
            key = chain.offered(hops[-1], ALGORITHMS, deadline)
    return key.get_name(), key.fingerprint


def _pass(chain: Chain, hops: Iterable[Hop], keyring: Keyring, deadline: Deadline) -> None:
    for hop in hops:
        with translated(hop.where, chain.gone):
            log_in(chain.verified(hop, deadline), hop, keyring, deadline)
