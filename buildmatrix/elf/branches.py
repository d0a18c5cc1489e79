"""All branches in the code of a file, read at once: where each stands, and where it leads.

Calls are told from jumps; what stands behind a stub counts as called, whichever way it is come to.
Where nothing tells code from data there may be some too many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from buildmatrix.elf import literals
from buildmatrix.elf.addresses import distinct
from buildmatrix.elf.marks import A32, AT_LEAST, AT_MOST, SHORTEST, T32, mapping_of
from buildmatrix.elf.tables import EXECINSTR, PROGBITS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from buildmatrix.elf.memory import Memory
    from buildmatrix.elf.tables import Section

    Addresses = NDArray[np.int64]
    Mask = NDArray[np.bool_]

PIECE = 1 << 22  # bytes of code that are looked at in one go; a multiple of 4
WIDE = 0xE800  # in Thumb a halfword from here up opens an instruction of two
OUTSIDE = 1 << 62  # an address behind all others


class Ways(NamedTuple):
    """Where branches stand, and the addresses that they lead to, a call's with Thumb's low bit."""

    sources: Addresses
    targets: Addresses


@dataclass(frozen=True, slots=True)
class Branches:
    """Those of one file; OUTSIDE is a function of another file that is among those named."""

    jumps: Ways
    calls: Ways


def branches_of(memory: Memory, named: Collection[str]) -> Branches:
    """The branches in all executable sections; those to other files' functions that are not `named`
    are left out."""
    jumps: list[Ways] = []
    calls: list[Ways] = []
    for is_call, way in _ways(memory):
        stubs = _are_stubs(memory, way.targets)
        calls.append(_behind(memory, named, Ways(way.sources[stubs], way.targets[stubs])))
        direct = Ways(way.sources[~stubs], way.targets[~stubs])
        (calls if is_call else jumps).append(direct)
    return Branches(_joined(jumps), _joined(calls))


def branches_to(memory: Memory, named: Collection[str]) -> Mapping[str, Addresses]:
    """Where the branches to each of these functions of other files stand, in order."""
    found: dict[str, list[Addresses]] = {}
    for _, way in _ways(memory):
        stubs = _are_stubs(memory, way.targets)
        sources, targets = way.sources[stubs], way.targets[stubs]
        for place in distinct(targets).tolist():
            _, name = memory.import_at(place) or (0, "")
            if name in named:
                found.setdefault(name, []).append(sources[targets == place])
    return {name: np.sort(np.concatenate(parts)) for name, parts in found.items()}


def _ways(memory: Memory) -> Iterator[tuple[bool, Ways]]:
    """The branches of every executable section, and whether they are calls."""
    for index, section in enumerate(memory.image.sections):
        if section.flags & EXECINSTR and section.type == PROGBITS:
            yield from _ways32(memory, index) if memory.arm else _ways64(memory, section)


def _joined(ways: list[Ways]) -> Ways:
    none = np.zeros(0, np.int64)
    return Ways(
        np.concatenate([none, *(way.sources for way in ways)]),
        np.concatenate([none, *(way.targets for way in ways)]),
    )


def _are_stubs(memory: Memory, targets: Addresses) -> Mask:
    """Which of the targets lie in a procedure linkage table."""
    stubs = np.zeros(len(targets), np.bool_)
    for section in memory.image.sections:
        if section.name.startswith((".plt", ".iplt")):
            end = section.address + section.size
            stubs |= (targets >= section.address) & (targets < end)
    return stubs


def _behind(memory: Memory, named: Collection[str], way: Ways) -> Ways:
    """The same branches with what their stubs lead to."""
    places = distinct(way.targets)
    behind = np.full(len(places), -1, np.int64)
    for number, place in enumerate(places.tolist()):
        address, name = memory.import_at(place) or (-1, "")
        behind[number] = OUTSIDE if not address and name in named else address or -1
    targets = behind[places.searchsorted(way.targets)]
    return Ways(way.sources[targets >= 0], targets[targets >= 0])


def _ways64(memory: Memory, section: Section) -> Iterator[tuple[bool, Ways]]:
    content = memory.image.content(section)
    for start in range(0, section.size & ~3, PIECE):
        size = min(PIECE, section.size - start) & ~3
        words = np.frombuffer(content[start : start + size], "<u4")
        yield from _a64(words, section.address + start)
        if size == PIECE:
            memory.image.forget()


def _a64(words: NDArray[np.uint32], start: int) -> Iterator[tuple[bool, Ways]]:
    near = (words & 0xFF000000 == 0x54000000) | (words & 0x7E000000 == 0x34000000)
    for is_call, chosen, low, bits in (
        (False, words & 0xFC000000 == 0x14000000, 0, 26),
        (True, words & 0xFC000000 == 0x94000000, 0, 26),
        (False, near, 5, 19),
        (False, words & 0x7E000000 == 0x36000000, 5, 14),
    ):
        places = np.flatnonzero(chosen)
        far = signed(words[places].astype(np.int64) >> low, bits)
        yield is_call, Ways(start + 4 * places, start + 4 * (places + far))


def _ways32(memory: Memory, index: int) -> Iterator[tuple[bool, Ways]]:
    section = memory.image.sections[index]
    content = memory.image.content(section)
    words = np.frombuffer(content[: len(content) & ~3], "<u4")
    halves = np.frombuffer(content[: len(content) & ~1], "<u2")
    sets = mapping_of(memory.program, index) or _Sets.of(memory, section, words, halves)
    for which, ways in ((A32, _a32(words)), (T32, _t32(halves))):
        for is_call, places, targets in ways:
            if isinstance(sets, _Sets):
                ours = sets.may_be(which, places)
            else:
                ours = sets.at(section.address + places)[0] == which
            yield is_call, Ways(section.address + places[ours], section.address + targets[ours])


@dataclass(frozen=True, slots=True)
class _Sets:
    """What the code of a stripped section may be: ARM and Thumb differ in how words begin."""

    functions: Addresses  # offsets where they begin, sorted, the section's own first
    shares: NDArray[np.float64]  # of the words without a condition, -1 where there are few
    begins: Addresses  # halfwords that begin an instruction, if Thumb: with pairs behind each

    @classmethod
    def of(
        cls, memory: Memory, section: Section, words: NDArray[np.uint32], halves: NDArray[np.uint16]
    ) -> _Sets:
        inside = memory.starts - section.address
        functions = distinct(np.append(inside[(inside > 0) & (inside < 4 * len(words))], 0))
        always = np.concatenate([[0], np.cumsum(words >> 28 == 0xE)])
        bounds = np.append(functions >> 2, len(words))
        count = np.diff(bounds)
        shares = np.diff(always[bounds]) / np.maximum(count, 1)
        pools = literals.of_thumb(halves, 0) + 4
        runs = np.flatnonzero(halves < WIDE) + 1
        begins = distinct(np.concatenate([runs, functions >> 1, pools[pools >= 0] >> 1]))
        return cls(functions, np.where(count < SHORTEST, -1, shares), begins)

    def may_be(self, which: int, places: Addresses) -> Mask:
        """Which of the offsets may have an instruction of the set."""
        share = self.shares[self.functions.searchsorted(places, "right") - 1]
        if which == A32:
            arm: Mask = (share < 0) | (share >= AT_MOST)
            return arm
        run = self.begins[self.begins.searchsorted(places >> 1, "right") - 1]
        thumb: Mask = (share <= AT_LEAST) & (((places >> 1) - run) % 2 == 0)
        return thumb


def _a32(words: NDArray[np.uint32]) -> Iterator[tuple[bool, Addresses, Addresses]]:
    """Whether they are calls, their offsets in the section and those of their targets."""
    places = np.flatnonzero(words & 0x0E000000 == 0x0A000000)  # b, bl, blx
    some = words[places].astype(np.int64)
    to_thumb = some >> 28 == 0xF
    targets = 4 * places + 8 + 4 * signed(some, 24)
    targets = np.where(to_thumb, targets + (some >> 23 & 2) | 1, targets)
    are_calls = to_thumb | (some & 0x01000000 != 0)
    yield True, 4 * places[are_calls], targets[are_calls]
    yield False, 4 * places[~are_calls], targets[~are_calls]


def _t32(halves: NDArray[np.uint16]) -> Iterator[tuple[bool, Addresses, Addresses]]:
    """The same of Thumb."""
    places = np.flatnonzero(halves[:-1] & 0xF800 == 0xF000)
    first, second = halves[places].astype(np.int64), halves[places + 1].astype(np.int64)
    sign, on = first >> 10 & 1, 2 * places + 4
    high = ~((second >> 13 & 1) ^ sign) & 1, ~((second >> 11 & 1) ^ sign) & 1
    far = sign << 24 | high[0] << 23 | high[1] << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    far = on + signed(far, 25)
    form = second & 0xD000
    yield True, 2 * places[form == 0xD000], far[form == 0xD000] | 1  # bl
    exchanges = second & 0xD001 == 0xC000  # blx
    yield True, 2 * places[exchanges], far[exchanges] & ~3
    yield False, 2 * places[form == 0x9000], far[form == 0x9000]  # b.w
    near = sign << 20 | (second >> 11 & 1) << 19 | (second >> 13 & 1) << 18
    near |= (first & 0x3F) << 12 | (second & 0x7FF) << 1
    yield False, 2 * places[form == 0x8000], (on + signed(near, 21))[form == 0x8000]  # b<c>.w
    for mask, value, bits in ((0xF800, 0xE000, 11), (0xF000, 0xD000, 8)):  # b, b<c>
        places = np.flatnonzero(halves & mask == value)
        yield False, 2 * places, 2 * places + 4 + 2 * signed(halves[places].astype(np.int64), bits)


def signed(values: Addresses, bits: int) -> Addresses:
    """The lower `bits` of each value as a signed number."""
    return values << 64 - bits >> 64 - bits
