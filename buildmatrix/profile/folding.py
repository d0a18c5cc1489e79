"""Counted blocks as functions, each with how much of which kind of work it did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.isa.classes import Set, Work, works
from buildmatrix.profile.mappings import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.profile.counting import BasicBlock, Counts
    from buildmatrix.profile.functions import Code
    from buildmatrix.profile.mappings import Mapping as Part

Amounts = Counter[Work]
Place = tuple[str, str]  # library, function as its symbol has it
Files = Callable[[str], "Code | None"]  # by path on the board; None: there is none to look at


@dataclass(slots=True)
class Folded:
    """Instructions of one process by function; those of other processes are left out."""

    functions: dict[Place, Amounts] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def total(self) -> int:
        return sum(amounts.total() for amounts in self.functions.values())


def folded(counts: Counts, parts: Iterable[Part], files: Files) -> Folded:
    """Everything that a process executed, by function.

    A block is the process's where its code lies at that address in the file that is mapped there:
    the virtual board counts all processes, and addresses of two may meet. Where no file can be
    looked at ([vdso], code made at run time) the address alone decides.
    """
    layout, result = Layout(parts), Folded()
    tallies: dict[Set, dict[Place, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for block, count in counts.items():
        part = layout.at(block.address)
        if part is None:
            continue
        offset = block.address - part.start + part.offset
        code = files(part.path)
        raw = b"".join(block.instructions)
        if code is not None and code.data[offset : offset + len(raw)] != raw:
            continue
        for place, instructions, word in _words(block, offset, part.path, code):
            tallies[instructions][place][word] += count
    for instructions, places in tallies.items():
        kinds = _kinds(places.values(), instructions)
        for place, tally in places.items():
            for word, count in tally.items():
                result.functions[place][kinds[word]] += count
    return result


def per_pass(shorter: Folded, longer: Folded, passes: int) -> dict[Place, dict[Work, float]]:
    """What one forward pass executes, from two runs of which one made `passes` more.

    All else, loading and the first pass, is in both and goes out. What differs by less than one
    instruction a pass is left out.
    """
    functions = {}
    for place, amounts in longer.functions.items():
        before = shorter.functions.get(place, Counter())
        more = {work: (amounts[work] - before[work]) / passes for work in Work}
        if sum(more.values()) >= 1:
            functions[place] = more
    return functions


def _words(
    block: BasicBlock, offset: int, path: str, code: Code | None
) -> Iterable[tuple[Place, Set, int]]:
    library = PurePosixPath(path).name or "made at run time"
    short = any(len(instruction) == 2 for instruction in block.instructions)
    for instruction in block.instructions:
        function, address = code.at(offset) if code else (None, offset)
        name = function.name if function else f"unknown at {address & ~0xFFF:#x}"
        instructions: Set
        if code.wide if code else block.address >> 32:
            instructions = "a64"
        else:
            instructions = "t32" if short or (function and function.thumb) else "a32"
        yield (library, name), instructions, _word(instruction, instructions)
        offset += len(instruction)


def _word(instruction: bytes, instructions: Set) -> int:
    """As the tables have it: Thumb's first halfword is the upper one."""
    if instructions == "t32" and len(instruction) == 4:
        first, second = instruction[:2], instruction[2:]
        return int.from_bytes(first, "little") << 16 | int.from_bytes(second, "little")
    return int.from_bytes(instruction, "little")


def _kinds(tallies: Iterable[Counter[int]], instructions: Set) -> dict[int, Work]:
    words: Sequence[int] = sorted({word for tally in tallies for word in tally})
    return dict(zip(words, works(words, instructions), strict=True))
