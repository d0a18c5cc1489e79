"""Boards: which one is meant, and how it is reached."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from buildmatrix import ssh, virtual
from buildmatrix.agent import program
from buildmatrix.errors import InputError, LinkLost
from buildmatrix.nouns import BoardAddress
from buildmatrix.protocols import Note
from buildmatrix.records import read_record, write_record
from buildmatrix.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TypeVar

    from buildmatrix.protocols import Reporter
    from buildmatrix.ssh import SshConnection

    T = TypeVar("T")

CONNECT = 30.0  # seconds
# "[::1]:22", "::1" (two colons or more: no port can follow), "name:22"
ADDRESS = re.compile(
    r"(?:\[(?P<inner>[^\]\s]+)\]|(?P<bare>[^:\[\]\s]*:[^:\s]*:[^\[\]\s]*)|(?P<name>[^:\[\]\s]+))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
ATTEMPTS = 5  # of a call whose connection broke


@dataclass(frozen=True, slots=True)
class Access:
    """How this person gets into boards: files of ~/.ssh, pins of `device trust`, who is asked."""

    known_hosts: Path | None = None
    config: Path | None = None
    pins: Mapping[str, str] = field(default_factory=dict)  # host:port to "SHA256:…"
    keyring: ssh.Keyring = field(default_factory=ssh.Keyring)
    scripts: Path | None = None  # record of the boards that have the agent: address to digest


def find(host: str, *, devices: Mapping[str, BoardAddress], state: Path) -> BoardAddress:
    """The board that `--host` means: a name in matrix.yaml, a virtual board, or an address."""
    boards = {board.address.name: board for board in virtual.boards(state)}
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
            raise LinkLost(f"virtual board {host} is off", hint=boards[host].again)
        return boards[host].address
    device = devices.get(host) or next((d for d in devices.values() if d.host == host), None)
    return device or _address(host)


def named(host: str, *, devices: Mapping[str, BoardAddress]) -> str:
    """The name that results of the board are kept under which `--host` means."""
    if host in devices:
        return host
    try:
        address = _address(host)
    except InputError:  # a name that is no address may still have results
        return host
    return next((d.name for d in devices.values() if d.host == host), address.name)


def _address(text: str) -> BoardAddress:
    """user@host:port, each but the host optional; IPv6 as ssh and scp write it: [::1]:22, ::1."""
    user, _, rest = text.rpartition("@")
    match = ADDRESS.fullmatch(rest)
    if match is None or int(match["port"] or 22) not in range(1, 65536):
        raise InputError(
            f"'{text}' is no board",
            hint="write a name of matrix.yaml, or user@host:port; IPv6: user@[address]:port",
        )
    host, port = match["inner"] or match["bare"] or match["name"], match["port"]
    return BoardAddress(name=host, host=host, port=int(port or 0), user=user)


def spoken(board: BoardAddress) -> str:
    """A board as --host takes it, with user and port where they were given.

    >>> spoken(BoardAddress("x", "::1", 2222, "pi")), spoken(BoardAddress("x", "pi3"))
    ('pi@[::1]:2222', 'pi3')
    """
    user = f"{board.user}@" if board.user else ""
    return f"{user}{ssh.join_address(board.host, board.port)}"


def called(board: BoardAddress) -> str:
    """A board as --host takes it again: by its name, where it has one besides its address.

    >>> called(BoardAddress("::1", "::1", 2222, "pi")), called(BoardAddress("pi3", "::1", 2222))
    ('pi@[::1]:2222', 'pi3')
    """
    return board.name if board.name != board.host or board.host_key else spoken(board)


def trust(address: str, fingerprint: str, *, state: Path) -> None:
    """Pin a host key for an address, host:port."""
    path = State(state).trust
    write_record(path, {**read_record(path), address: fingerprint})


def pins(state: Path) -> dict[str, str]:
    """What `device trust` pinned: host:port to "SHA256:…"."""
    return {address: str(key) for address, key in read_record(State(state).trust).items()}


def lacks_agent(board: BoardAddress, access: Access) -> bool:
    """Is the board one that this version's agent was never put on from here, as far as is known?

    It is sent with the first question then, which saves asking twice. Without a record: no.
    """
    if access.scripts is None:
        return False
    return read_record(access.scripts).get(spoken(board)) != program().digest


def has_agent(board: BoardAddress, access: Access) -> None:
    """Remember that it is there now."""
    if access.scripts is not None and lacks_agent(board, access):
        record = {**read_record(access.scripts), spoken(board): program().digest}
        with contextlib.suppress(OSError):  # a state folder that is full: asked twice next time
            write_record(access.scripts, record)


def connect(board: BoardAddress, access: Access, *, timeout: float = CONNECT) -> SshConnection:
    return ssh.connect(
        board,
        timeout=timeout,
        known_hosts=access.known_hosts,
        config=access.config,
        pins=access.pins,
        keyring=access.keyring,
    )


def resolved(board: BoardAddress, access: Access) -> BoardAddress:
    """The address as the ssh configuration completes it."""
    last = ssh.route(board, config=access.config)[-1]
    return replace(board, host=last.host, port=last.port, user=last.user)


def offered(board: BoardAddress, access: Access) -> tuple[str, str, str]:
    """(host:port, key type, fingerprint) of a board, as ssh is configured and a board shows."""
    address = ssh.route(board, config=access.config)[-1].address
    return address, *ssh.fingerprint(
        board.host,
        board.port,
        timeout=CONNECT,
        known_hosts=access.known_hosts,
        config=access.config,
        pins=access.pins,
        keyring=access.keyring,
    )


def visit(
    board: BoardAddress,
    access: Access,
    work: Callable[[SshConnection], T],
    reporter: Reporter,
    subject: str,
) -> T:
    """Do the work over a connection to a board; all of it again over a new one when that broke.

    The pauses between grow; the last failure raises.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            with connect(board, access) as connection:
                return work(connection)
        except LinkLost as lost:
            text = f"{subject}: {lost.brief}; trying again ({attempt} of {ATTEMPTS - 1})"
            reporter.emit(Note("warning", text))
            time.sleep(min(2**attempt / 2, 10))
    with connect(board, access) as connection:
        return work(connection)
