"""Words among the code of a stripped 64-bit file that are constants and read as instructions.

Seen in MXNet's wheel: the tables of its hashes lie behind a return and read as SVE and SME. A few
instructions that nothing in the file leads to are such words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from buildmatrix.elf import literals
from buildmatrix.elf.tables import EXECINSTR, PROGBITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory

    Addresses = NDArray[np.int64]

ENOUGH = 64  # instructions of a feature that are no accident
PIECE = 1 << 18  # bytes of code that are looked at in one go; a multiple of 4
FAR = (1 << 10, 1 << 14, 1 << 22)  # bytes in which most functions return, nearly all, and all


class Doubt(NamedTuple):
    """An instruction, and the words before it from the last return, jump or trap on."""

    address: int
    start: int
    words: NDArray[np.uint32]


def constants(memory: Memory, hits: dict[str, Addresses]) -> frozenset[str]:
    """Features of whose few instructions (sorted addresses) a run comes to none."""
    doubts = {
        feature: [_doubt(memory, address) for address in found.tolist()]
        for feature, found in hits.items()
        if len(found) <= ENOUGH
    }
    if not doubts:
        return frozenset()
    for reached in _reached(memory, next(iter(doubts.values()))[0].address):
        doubts = {f: rows for f, rows in doubts.items() if _are_cut_off(rows, reached)}
        if not doubts:
            break
    return frozenset(doubts)


def _are_cut_off(doubts: list[Doubt], reached: Addresses) -> bool:
    return all(
        literals.cut_off(one.words, one.start, np.array([one.address]), reached).all()
        for one in doubts
    )


def _doubt(memory: Memory, address: int) -> Doubt:
    section, words = memory.section(address), np.zeros(0, np.uint32)
    if section is None:
        return Doubt(address, address, words)
    content = memory.image.content(section)[: address - section.address]
    for far in FAR:
        words = np.frombuffer(content[max(0, len(content) - far) :], "<u4")
        if len(ends := literals.ends(words)):
            words = words[int(ends[-1]) :]
            break
    return Doubt(address, address - 4 * len(words), words)


def _reached(memory: Memory, near: int) -> Iterator[Addresses]:
    """What a run may come to, sorted, a part at a time: what the tables name, then what the code
    jumps to, that around `near` first."""
    yield np.sort(np.concatenate([memory.starts, memory.relocations[:, 3]]))
    pieces = [
        (section, start)
        for section in memory.image.sections
        if section.type == PROGBITS and section.flags & EXECINSTR
        for start in range(0, section.size & ~3, PIECE)
    ]
    for section, start in sorted(pieces, key=lambda one: abs(one[0].address + one[1] - near)):
        size = min(PIECE, section.size - start) & ~3
        content = memory.image.content(section)[start : start + size]
        yield literals.jumped_to(np.frombuffer(content, "<u4"), section.address + start)
        if size == PIECE:
            memory.image.forget()
