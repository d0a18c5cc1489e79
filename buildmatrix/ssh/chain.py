"""The link: one TCP connection, and SSH within SSH when jump hosts are in between."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from buildmatrix.ssh import alive, trust
from buildmatrix.ssh.failures import bounded, refused_tunnel
from buildmatrix.ssh.packing import Packing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.ssh.config import Hop
    from buildmatrix.ssh.failures import Deadline

MOMENT = 0.2  # seconds: paramiko ends what runs through a link a little before the link itself


class Chain:
    """SSH transports, each tunnelled by the one before; the first runs over TCP.

    The one to `board` packs, unless its configuration says no: those to jump hosts carry what no
    packing makes smaller.
    """

    def __init__(self, board: Hop | None = None) -> None:
        self._board = board
        self._sock: socket.socket | None = None
        self._transports: list[paramiko.Transport] = []
        self._wheres: list[str] = []  # of the hosts that the transports lead to
        self._by_us = False  # the link was cut from this side

    @property
    def last(self) -> paramiko.Transport:
        return self._transports[-1]

    def gone(self, where: str) -> str:
        """The host on the way to `where` whose own link is gone, and with it all that ran through
        it; "" when there is none, or when it was we who cut it."""
        if self._by_us:
            return ""
        for host, transport in zip(self._wheres, self._transports, strict=True):
            if host == where:
                break
            transport.join(MOMENT)
            if not transport.is_active():
                return host
        return ""

    def offered(self, hop: Hop, algorithms: Sequence[str], deadline: Deadline) -> paramiko.PKey:
        """Start SSH with the next host; nobody has verified yet whose key it shows."""
        way = self._way_to(hop, deadline)
        if hop is self._board and hop.packs:
            transport: paramiko.Transport = Packing(way)
        else:
            transport = paramiko.Transport(way, packetizer_class=alive.Hearing)
        self._transports.append(transport)
        self._wheres.append(hop.where)
        transport.get_security_options().key_types = algorithms
        late = deadline.left() + 1  # it is the deadline that ends waiting, by a cut
        transport.handshake_timeout = transport.auth_timeout = late
        transport.banner_timeout = hop.patience or late
        transport.start_client()
        return transport.get_remote_server_key()

    def verified(self, hop: Hop, deadline: Deadline) -> paramiko.Transport:
        """Start SSH with the next host, and go no further unless its key is the right one."""
        known = trust.known(hop)
        key = self.offered(hop, trust.preferred(known), deadline)
        if hop.host_key not in ("", key.fingerprint):
            key = self._pinned(hop, key, deadline) or key
        trust.verify(hop, known, key)
        return self.last

    def cut(self) -> None:
        """Now nobody waits in send or recv any more."""
        self._by_us = True
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Safe to call again, and from another thread."""
        self.cut()
        for transport in self._transports:  # from without: an inner one would write through it
            transport.close()
        if self._sock is not None:
            self._sock.close()

    def _pinned(self, hop: Hop, key: paramiko.PKey, deadline: Deadline) -> paramiko.PKey | None:
        """The pinned key, when the host has it beside the one that we prefer: a pin does not
        tell its type, so ask for the other types."""
        left = list(trust.ALGORITHMS)
        while left := [a for a in left if trust.key_type(a) != key.get_name()]:
            self._transports.pop().close()
            self._wheres.pop()
            try:
                key = self.offered(hop, left, deadline)
            except IncompatiblePeer:
                return None  # it has none of them
            except (EOFError, ConnectionResetError):
                if deadline.passed:
                    raise
                return None  # dropbear 2022 offers a type that it has no key of, then hangs up
            if key.fingerprint == hop.host_key:
                return key
        return None

    def _way_to(self, hop: Hop, deadline: Deadline) -> socket.socket | paramiko.Channel:
        if self._transports:
            address, late = (hop.host, hop.port), hop.patience or deadline.left() + 1
            try:
                return self.last.open_channel(
                    "direct-tcpip", address, ("127.0.0.1", 0), timeout=late
                )
            except paramiko.ChannelException as error:
                raise refused_tunnel(error, hop.where) from error
        patience = min(deadline.left(), hop.patience or deadline.left())
        try:
            self._sock = bounded(
                lambda: _dialled(hop, patience),
                patience,
            )
        except UnicodeError:  # of its labels: IDNA
            raise socket.gaierror(socket.EAI_NONAME, f"{hop.host} is no host name") from None
        alive.have_tcp_ask(self._sock)
        # Else a message that follows another waits for the acknowledgement of that: 0.04 s, often.
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._sock


def _dialled(hop: Hop, seconds: float) -> socket.socket:
    """As socket.create_connection, of one family only where AddressFamily says so."""
    families = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
    if hop.family not in families:
        return socket.create_connection((hop.host, hop.port), seconds)
    fault: OSError = socket.gaierror(socket.EAI_NONAME, "no address of that family")
    addresses = socket.getaddrinfo(hop.host, hop.port, families[hop.family], socket.SOCK_STREAM)
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(seconds)
            sock.connect(address)
        except OSError as error:
            sock.close()
            fault = error
        else:
            return sock
    raise fault
