"""What a command reads: made ahead of the link, and no more of it sent than the far side uses."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import paramiko

AHEAD = 16  # chunks that wait for the link at most
# Bytes under way at most, where the server allows more. OpenSSH's allows 2 MiB, and keeps what a
# command has not read yet in a buffer that it makes anew and copies for each packet by which it
# grows (findings/sshd-copies-what-waits.sh): a small board that fell behind once, while programs
# started, copied 250 MB for 8 and never caught up. Half a MiB fills 20 Mbit/s over 200 ms, and
# 200 Mbit/s over 20.
WINDOW = 512 * 1024


def feed(channel: paramiko.Channel, chunks: Iterable[bytes]) -> None:
    """Send all chunks and the end of them, until the far side stops reading, which is its right.

    Raises what making a chunk raises, with the channel closed.
    """
    try:
        for chunk in _ahead(chunks):
            try:
                _send(channel, chunk)
            except (OSError, EOFError):
                return
        with contextlib.suppress(OSError, EOFError):
            channel.shutdown_write()
    except BaseException:
        channel.close()  # the chunks cannot be had: end the command, not wait for it
        raise


def _send(channel: paramiko.Channel, rest: bytes) -> None:
    """Send all of it. The server allows its whole window with the first packet at the latest, and
    then as much again as the command has read: what is taken off once stays off."""
    while rest:
        rest = rest[channel.send(rest) :]
        with channel.lock:
            channel.out_window_size = min(channel.out_window_size, WINDOW)


def _ahead(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, made by another thread while those before them travel.

    Made in the sender's own turns, a compressed stream would leave the link idle for as long as a
    busy machine takes to compress.
    """
    if isinstance(chunks, Sequence):
        yield from chunks
        return
    chunk_of, maker = iter(chunks), ThreadPoolExecutor(1)
    try:
        waiting = deque(maker.submit(next, chunk_of, None) for _ in range(AHEAD))
        while (chunk := waiting.popleft().result()) is not None:
            waiting.append(maker.submit(next, chunk_of, None))
            yield chunk
    finally:
        maker.shutdown(cancel_futures=True)
