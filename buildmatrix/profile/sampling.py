"""What Linux perf wrote of a process: where it stood each time that so many instructions had run.

Read is the text of `perf script -F pid,ip,period --show-mmap-events`, as perf 6.1 (Debian 12)
prints it: a line for each mapping of a file and one for each sample. See perf-script(1).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.profile.counting import BasicBlock, Counts
from buildmatrix.profile.mappings import Layout, Mapping

if TYPE_CHECKING:
    from buildmatrix.profile.folding import Files
    from buildmatrix.profile.functions import Code

# The device and inode, or since perf 5.12 a build id, stand behind the offset.
MAPPED = re.compile(
    r"PERF_RECORD_MMAP2? .*?\[0x(?P<start>[0-9a-f]+)\(0x(?P<size>[0-9a-f]+)\) @ "
    r"(?:0x)?(?P<offset>[0-9a-f]+)[^\]]*\]: ..x. (?P<path>.+)$"
)
SAMPLE = re.compile(r"^\s*\d+\s+(?P<period>\d+)\s+(?P<address>[0-9a-f]+)\s*$")
UNKNOWN = bytes(4)  # of code that lies in no file


@dataclass(frozen=True, slots=True)
class Samples:
    """Mappings of the process in the order of their making, and instructions by address."""

    parts: tuple[Mapping, ...]
    instructions: Counter[int]
    count: int  # of samples


def parse(text: str) -> Samples:
    """What perf saw; lines of another kind are left out."""
    parts: list[Mapping] = []
    instructions: Counter[int] = Counter()
    count = 0
    for line in text.splitlines():
        if match := SAMPLE.match(line):
            instructions[int(match["address"], 16)] += int(match["period"])
            count += 1
        elif match := MAPPED.search(line):
            start, size = int(match["start"], 16), int(match["size"], 16)
            parts.append(Mapping(start, start + size, int(match["offset"], 16), match["path"]))
    return Samples(tuple(parts), instructions, count)


def counts(samples: Samples, files: Files) -> Counts:
    """Each sample as a block of the one instruction that the file has there."""
    layout, made = Layout(samples.parts), Counts()
    for address, instructions in samples.instructions.items():
        part = layout.at(address)
        if part is None:
            continue
        code = files(part.path)
        word = _word(code, address - part.start + part.offset) if code else UNKNOWN
        made[BasicBlock(address, (word,))] += instructions
    return made


def _word(code: Code, offset: int) -> bytes:
    """The instruction at an offset of a file: of Thumb two bytes, or four by its first halfword."""
    function, _ = code.at(offset)
    first = int.from_bytes(code.data[offset : offset + 2], "little")
    short = function is not None and function.thumb and first < 0xE800  # DDI 0487, F3.1
    return code.data[offset : offset + (2 if short else 4)]
