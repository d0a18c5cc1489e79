"""Addresses of 32-bit ARM code that a file puts together anywhere, so that it may call them.

Those are words of its data and between its instructions, absolute or relative to an instruction,
and halves that movw and movt join. Rather too many than one too few: what stands here may be
called. Source of the forms: Arm Architecture Reference Manual, DDI 0487, F5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf import literals
from buildmatrix.elf.addresses import distinct
from buildmatrix.elf.marks import A32, T32, mapping_of
from buildmatrix.elf.tables import ALLOC, EXECINSTR, FINI_ARRAY, INIT_ARRAY, PREINIT_ARRAY, PROGBITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from buildmatrix.elf.rows import Program
    from buildmatrix.elf.tables import Image, Section

    Addresses = NDArray[np.int64]

FAR = 1024  # bytes from a load to the instruction that adds its own address
NEAR = 64  # bytes from movw to its movt
UNWINDING = (".eh_frame", ".ARM.ex", ".gcc_except")  # tells of functions and calls none


def taken(program: Program, code: Sequence[Section]) -> frozenset[int]:
    """Addresses of possible functions, with Thumb's low bit."""
    parts: list[Addresses] = []
    image = program.image
    for section in image.sections:
        loaded = section.type in (PROGBITS, INIT_ARRAY, FINI_ARRAY, PREINIT_ARRAY)
        if loaded and section.flags & ALLOC and not section.name.startswith(UNWINDING):
            parts.append(_words(image, section))
            if section.flags & EXECINSTR:
                parts += [*_relative(image, section)]
    values = distinct(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
    functions = [_functions(program, section, values) for section in code]
    return frozenset(value for some in functions for value in some.tolist())


def _functions(program: Program, section: Section, values: Addresses) -> Addresses:
    """Of the sorted values those in a section where a function may begin; one of ARM does with an
    instruction that has no condition."""
    content = program.image.content(section)
    words = np.frombuffer(content[: len(content) & ~3], "<u4")
    first, end = values.searchsorted((section.address, section.address + section.size))
    inside = values[first:end]
    offsets = inside - section.address
    whole = (inside % 4 == 0) & (offsets % 4 == 0) & (offsets < 4 * len(words))
    opens = np.zeros(len(inside), np.bool_)
    opens[whole] = words[offsets[whole] >> 2] >> 28 >= 0xE
    chosen: Addresses = inside[((inside & 1 == 1) | opens) & _of_its_set(program, section, inside)]
    return chosen


def _of_its_set(program: Program, section: Section, values: Addresses) -> NDArray[np.bool_]:
    """Whether the code at each address is of the set that its low bit says: a sum with the wrong
    instruction's place is not. All may be where no mapping symbol tells."""
    marks = mapping_of(program, program.image.sections.index(section))
    if marks is None:
        return np.ones(len(values), np.bool_)
    return np.equal(marks.at(values & ~1)[0], np.where(values & 1, T32, A32))


def _words(image: Image, section: Section) -> Addresses:
    """The words of a section, and what they are as offsets into the global offset table."""
    content = image.content(section)
    words = np.frombuffer(content[: len(content) & ~3], "<u4").astype(np.int64)
    tables = [s.address for s in image.sections if s.name == ".got"]
    return np.concatenate([words, *((words + table) & 0xFFFFFFFF for table in tables)])


def _relative(image: Image, section: Section) -> Iterator[Addresses]:
    """Addresses that are added up in the code: a word or two halves, and the code's own place."""
    content = image.content(section)
    halves = np.frombuffer(content[: len(content) & ~1], "<u2")
    words = np.frombuffer(content[: len(content) & ~3], "<u4")
    thumb = 2 * np.flatnonzero(halves & 0xFF78 == 0x4478) + 4  # add rd, pc
    registers = words & 0x0FF00FF0 == 0x00800000  # add rd, rn, rm
    of_pc = (words & 0x000F0000 == 0x000F0000) | (words & 0xF == 0xF)
    arm = 4 * np.flatnonzero(registers & of_pc) + 8
    bases = distinct(np.concatenate([thumb, arm]))
    start = section.address
    loads = np.concatenate([literals.of_thumb(halves, 0), literals.of_arm(words, 0)])
    places = distinct(loads[(loads >= 0) & (loads % 4 == 0) & (loads + 4 <= 4 * len(words))])
    yield from _sums(words[places // 4].astype(np.int64), places, bases, start)
    for places, values in (_of_thumb(halves), _of_arm(words)):
        yield values
        yield from _sums(values, places, bases, start)


def _sums(
    values: Addresses, places: Addresses, bases: Addresses, start: int
) -> Iterator[Addresses]:
    """Each value with each base that is not farther from its place than FAR."""
    first = np.searchsorted(bases, places - 2 * FAR)
    end = np.searchsorted(bases, places + FAR)
    for number in range(int((end - first).max(initial=0))):
        some = first + number < end
        yield (values[some] + start + bases[(first + number)[some]]) & 0xFFFFFFFF


def _of_thumb(halves: NDArray[np.uint16]) -> tuple[Addresses, Addresses]:
    first, second = halves[:-1].astype(np.int64), halves[1:].astype(np.int64)
    constant = (first & 15) << 12 | (first & 0x400) << 1 | (second & 0x7000) >> 4 | second & 0xFF
    low, high = first & 0xFBF0 == 0xF240, first & 0xFBF0 == 0xF2C0
    return _joined(low, high, second >> 8 & 15, constant, 2)


def _of_arm(words: NDArray[np.uint32]) -> tuple[Addresses, Addresses]:
    signed = words.astype(np.int64)
    constant = signed >> 4 & 0xF000 | signed & 0xFFF
    low, high = words & 0x0FF00000 == 0x03000000, words & 0x0FF00000 == 0x03400000
    return _joined(low, high, signed >> 12 & 15, constant, 4)


def _joined(
    low: NDArray[np.bool_],
    high: NDArray[np.bool_],
    registers: Addresses,
    constants: Addresses,
    size: int,
) -> tuple[Addresses, Addresses]:
    """Where movw stands, and its value with that of each movt of its register behind it."""
    at, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    places = np.flatnonzero(low)
    for distance in range(1, NEAR // size + 1):
        first = places[places + distance < len(high)]
        other = first + distance
        fits = high[other] & (registers[first] == registers[other])
        at.append(size * first[fits])
        values.append(constants[other[fits]] << 16 | constants[first[fits]])
    return np.concatenate(at), np.concatenate(values)
