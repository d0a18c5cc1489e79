"""The instructions of a file that need something of the processor, or multiply vectors.

Each executable section is read in pieces of some megabytes, as arrays, in time and memory linear in
the section.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf import literals
from buildmatrix.elf.marks import A32, A64, DATA, T32, functions_of, marks_of
from buildmatrix.elf.tables import EXECINSTR, PROGBITS, Damaged
from buildmatrix.isa import a32, a64
from buildmatrix.isa.a64 import ASKS
from buildmatrix.nouns import FeatureUse, Multiplies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from buildmatrix.elf.marks import Functions, Marks
    from buildmatrix.elf.rows import Program
    from buildmatrix.elf.tables import Section
    from buildmatrix.isa.patterns import Table

PIECE = 1 << 22  # bytes of code that are looked at in one go; a multiple of 4
FEW = 5  # functions that are named
WIDE = 0xE800  # in Thumb a halfword from here up opens an instruction of two
TABLES = {A32: a32.A32, T32: a32.T32, A64: a64.TABLE}


@dataclass(frozen=True, slots=True)
class Hits:
    """The instructions of one section that some pattern matches."""

    section: int
    set: int  # A32, T32, A64
    addresses: NDArray[np.int64]
    patterns: NDArray[np.int16]  # indices into the set's table


@dataclass(slots=True)
class Code:
    """All that was found in one file."""

    hits: list[Hits] = field(default_factory=list)
    known: bool = True  # what is code and what is not could be told in every section
    size: int = 0  # bytes of all of them
    mapped: bool = True  # and by mapping symbols, which leave no doubt


def read_code(program: Program, pointers: NDArray[np.int64]) -> Code:
    """The instructions of every executable section that need or multiply something.

    Raises Damaged where sections overlap: the same bytes would be read again, and counted twice.
    """
    code = Code()
    rows = [
        (index, section)
        for index, section in enumerate(program.image.sections)
        if section.type == PROGBITS and section.flags & EXECINSTR and section.size
    ]
    if sum(section.size for _, section in rows) > len(program.image.data):
        raise Damaged("executable sections overlap")
    code.size = sum(section.size for _, section in rows)
    for index, _ in rows:
        marks = marks_of(program, index, pointers)
        if marks is None:
            code.known = False
            continue
        code.mapped &= marks.mapped
        for instruction_set in np.flatnonzero(np.bincount(marks.sets)).tolist():
            if instruction_set != DATA:
                code.hits += _hits(program, index, marks, instruction_set)
    return code


def _hits(program: Program, index: int, marks: Marks, instruction_set: int) -> Iterator[Hits]:
    section, table = program.image.sections[index], TABLES[instruction_set]
    search = _thumb if instruction_set == T32 else _words
    for addresses, patterns in search(program, section, table, marks):
        sets, _ = marks.at(addresses)
        ours = sets == instruction_set
        if ours.any():
            yield Hits(index, instruction_set, addresses[ours], patterns[ours])


def _words(
    program: Program, section: Section, table: Table, marks: Marks
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int16]]]:
    """Matches among instructions of four bytes each."""
    content = program.image.content(section)
    for start in range(0, section.size & ~3, PIECE):
        size = min(PIECE, section.size - start) & ~3
        words = np.frombuffer(content[start : start + size], "<u4")
        places, patterns = table.match(words)
        addresses = section.address + start + 4 * places
        if table is a32.A32 and not marks.mapped:
            data = literals.of_arm(words, section.address + start)
            doubtful = literals.among(addresses, data) & _rare(table)[patterns]
            addresses, patterns = addresses[~doubtful], patterns[~doubtful]
        yield addresses, patterns
        if size == PIECE:
            program.image.forget()


def _thumb(
    program: Program, section: Section, table: Table, marks: Marks
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int16]]]:
    """Matches among instructions of one or two halfwords.

    The halfword before a run of those that open or fill a long instruction always ends one, so
    pairs count from the run's start, or from where the mark says that code begins.
    """
    content = program.image.content(section)
    start = 0
    while start + 4 <= section.size:
        size = min(PIECE, section.size - start) & ~1
        halves = np.frombuffer(content[start : start + size], "<u2")
        ends = np.flatnonzero(halves < WIDE)
        places, patterns = table.match_pairs(halves)
        addresses = section.address + start + 2 * places
        before = np.searchsorted(ends, places)
        run = np.concatenate([[0], ends + 1])[before]
        _, begins = marks.at(addresses)
        begins = np.where(begins > addresses, section.address, begins)  # before the first mark
        run = np.maximum(run, (begins - section.address - start) // 2)
        # The next piece begins where an instruction does; the last one takes all there is.
        last = start + size + 2 > section.size
        cut = 2 * (int(ends[-1]) + 1) if len(ends) and not last else size & ~3
        opens = ((places - run) % 2 == 0) & (last | (2 * places < cut))
        if not marks.mapped:
            data = literals.of_thumb(halves, section.address + start)
            # A table of short negative offsets, or of short positive ones.
            second = halves.take(places + 1)
            offsets = (second == 0) | (second == 0xFFFF)
            opens &= ~((literals.among(addresses, data) | offsets) & _rare(table)[patterns])
            opens &= ~_systems(table)[patterns]
        yield addresses[opens], patterns[opens]
        if last:
            return
        program.image.forget()
        start += cut


def _rare(table: Table) -> NDArray[np.bool_]:
    """The patterns that where nothing tells data from code are rather data: beyond NEON."""
    return np.array([p.feature not in ("", "neon", "vfpv3", "vfpv4") for p in table.patterns])


def _systems(table: Table) -> NDArray[np.bool_]:
    """The patterns of the system's coprocessor: ARM's NEON code, read as Thumb, is full of them."""
    return np.array([pattern.feature in ("pmu", "privileged") for pattern in table.patterns])


def multiplies(code: Code) -> Multiplies:
    """The multiplies by element."""
    counts: Counter[str] = Counter()
    for hits in code.hits:
        table = TABLES[hits.set]
        numbers = np.bincount(hits.patterns, minlength=len(table.patterns)).tolist()
        for pattern, number in zip(table.patterns, numbers, strict=True):
            if pattern.multiplies:
                counts[pattern.multiplies] += number
    return Multiplies(**counts)


def features(program: Program, code: Code) -> tuple[FeatureUse, ...]:
    """What is needed beyond the base set, and which functions need it; most first."""
    counts: Counter[str] = Counter()
    holders: dict[str, Counter[str]] = {}
    known: dict[int, Functions] = {}
    for hits in code.hits:
        if hits.section not in known:
            known[hits.section] = functions_of(program, hits.section)
        functions = known[hits.section]
        inside = functions.of(hits.addresses)
        for feature, chosen in _by_feature(hits):
            counts[feature] += len(chosen)
            found = holders.setdefault(feature, Counter())
            numbers = np.bincount(inside[chosen] + 1)
            for index in np.flatnonzero(numbers).tolist():
                label = functions.name(index - 1) if index else ""
                found[label] += int(numbers[index])
    return tuple(
        FeatureUse(feature, count, *_named(holders[feature]))
        for feature, count in counts.most_common()
    )


def places(code: Code) -> dict[str, NDArray[np.int64]]:
    """Feature -> the addresses of its instructions, in order; of a linked file."""
    found: dict[str, list[NDArray[np.int64]]] = {}
    for hits in code.hits:
        for feature, chosen in _by_feature(hits):
            if feature != ASKS.feature:
                found.setdefault(feature, []).append(hits.addresses[chosen])
    return {feature: np.sort(np.concatenate(parts)) for feature, parts in found.items()}


def needed_as(word: int, feature: str, *, thumb: bool) -> bool:
    """Whether a 32-bit word needs the feature when it is read as Thumb, or as ARM code; yes of what
    is no feature that instructions need."""
    table = TABLES[T32 if thumb else A32]
    if feature not in table.features:
        return feature not in TABLES[A32 if thumb else T32].features
    fitting = (p.feature for p in table.patterns if word & p.mask == p.value)
    return next(fitting, "") == feature


def _by_feature(hits: Hits) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Each feature with the indices of the hits that need it, by its name."""
    table = TABLES[hits.set]
    numbers = table.feature_of.take(hits.patterns)
    for number in np.flatnonzero(np.bincount(numbers)).tolist():
        if number:  # not the base set
            yield table.features[number], np.flatnonzero(numbers == number)


def _named(holders: Counter[str]) -> tuple[tuple[str, ...], int]:
    """The names of the functions that hold most, and how many there are in all."""
    names = [name for name, _ in holders.most_common(FEW + 1) if name]
    return tuple(names[:FEW]), len(holders) - ("" in holders)
