"""What a command prints: to the end of the stream, or a moment beyond the end of the answer."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    import paramiko

BLOCK = 128 * 1024
MOST = 256 << 20  # bytes; the longest answer is a journal with what its runners printed
LINGER = 2.0  # seconds for the end of a stream after that of the answer
TAIL = 64  # bytes; longer than the line that ends an answer


def hear(
    channel: paramiko.Channel,
    receive: Callable[[int], bytes],
    over: re.Pattern[bytes] | None = None,
    heard: Callable[[bytes], None] = lambda _: None,
) -> bytes:
    """All that comes on one stream of a channel, which is closed soon after `over` was seen.

    `heard` gets each piece, and at the end nothing. A job that a start-up file left in the
    background holds the stream open for as long as it lives. Raises DeviceError, with the channel
    closed, for more than any answer has.
    """
    pieces: list[bytes] = []
    size, tail, closing = 0, b"", threading.Timer(LINGER, _end, [channel])
    closing.daemon = True
    try:
        while piece := receive(BLOCK):
            pieces.append(piece)
            heard(piece)
            size += len(piece)
            if size > MOST:
                channel.close()
                raise DeviceError(
                    f"the board printed more than {MOST >> 20} MiB, and no answer has that",
                    hint="look for a job with `&` in what that user's shell reads at its start",
                )
            if over is not None:
                tail += piece
                if over.search(tail):
                    closing.start()
                    over = None  # what still comes says nothing
                tail = tail[-TAIL:]
    finally:
        closing.cancel()
        heard(b"")
    return b"".join(pieces)


def _end(channel: paramiko.Channel) -> None:
    """Close it. A link that went in the same moment is told where the answer is waited for, not
    as a traceback of this thread."""
    with contextlib.suppress(OSError, EOFError):
        channel.close()
