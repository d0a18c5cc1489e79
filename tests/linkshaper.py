"""A link as boards have it: slow, far away, breaking. A TCP relay on loopback, counting bytes.

It is a process of its own, so that it takes no turn from the program that is measured:

    with Link(22, mbit=20, round_trip_ms=20) as link:
        ...  # connect to 127.0.0.1:link.port
    link.up, link.down, link.connections  # bytes each way, everything that passed

Each direction carries `mbit` Mbit/s and holds a quarter of a second of that
before it pushes back, as a router does. After `cut` bytes upwards nothing passes any more; when
that has lasted `silence` seconds, or `link.snap()` was called, both ends get a reset: once, later
connections are whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

CHUNK = 8192
HOLDS = 0.25  # seconds of data
SILENCE = 6.0  # seconds before a reset: a busy board is behind with what has come


class Link:
    """A relay to 127.0.0.1:`target`. Counts are known once it has ended."""

    def __init__(
        self,
        target: int,
        *,
        mbit: float = 0,
        round_trip_ms: float = 0,
        cut: int | None = None,
        silence: float = SILENCE,
    ) -> None:
        settings = (target, mbit * 125_000, round_trip_ms / 2000, cut, silence)
        self._settings = json.dumps(settings)
        self.port = self.up = self.down = self.connections = 0

    def __enter__(self) -> Link:
        argv = [sys.executable, __file__, self._settings]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def snap(self) -> None:
        """Break as soon as `cut` bytes have passed."""
        self._process.send_signal(signal.SIGUSR1)

    def __exit__(
        self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        counted = json.loads(self._process.communicate(timeout=30)[0])
        self.up, self.down = counted["up"], counted["down"]
        self.connections = counted["connections"]


class Relay:
    def __init__(
        self, target: int, rate: float, delay: float, cut: int | None, silence: float
    ) -> None:
        self.target, self.rate, self.delay, self.cut = target, rate, delay, cut
        self.silence, self.snapped = silence, asyncio.Event()
        self.counts = {"up": 0, "down": 0, "connections": 0}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            reset(writer)
            return
        ends = (writer, far_writer)
        await asyncio.gather(
            self.carry("up", reader, far_writer, ends), self.carry("down", far_reader, writer, ends)
        )
        for end in ends:
            end.close()

    async def carry(
        self,
        way: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: tuple[asyncio.StreamWriter, ...],
    ) -> None:
        """One direction: in at any speed, out at the link's rate and after its delay."""
        room = int(self.rate * HOLDS / CHUNK) if self.rate else 32
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(max(room, 4))
        sender = asyncio.create_task(self.deliver(under_way, writer))
        clock, free = asyncio.get_running_loop().time, 0.0
        with contextlib.suppress(OSError):
            while chunk := await reader.read(self.readable(way)):
                free = max(free, clock()) + (len(chunk) / self.rate if self.rate else 0)
                self.counts[way] += len(chunk)
                await under_way.put((free + self.delay, chunk))
                if way == "up" and self.counts[way] == self.cut:
                    await under_way.join()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.snapped.wait(), self.silence)
                    self.cut = None
                    for end in ends:
                        reset(end)
                    break
        await under_way.put((0.0, b""))
        await sender

    def readable(self, way: str) -> int:
        if way == "down" or self.cut is None:
            return CHUNK
        return min(CHUNK, self.cut - self.counts["up"])

    async def deliver(
        self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop, broken = asyncio.get_running_loop(), False
        while True:
            due, chunk = await under_way.get()
            if not chunk:
                break
            await asyncio.sleep(max(due - loop.time(), 0))
            if not broken:
                try:
                    writer.write(chunk)
                    await writer.drain()
                except OSError:
                    broken = True
            under_way.task_done()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a broken link does: at once, with RST."""
    if sock := writer.get_extra_info("socket"):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def main(settings: str) -> None:
    relay = Relay(*json.loads(settings))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, relay.snapped.set)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await ended.wait()
    sys.stdout.write(json.dumps(relay.counts))
    sys.stdout.flush()
    os._exit(0)  # connections that are open end with the process, without a word


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
