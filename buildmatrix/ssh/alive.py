"""Whether the other end is still there: a board that loses its power or its Wi-Fi says no word.

TCP is asked, and the board's own SSH server: in front of a jump host, an emulator's network or a
gateway it is their end of TCP that answers, for as long as they like, whatever became of the board.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import paramiko
from paramiko.packet import Packetizer

from buildmatrix.errors import LinkLost
from buildmatrix.ssh.failures import bounded

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

SILENT = 120  # seconds without a sign of the other end before the link counts as lost
ASK = "keepalive@openssh.com"  # what ssh asks; RFC 4254, 4: to a name that it does not know, a
# server has to say no, which is a sign of life as well


class Hearing(Packetizer):
    """Notes when the last whole message came."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.heard = time.monotonic()

    def read_message(self) -> tuple[int, paramiko.Message]:
        """The next message, as paramiko reads it."""
        message = super().read_message()
        self.heard = time.monotonic()
        return message


class Watch:
    """Within it a transport that stays silent is cut, and LinkLost says so."""

    def __init__(self, transport: paramiko.Transport, cut: Callable[[], None]) -> None:
        self._transport, self._cut = transport, cut
        self._over, self._lost = threading.Event(), False
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._over.set()
        if isinstance(error, LinkLost) and self._lost:
            text = f"the connection is lost: no sign of the board for {SILENT} s"
            raise LinkLost(text, where=error.where, hint=error.hint) from None

    def _ask(self) -> None:
        pause, began = SILENT / 4, time.monotonic()
        hearing = cast("Hearing", self._transport.packetizer)
        while not self._over.wait(pause):
            silent = time.monotonic() - max(began, hearing.heard)
            if silent >= SILENT:
                self._lost = True
                with contextlib.suppress(OSError, EOFError):
                    self._cut()
                return
            if silent >= pause / 2:
                with contextlib.suppress(TimeoutError, OSError, EOFError, paramiko.SSHException):
                    bounded(lambda: self._transport.global_request(ASK), pause / 2)


def have_tcp_ask(sock: socket.socket) -> None:
    """Have the kernel notice a dead link; the options are those of tcp(7), and what a system lacks
    is left out."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", SILENT // 4),  # nothing under way: ask, and again, and give up
        ("TCP_KEEPINTVL", SILENT // 4),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", SILENT * 1000),  # something is: no acknowledgement for so long
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
