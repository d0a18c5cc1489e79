"""A relay on the loopback as slow and as late as a link; a program of its own, link.py starts it.

relay.py PIDFILE PORT TO RATE DELAY: listen on PORT, forward to port TO, RATE bytes a second each
way over all connections, every byte DELAY seconds late. It goes on in the background once it
listens. TCP's slow start and loss are not modelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path

BLOCK = 4096  # bytes
LATE = 0.05  # seconds by which a timer may be late and the lost time still be made up for


class Way:
    """One direction of the link."""

    def __init__(self, rate: float, delay: float) -> None:
        self.rate, self.delay = rate, delay
        self._free = 0.0  # when the last byte so far has left

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Until `source` ends. The next block is read when the one before has left."""
        loop = asyncio.get_running_loop()
        flying: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        landing = asyncio.create_task(_land(flying, sink))
        with contextlib.suppress(OSError):
            while not landing.done() and (block := await source.read(BLOCK)):
                self._free = max(self._free, loop.time() - LATE) + len(block) / self.rate
                flying.put_nowait((self._free + self.delay, block))
                await asyncio.sleep(self._free - loop.time())
        flying.put_nowait((loop.time() + self.delay, b""))
        await landing


async def _land(flying: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
    """Hand over what has arrived; after an end of file, or when nobody listens, the end."""
    with contextlib.suppress(OSError):
        while True:
            arrival, block = await flying.get()
            await asyncio.sleep(arrival - asyncio.get_running_loop().time())
            if not block:
                sink.write_eof()
                return
            sink.write(block)
            await sink.drain()


async def serve(listener: socket.socket, port: int, rate: float, delay: float) -> None:
    there, back = Way(rate, delay), Way(rate, delay)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay)  # the handshake's round trip
        with contextlib.closing(writer), contextlib.suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(inner_writer):
                await asyncio.gather(
                    there.carry(reader, inner_writer), back.carry(inner_reader, writer)
                )

    async with await asyncio.start_server(relay, sock=listener) as server:
        await server.serve_forever()


def main(pidfile: str, port: str, to: str, rate: str, delay: str) -> None:
    with socket.create_server(("127.0.0.1", int(port)), backlog=100) as listener:
        if child := os.fork():
            Path(pidfile).write_text(f"{child}\n")
            os._exit(0)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        asyncio.run(serve(listener, int(to), float(rate), float(delay)))


if __name__ == "__main__":
    main(*sys.argv[1:])
