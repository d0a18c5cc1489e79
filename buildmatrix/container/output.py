"""What a container prints, line by line, on the way that `docker run` uses.

Not out of the engine's log: following that, Docker 20.10.24 lost a last line without a line end
(moby's issue 43860), and Podman 4.3.1 and 5.4.2 lost whole lines of what had ended or was ending
(its issue 21914), a third of 5000.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_LINE = 1 << 16  # bytes; a program may print for hours without a line end
HEADER = struct.Struct(">BxxxL")  # of a frame: which stream, and how many bytes follow


class Output:
    """Both streams of a container that is not started yet. Close it when done."""

    def __init__(self, client: Any, container: str) -> None:
        self._socket = client.api.attach_socket(container)
        # A compiler may be silent for longer than a request may take.
        client.api._disable_socket_timeout(self._socket)

    def lines(self) -> Iterator[str]:
        """The lines as they are written, until the container ends or somebody removes it."""
        return lines(self._frames())

    def close(self) -> None:
        self._socket._response.close()  # the socket's own `close` leaves the connection open

    def _frames(self) -> Iterator[bytes]:
        while len(header := b"".join(self._pieces(HEADER.size))) == HEADER.size:
            yield from self._pieces(HEADER.unpack(header)[1])

    def _pieces(self, size: int) -> Iterator[bytes]:
        """So many bytes; fewer where the stream ends."""
        read = getattr(self._socket, "recv", None) or self._socket.read
        while size and (piece := read(size)):
            yield piece
            size -= len(piece)


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines out of pieces that are cut anywhere; bytes that are no text are shown as U+FFFD. What
    is longer than any line is several."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
