"""How often blocks of code ran, as a virtual board writes it down (see virtual/blocks.c)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from buildmatrix.errors import DeviceError

LAST = "end"


@dataclass(frozen=True, slots=True)
class BasicBlock:
    """Instructions that run one after the other, at the address where they were met."""

    address: int
    instructions: tuple[bytes, ...]  # as they lie in memory
    place: int = 0  # of the first in the emulator's memory: one page of a file; 0: not known


Counts = Counter[BasicBlock]


def parse(text: str) -> Counts:
    """How often each block ran, from `ADDRESS PLACE COUNT BYTES,BYTES` in lines.

    A block that was met twice stands in one sum. Raises DeviceError for a text that was cut.
    """
    lines = text.splitlines()
    if not lines or lines.pop() != LAST:
        raise DeviceError("the counts of the virtual board do not end", hint="profile it again")
    counts: Counts = Counter()
    for line in lines:
        address, place, count, code = line.split(" ")
        words = tuple(map(bytes.fromhex, code.split(",")))
        counts[BasicBlock(int(address, 16), words, int(place, 16))] += int(count)
    return counts
