"""A tar's bytes without their compression, read no further than its members explain.

What stands before a member (long names, PAX records, maps of holes) has no bound in tarfile, and a
megabyte of gzip may be a thousand of them.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from typing import IO, TYPE_CHECKING, cast

from zstandard import ZstdDecompressor

if TYPE_CHECKING:
    import contextlib

GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
COMPRESSED = (GZIP, BZIP2, XZ, ZSTD)
LZMA = b"\x5d\0\0"  # XZ's older form
BESIDE = 4 << 20  # bytes that are not a member's own; names and attributes take a thousandth


class Metered:
    """A stream that ends with ValueError where more is read than the size last allowed, and
    BESIDE."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, BESIDE

    def allow(self, size: int) -> None:
        """So many bytes are a member's own."""
        self._left = size + BESIDE

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        self._left -= size
        if self._left < 0:
            raise ValueError(f"more than {BESIDE >> 20} MiB of it belong to no file")
        return self._stream.read(size)


def plain(file: IO[bytes], stack: contextlib.ExitStack) -> IO[bytes]:
    """The stream without its compression, to its very end; read forwards only.

    What pigz, pbzip2, pzstd and Alpine's abuild write are several compressed streams, one behind
    the other; tarfile's own reader of streams stops behind the first.
    """
    start = file.read(len(XZ))
    file.seek(0)
    if start.startswith(ZSTD):
        reader = ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return cast("IO[bytes]", stack.enter_context(reader))
    if start.startswith(GZIP):
        return cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=file)))
    if start.startswith(BZIP2):
        return cast("IO[bytes]", stack.enter_context(bz2.BZ2File(file)))
    packed = start == XZ or start.startswith(LZMA)
    return stack.enter_context(lzma.LZMAFile(file)) if packed else file
