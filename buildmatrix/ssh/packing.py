"""SSH's own compression, from the login on: what is sent goes packed, and nobody there unpacks.

Unpacked by a board's SSH server, a deploy needs neither gzip there nor the pipe from it to tar: of
the CPU seconds that a first deploy takes an emulated board that is a fifth. Servers of OpenSSH and
dropbear have it unless somebody switched it off.
"""

from __future__ import annotations

import zlib
from typing import Any

import paramiko

from buildmatrix.ssh.alive import Hearing

DELAYED = "zlib@openssh.com"  # it begins once somebody is logged in
LEVEL = 6  # a core of a host packs quicker than a link carries
MOST = 1 << 18  # bytes of an unpacked message; SSH servers take and send no longer ones


class Packing(paramiko.Transport):
    """A transport that packs where the server agrees; `sent` bytes went packed so far."""

    _preferred_compression = (DELAYED, "none")

    def __init__(self, sock: Any) -> None:
        super().__init__(sock, packetizer_class=Hearing)
        self.sent = 0
        ways = {"none": (None, None), DELAYED: (lambda: _Packer(self), _Unpacker)}
        self._compression_info = ways  # paramiko's table, of what it calls after the login

    @property
    def packed(self) -> int | None:
        """The bytes that went packed so far; None where the server does not agree."""
        return self.sent if getattr(self, "local_compression", None) == DELAYED else None


class _Packer:
    """A message is flushed as RFC 4253, 6.2 wants it; what it says is remembered for the next.

    paramiko's own forgets it, and packs each 32 KiB of a stream by themselves.
    """

    def __init__(self, transport: Packing) -> None:
        self._transport, self._stream = transport, zlib.compressobj(LEVEL)

    def __call__(self, data: bytes) -> bytes:
        packed = self._stream.compress(data) + self._stream.flush(zlib.Z_PARTIAL_FLUSH)
        self._transport.sent += len(packed)
        return packed


class _Unpacker:
    """A message of a few bytes cannot become one that fills this machine's memory."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()

    def __call__(self, data: bytes) -> bytes:
        message = self._stream.decompress(data, MOST)
        if self._stream.unconsumed_tail:
            raise paramiko.SSHException(f"a message of more than {MOST} bytes")
        return message
