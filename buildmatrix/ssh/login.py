"""Logging in: keys of the agent and of files, then a password.

In ssh's order: what the agent holds, then key files; those with a passphrase come last, since
paramiko cannot ask a host about a key before it is unlocked.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import socket
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import paramiko
from paramiko.agent import AgentSSH

from buildmatrix.errors import DeviceError
from buildmatrix.ssh.config import variable
from buildmatrix.ssh.keyring import TRIES, Locked, Unusable, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from buildmatrix.ssh.config import Hop
    from buildmatrix.ssh.failures import Deadline
    from buildmatrix.ssh.keyring import Keyring

BY_PASSWORD = frozenset({"password", "keyboard-interactive"})
AGENT = 5.0  # seconds until an agent that hangs is passed over
IDENTITIES = b"\0\0\0\1\x0b"  # SSH_AGENTC_REQUEST_IDENTITIES of the agent protocol
MANY = 3  # refused, then cut off: hardly a lost link, but sshd's MaxAuthTries


def log_in(transport: paramiko.Transport, hop: Hop, keyring: Keyring, deadline: Deadline) -> None:
    """Prove who we are, to a host whose key is verified.

    Raises DeviceError when nothing is accepted, EOFError when the link is lost.
    """
    login = _Login(transport, hop, deadline)
    login.attempt(lambda: transport.auth_none(hop.user))  # tells what is offered
    if "publickey" in login.left:
        _by_key(login, keyring)
    if login.left & BY_PASSWORD and keyring.ask:
        _by_password(login, keyring)
    if login.left:
        raise _refused(login, keyring)


@dataclass(slots=True)
class _Login:
    transport: paramiko.Transport
    hop: Hop
    deadline: Deadline
    left: frozenset[str] = frozenset({"none"})  # methods that may go on; empty: we are in
    tried: list[str] = field(default_factory=list)  # what became of every key, a line each
    accepted: str = ""  # what was right, where the host wants more than one thing
    locked: bool = False  # a key has a passphrase, which nobody gave
    refused: int = 0

    def attempt(self, method: Callable[[], list[str]], what: str = "") -> None:
        """Try one key or password; lists what the host takes next, in `left`."""
        try:
            self.left = frozenset(method())
            if self.left:
                self.accepted = what
                self.tried.append(f"{what}: accepted, and more is wanted")
            return
        except paramiko.BadAuthenticationType as error:  # refused, and the method is used up
            self.left = frozenset(error.allowed_types)
        except paramiko.SSHException as error:
            if not self.transport.is_active() or not self.deadline.left():
                raise self._broken(error, what) from None
        if what:
            self.refused += 1
            self.tried.append(f"{what}: refused")

    def _broken(self, error: paramiko.SSHException, what: str) -> Exception:
        """paramiko gives a lost link, and a host that has seen enough keys, one type."""
        lost = "transport shut down" in str(error)
        if not self.deadline.left() or (lost and self.refused < MANY - 1):
            return EOFError()
        hint = (
            "name the right key: identity_file in matrix.yaml, or IdentityFile with "
            "IdentitiesOnly in ~/.ssh/config"
        )
        brief = f"cut off after {self.refused + 1} attempts to log in as {self.hop.user}"
        if not lost:  # signing failed here
            brief = f"{what} cannot be used: {error}"
            hint = "see that ssh-agent is well and unlocked, or " + hint
        return DeviceError(brief, where=self.hop.where, details="\n".join(self.tried), hint=hint)


def _by_key(login: _Login, keyring: Keyring) -> None:
    with contextlib.ExitStack() as stack:
        agent_keys: Sequence[paramiko.PKey] = ()
        try:
            agent_keys = stack.enter_context(contextlib.closing(_agent(login.hop.agent))).get_keys()
        except (paramiko.SSHException, ValueError, OSError) as error:
            login.tried.append(f"ssh-agent: {error}")
        for what, key in _keys(login, agent_keys, keyring):
            login.attempt(partial(login.transport.auth_publickey, login.hop.user, key), what)
            if "publickey" not in login.left:
                return


class _Agent(AgentSSH):
    """The keys behind one socket; none without."""

    def __init__(self, link: socket.socket | None) -> None:
        super().__init__()
        if link is not None:
            self._connect(link)  # type: ignore[attr-defined]

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]


def _agent(where: str | None) -> _Agent:
    """At the socket named, "none", or None for SSH_AUTH_SOCK's.

    paramiko would wait for ever for an agent that hangs (a forwarded one may), so ask first.
    """
    path = (variable("SSH_AUTH_SOCK") or "none") if where is None else where
    if path == "none":
        return _Agent(None)
    link = socket.socket(socket.AF_UNIX)
    try:
        link.settimeout(AGENT)
        link.connect(path)
        link.sendall(IDENTITIES)
        _answer(link)
        link.settimeout(None)
        return _Agent(link)
    except OSError:
        link.close()
        if where is None:  # the variable of a session that is over
            return _Agent(None)
        raise


def _answer(link: socket.socket) -> None:
    """Take one whole message of the agent protocol: its size, then as much."""
    size, taken = int.from_bytes(link.recv(4, socket.MSG_WAITALL)), 0
    while taken < size and (piece := link.recv(min(size - taken, 1 << 16))):
        taken += len(piece)


def _keys(
    login: _Login, agent_keys: Sequence[paramiko.PKey], keyring: Keyring
) -> Iterator[tuple[str, paramiko.PKey]]:
    """What may be tried, each with what people call it."""
    hop = login.hop
    public = {path: _public(path) for path in hop.identity_files}
    named = [key for key in agent_keys if key.asbytes() in public.values()]
    others = [] if hop.identities_only else [key for key in agent_keys if key not in named]
    for key in (*named, *others):
        yield f"agent's {key.get_name()} {key.fingerprint}", key
    locked = []
    in_agent = {key.asbytes() for key in named}
    for path in hop.identity_files:
        if public[path] in in_agent:
            continue
        try:
            key = load(path)
            yield from _certified(hop, path)
            yield str(path), key
        except FileNotFoundError:
            continue
        except Locked:
            locked.append(path)
        except Unusable as error:
            login.tried.append(f"{path}: {error}")
    for path in locked:
        with login.deadline.paused():
            unlocked = keyring.unlock(path)
        if unlocked is None:
            login.locked = True
            login.tried.append(f"{path}: has a passphrase, which nobody gave")
        else:
            yield str(path), unlocked


def _certified(hop: Hop, path: Path) -> Iterator[tuple[str, paramiko.PKey]]:
    """The key with each certificate of it: CertificateFile's, and the one beside the file."""
    for file in (*hop.certificates, path.with_name(f"{path.name}-cert.pub")):
        with contextlib.suppress(OSError, ValueError, paramiko.SSHException):
            certified = load(path)
            certified.load_certificate(str(file))
            yield f"{path} with {file}", certified


def _public(path: Path) -> bytes | None:
    """The public half that stands beside a private key, or alone in its place: so ssh names a
    key that only the agent has."""
    for beside in (path.with_name(f"{path.name}.pub"), path):
        with contextlib.suppress(OSError, IndexError, binascii.Error):
            return base64.b64decode(beside.read_bytes().split()[1], validate=True)
    return None


def _by_password(login: _Login, keyring: Keyring) -> None:
    prompt = f"password of {login.hop.user}@{login.hop.address}: "
    for _ in range(TRIES):
        with login.deadline.paused():
            password = keyring.password(prompt)
        if not password:
            return
        # paramiko takes bytes too, and answers keyboard-interactive with it
        method = partial(login.transport.auth_password, login.hop.user, password)  # type: ignore[arg-type]
        login.attempt(method, "password")
        if not login.left & BY_PASSWORD:
            return
        prompt = f"that is not it; password of {login.hop.user}@{login.hop.address}: "


def _refused(login: _Login, keyring: Keyring) -> DeviceError:
    if login.accepted:
        return _not_enough(login, keyring)
    asks = login.left & BY_PASSWORD or login.locked
    hint = (
        "put your public key into ~/.ssh/authorized_keys of that user (ssh-copy-id); if it is "
        "there, ask the log of its sshd: the account may be locked or not allowed"
    )
    if keyring.ask is None and asks:
        hint = (
            "there is no terminal to ask for a passphrase or a password: load the key into "
            f"ssh-agent (ssh-add); or {hint}"
        )
    return DeviceError(
        f"{login.hop.user} was refused; it takes {', '.join(sorted(login.left))}",
        where=login.hop.where,
        details="\n".join(login.tried) or "no key to try",
        hint=hint,
    )


def _not_enough(login: _Login, keyring: Keyring) -> DeviceError:
    """Something was right, and the host wants more than that (AuthenticationMethods)."""
    if "publickey" in login.left:
        hint = "name the other key too, by IdentityFile in ~/.ssh/config or in ssh-agent"
    elif keyring.ask is None:
        hint = "run it at a terminal, where a password can be typed"
    else:
        hint = "give the right password"
    more = ", ".join(sorted(login.left))
    return DeviceError(
        f"{login.hop.user} is asked for more than {login.accepted}: {more}",
        where=login.hop.where,
        details="\n".join(login.tried),
        hint=f"{hint}; or let a key do alone: AuthenticationMethods in its sshd_config",
    )
