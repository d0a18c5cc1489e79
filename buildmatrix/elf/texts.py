"""The names of a symbol table as they lie in the file: PyTorch's largest library has 60 MB of them.

They are looked at a piece at a time and never copied as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.tables import Image

PIECE = 1 << 16  # bytes that are searched in one go
FORGET = 1 << 22  # and after so many what was read is given back
ROWS = 1 << 17  # names whose letters are looked at in one go
LONG = 1 << 8  # bytes; hardly a name is longer


class Texts:
    """Names one behind the other, each with a zero byte behind it."""

    def __init__(self, image: Image, data: memoryview) -> None:
        self._image, self._data = image, data
        self._bytes = np.frombuffer(data, np.uint8)

    def at(self, offset: int) -> str:
        """The name that begins there; empty outside the table."""
        length = LONG
        while True:
            raw, zero, _ = bytes(self._data[offset : offset + length]).partition(b"\0")
            if zero or offset + length >= len(self._data):
                return raw.decode(errors="replace")
            length *= 2

    def letters(self, offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The byte at each offset; 0 outside the table."""
        if not len(self._bytes):
            return np.zeros(len(offsets), np.uint8)
        letters = self._bytes.take(np.minimum(offsets, len(self._bytes) - 1))
        letters[offsets >= len(self._bytes)] = 0
        return letters

    def beginning(self, letter: str, offsets: NDArray[np.uint32]) -> NDArray[np.int64]:
        """The places in `offsets` of the names that begin with a letter."""
        parts = [np.zeros(0, np.int64)]
        for start in range(0, len(offsets), ROWS):
            some = offsets[start : start + ROWS].astype(np.int64)
            parts.append(start + np.flatnonzero(self.letters(some) == ord(letter)))
            if len(some) == ROWS:
                self._image.forget()
        return np.concatenate(parts)

    def matches(self, pattern: re.Pattern[bytes]) -> Iterator[int]:
        """Where the pattern matches: within a name and the zero bytes before and behind it."""
        for start, piece in self._pieces():
            for match in pattern.finditer(piece):
                yield start + match.start()

    def has(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether it matches anywhere."""
        return any(pattern.search(piece) for _, piece in self._pieces())

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        """The whole table, cut at zero bytes, each of which ends a piece and begins the next."""
        start, size, behind = 0, PIECE, FORGET
        while start < len(self._data):
            piece = bytes(self._data[start : start + size])
            if start + size >= len(self._data):
                yield start, piece + b"\0"
                return
            end = piece.rfind(b"\0")
            if end <= 0:  # one name longer than a piece
                size *= 2
                continue
            yield start, piece[: end + 1]
            start, size = start + end, PIECE
            if start > behind:
                self._image.forget()
                behind = start + FORGET
