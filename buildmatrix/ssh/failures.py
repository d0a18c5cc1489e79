"""What goes wrong on the way, decided in one place: LinkLost, try again; DeviceError, do not."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from buildmatrix.errors import DeviceError, LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

T = TypeVar("T")

_AWAY = "check that the board is on and that this machine is in its network, then try again"
_HINTS = {
    errno.ECONNREFUSED: "start its SSH server, or correct the port, then try again",
    errno.EHOSTUNREACH: _AWAY,
    errno.ENETUNREACH: _AWAY,
}


class NoSuchHost(DeviceError):
    """Nobody has the name; a board that had it may be gone."""


class Deadline:
    """A limit in seconds for all that is done within: when it has passed, the link is cut.

    A timeout on a paramiko channel is none: it starts anew with every byte, and close() waits.
    The time in which a person types does not count, see `paused`.
    """

    def __init__(self, seconds: float, cut: Callable[[], None]) -> None:
        self._seconds = self._left = seconds
        self._cut = cut
        self._since: float | None = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Deadline:
        self._start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._stop()
        if isinstance(error, LinkLost) and self._left <= 0:
            text = f"no answer within {self._seconds:.3g} s"
            raise LinkLost(text, where=error.where, hint=error.hint) from None

    @property
    def passed(self) -> bool:
        """Whether it came to its end."""
        return self.left() <= 0

    def left(self) -> float:
        """Seconds; 0 when it has passed."""
        gone = 0.0 if self._since is None else time.monotonic() - self._since
        return max(self._left - gone, 0.0)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """A person is asked: nobody else waits."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def _start(self) -> None:
        self._since = time.monotonic()
        self._timer = threading.Timer(self._left, self._end)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        self._left, self._since = self.left(), None
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()

    def _end(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._cut()


def bounded(work: Callable[[], T], seconds: float) -> T:
    """The result of `work`, or TimeoutError: it is given up then, not stopped. For what has no
    timeout of its own: looking up a name, an agent that hangs."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(seconds)


@contextlib.contextmanager
def translated(where: str, gone: Callable[[str], str] = lambda _: "") -> Iterator[None]:
    """What paramiko and the operating system raise becomes ours; `gone` is Chain's."""
    try:
        yield
    except IncompatiblePeer as error:
        raise DeviceError(
            f"no common SSH algorithm: {error}",
            where=where,
            hint="`ssh -vv` to it lists what the server offers: have it offer what this side "
            "takes, or update it; signatures by SHA-1 (ssh-rsa) are not taken",
        ) from error
    except paramiko.ChannelException as error:
        raise _no_session(error, where) from error
    except socket.gaierror as error:
        raise _unnamed(error, where) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise lost(error, where, gone(where)) from error


def refused_tunnel(error: paramiko.ChannelException, where: str) -> DeviceError:
    """A jump host does not open the way; RFC 4254, 5.1 has the codes."""
    if error.code in (1, 3):  # administratively prohibited, unknown channel type
        return DeviceError(
            f"the jump host does not forward to it: {error.text}",
            where=where,
            hint="allow it in sshd_config of the jump host: AllowTcpForwarding, PermitOpen",
        )
    return LinkLost(
        f"the jump host cannot reach it: {error.text}",
        where=where,
        hint="check host and port as the jump host sees them, and that the board is on",
    )


def _no_session(error: paramiko.ChannelException, where: str) -> DeviceError:
    """It let us in and runs nothing. Short of resources (code 4) it may do so another time."""
    kind = LinkLost if error.code == 4 else DeviceError
    return kind(
        f"the log-in succeeds and no session is opened: {error.text}",
        where=where,
        hint="see MaxSessions in its sshd_config, and what the key may do in authorized_keys",
    )


def _unnamed(error: socket.gaierror, where: str) -> DeviceError:
    """A name that does not exist is wrong; one that nobody answers for now may come back."""
    host = where.rpartition(":")[0]
    if error.errno == socket.EAI_NONAME and not host.endswith(".local"):  # mDNS: the board itself
        hint = "correct it: a name, an address, or a Host of ~/.ssh/config"
        if "." not in host:
            hint += f"; a virtual board of that name: `inv device up --name {host}`"
        return NoSuchHost(f"no such host: {error.strerror}", where=where, hint=hint)
    return LinkLost(f"the name is not found: {error.strerror}", where=where, hint=_AWAY)


def lost(error: Exception, where: str, jump: str) -> LinkLost:
    """A link that ended; `jump` is the host on the way that took it along, if one did."""
    text = str(error) or "closed by the other side"
    hint = "check that the board is on and reachable, then try again"
    if jump:
        text = f"the link to {jump} ended, and this one runs through it"
        hint = "check that the jump host is on and lets you in (`ssh` to it), then try again"
    elif "protocol banner" in text or "protocol version" in text:
        text = "it answers, but not as an SSH server does"
        hint = (
            "it may be starting, or take no more log-ins for the moment (MaxStartups, "
            "PerSourcePenalties): wait, then try again; or the port is another service's"
        )
    elif isinstance(error, OSError):
        hint = _HINTS.get(error.errno or 0, hint)
    return LinkLost(f"the connection is lost: {text}", where=where, hint=hint)
