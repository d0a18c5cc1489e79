"""SSH with paramiko: a verified host key, one verb, real deadlines.

Host keys are always verified, before any key of the user's is offered. All that paramiko and the
operating system raise becomes LinkLost (try again) or DeviceError (change something first).
"""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.protocols import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from buildmatrix.model import SshTarget

BLOCK = 128 * 1024
# What matters is raised; without a handler, logging would print paramiko's tracebacks on stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class SshConnection:
    """A POSIX shell on a board (protocols.Connection). Not to be shared between threads.

    After LinkLost the connection is closed for good: connect again.
    """

    def __init__(self, client: paramiko.SSHClient, where: str) -> None:
        self._client = client
        self._where = where

    def __enter__(self) -> SshConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        """Run `script` with `sh -c`; see protocols.Connection.

        `exec` makes sh the process that sshd watches, whatever the login shell: only so is a
        death by signal seen as such (status -1).
        """
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise LinkLost("the connection is closed", where=self._where, hint="connect again")
        with _deadline(timeout, cut=self.close), _translated(self._where):
            channel = transport.open_session(timeout=timeout)
            channel.exec_command(f"exec sh -c {shlex.quote(script)}")
            result, fault = _exchange(channel, stdin or ())
            if result.status == -1 and not transport.is_active():
                raise EOFError  # paramiko's -1 is 'no status': a signal, or a lost link
        if fault is not None:
            raise fault
        return result

    def close(self) -> None:
        """Cut the connection; safe to call again, and from another thread."""
        if transport := self._client.get_transport():
            with contextlib.suppress(OSError):  # so that no thread waits in send or recv
                transport.sock.shutdown(socket.SHUT_RDWR)
        self._client.close()


def connect(target: SshTarget, *, timeout: float, known_hosts: Path | None) -> SshConnection:
    """Log in, or raise; `timeout` is a deadline in seconds for everything.

    The host key must be the one that `target.host_key` pins, else one in the file `known_hosts`.
    DeviceError: unknown or changed host key, the board refuses our key. LinkLost: the rest.
    """
    where, identity = _where(target.host, target.port), _identity(target)
    deadline = time.monotonic() + timeout
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_Pinned(target))
    if not target.host_key and known_hosts is not None and known_hosts.is_file():
        client.load_system_host_keys(str(known_hosts))
    with _translated(where):
        sock = socket.create_connection((target.host, target.port), timeout)
    with contextlib.ExitStack() as undo:
        undo.callback(sock.close)
        undo.callback(client.close)
        left = max(deadline - time.monotonic(), 0.001)
        with _deadline(left, cut=lambda: sock.shutdown(socket.SHUT_RDWR)), _translated(where):
            client.connect(
                target.host,
                target.port,
                target.user,
                key_filename=identity or None,
                allow_agent=not identity,
                look_for_keys=not identity,
                timeout=left,
                banner_timeout=left,
                auth_timeout=left,
                sock=sock,
            )
        undo.pop_all()
    return SshConnection(client, where)


def fingerprint(host: str, port: int = 22, *, timeout: float) -> tuple[str, str]:
    """(key type, 'SHA256:…') of the host key that is offered there; nobody logs in."""
    with (
        _translated(_where(host, port)),
        socket.create_connection((host, port), timeout) as sock,
        contextlib.closing(paramiko.Transport(sock)) as transport,
    ):
        transport.banner_timeout = timeout
        transport.start_client(timeout=timeout)
        key = transport.get_remote_server_key()
        return key.get_name(), key.fingerprint


class _Pinned(paramiko.MissingHostKeyPolicy):
    """Asked before authentication about a key that no known_hosts file vouches for."""

    def __init__(self, target: SshTarget) -> None:
        self._target = target

    def missing_host_key(
        self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey
    ) -> None:
        target = self._target
        if not target.host_key:
            raise DeviceError(
                f"the host key of {target.name} is not known: it offers "
                f"{key.get_name()} {key.fingerprint}",
                where=_where(target.host, target.port),
                hint="compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the "
                f"board, then run `inv device trust --host {target.host}` or write under devices, "
                f'{target.name} in matrix.yaml: host_key: "{key.fingerprint}"',
            )
        if key.fingerprint != target.host_key:
            raise _changed(_where(target.host, target.port), target.host_key, key)


def _changed(where: str, pinned: str, offered: paramiko.PKey) -> DeviceError:
    return DeviceError(
        f"host key changed: {where} had {pinned}, now offers "
        f"{offered.get_name()} {offered.fingerprint}",
        hint="find out why before you go on: a reinstalled board, or another machine at its "
        f'address; if it is right, pin it: host_key: "{offered.fingerprint}"',
    )


def _exchange(
    channel: paramiko.Channel, chunks: Iterable[bytes]
) -> tuple[CommandResult, BaseException | None]:
    """Feed and drain at once: both streams share a window, so one left unread stops the other.

    The second value is what went wrong in `chunks` itself.
    """
    with ThreadPoolExecutor(2) as pool, contextlib.closing(channel):
        feeding = pool.submit(_feed, channel, chunks)
        draining = pool.submit(_drain, channel.recv_stderr)
        out, err = _drain(channel.recv), draining.result()
        result = CommandResult(channel.recv_exit_status(), out, err)
    return result, feeding.exception()


def _feed(channel: paramiko.Channel, chunks: Iterable[bytes]) -> None:
    """Send until the far side stops reading, which is its right."""
    try:
        for chunk in chunks:
            try:
                channel.sendall(chunk)
            except (OSError, EOFError):
                return
        with contextlib.suppress(OSError, EOFError):
            channel.shutdown_write()
    except BaseException:
        channel.close()  # the chunks cannot be had: end the command, not wait for it
        raise


def _drain(receive: Callable[[int], bytes]) -> bytes:
    return b"".join(iter(lambda: receive(BLOCK), b""))


@contextlib.contextmanager
def _deadline(seconds: float, *, cut: Callable[[], None]) -> Iterator[None]:
    """After `seconds`, cut the link; what is raised because of it says so.

    A timeout on a paramiko channel is none: it starts anew with every byte, and close() waits.
    """
    passed = threading.Event()

    def end() -> None:
        passed.set()
        with contextlib.suppress(OSError):
            cut()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except LinkLost as error:
        if not passed.is_set():
            raise
        raise LinkLost(
            f"no answer within {seconds:.3g} s", where=error.where, hint=error.hint
        ) from None
    finally:
        timer.cancel()
        timer.join()


@contextlib.contextmanager
def _translated(where: str) -> Iterator[None]:
    """The one place where foreign errors become ours."""
    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise _changed(where, error.expected_key.fingerprint, error.key) from None
    except IncompatiblePeer as error:
        raise DeviceError(
            f"no common SSH algorithm: {error}", where=where, hint="update the board's sshd"
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        if _refused(error):
            raise DeviceError(
                f"the board refused to let us in: {error}",
                where=where,
                hint="put your public key in ~/.ssh/authorized_keys on the board, and load a key "
                "with a passphrase into ssh-agent, or name the right one: identity_file",
            ) from error
        raise LinkLost(
            f"the connection is lost: {str(error) or 'closed by the board'}",
            where=where,
            hint="check that the board is on and reachable, then try again",
        ) from error


def _refused(error: Exception) -> bool:
    """Whether trying again is useless; paramiko gives a lost link the type of a refused key."""
    text = str(error).lower()
    if isinstance(error, paramiko.AuthenticationException):
        return "transport shut down" not in text and "timeout" not in text
    return "no authentication methods" in text


def _identity(target: SshTarget) -> str:
    path = Path(target.identity_file).expanduser()
    if target.identity_file and not path.is_file():
        raise DeviceError(
            f"the private key for {target.name} is missing",
            where=str(path),
            hint="correct identity_file, or leave it out to use ssh-agent and the default keys",
        )
    return str(path) if target.identity_file else ""


def _where(host: str, port: int) -> str:
    return f"{host}:{port}"
