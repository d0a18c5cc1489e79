"""Words between the instructions of a stripped file that are data: what the code loads from there.

Without mapping symbols nothing else tells a pool of literals from code; read as instructions its
addresses and offsets would be some that no board has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.elf.addresses import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray


def of_thumb(halves: NDArray[np.uint16], start: int) -> NDArray[np.int64]:
    """Addresses of the words that Thumb code at `start` loads relative to itself, sorted."""
    places = np.flatnonzero(halves & 0xF800 == 0x4800)  # ldr rt, [pc, #n]
    base = (start + 2 * places + 4) & ~3
    near = base + 4 * (halves[places].astype(np.int64) & 0xFF)
    first, second = halves[:-1], halves[1:].astype(np.int64)
    places = np.flatnonzero(first & 0xFF7F == 0xF85F)  # ldr.w rt, [pc, #n]
    far = _offset((start + 2 * places + 4) & ~3, first[places] >> 7 & 1, second[places] & 0xFFF)
    places = np.flatnonzero((first & 0xFF3F == 0xED1F) & (second & 0xE00 == 0xA00))  # vldr
    wide = second[places] >> 8 & 1
    floats = _offset(
        (start + 2 * places + 4) & ~3, first[places] >> 7 & 1, 4 * (second[places] & 0xFF)
    )
    return distinct(np.concatenate([near, far, floats, (floats + 4)[wide == 1]]))


def of_arm(words: NDArray[np.uint32], start: int) -> NDArray[np.int64]:
    """The same of ARM code."""
    places = np.flatnonzero(words & 0x0F7F0000 == 0x051F0000)  # ldr rt, [pc, #n]
    some = words[places].astype(np.int64)
    loads = _offset(start + 4 * places + 8, some >> 23 & 1, some & 0xFFF)
    places = np.flatnonzero(words & 0x0F3F0E00 == 0x0D1F0A00)  # vldr
    some = words[places].astype(np.int64)
    floats = _offset(start + 4 * places + 8, some >> 23 & 1, 4 * (some & 0xFF))
    return distinct(np.concatenate([loads, floats, (floats + 4)[some >> 8 & 1 == 1]]))


def _offset(
    base: NDArray[np.int64], up: NDArray[np.int64], offset: NDArray[np.int64]
) -> NDArray[np.int64]:
    return base + np.where(up != 0, offset, -offset)


def among(addresses: NDArray[np.int64], literals: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which instructions of four bytes share a byte with a word of data."""
    if not len(literals):
        return np.zeros(len(addresses), np.bool_)
    following = np.searchsorted(literals, addresses - 3)
    near = literals[np.minimum(following, len(literals) - 1)]
    shared: NDArray[np.bool_] = np.abs(near - addresses) <= 3
    return shared


def jumped_to(words: NDArray[np.uint32], start: int) -> NDArray[np.int64]:
    """Addresses that A64 code at `start` branches to or calls, sorted."""
    wide = words & 0x7C000000 == 0x14000000  # b, bl
    tests = words & 0x7E000000 == 0x36000000  # tbz, tbnz
    near = (words & 0xFF000000 == 0x54000000) | (words & 0x7E000000 == 0x34000000)
    targets = []
    for chosen, field, left in ((wide, 0x3FFFFFF, 6), (tests, 0x7FFE0, 13), (near, 0xFFFFE0, 8)):
        places = np.flatnonzero(chosen)
        offsets = (words.take(places) & field).view(np.int32) << left  # its sign at the top
        targets.append(start + 4 * places + (offsets >> (left - 2 if left == 6 else left + 3)))
    return np.sort(np.concatenate(targets))


def ends(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Places of the A64 words behind which nothing goes on: returns, jumps and traps."""
    over = (words & 0xFFFFFC1F == 0xD65F0000) | (words & 0xFFFFFC1F == 0xD61F0000)
    over |= (words & 0xFC000000 == 0x14000000) | (words >> 16 == 0)
    return np.flatnonzero(over)


def cut_off(
    words: NDArray[np.uint32], start: int, addresses: NDArray[np.int64], known: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of the A64 words at `addresses` nothing leads to: tables behind a return or a jump.

    `known` has what is jumped to and where functions begin, sorted. A word counts as cut off where
    none of that lies between the last return, jump or trap before it and the word itself.
    """
    behind = start + 4 * (ends(words) + 1)
    place = np.searchsorted(behind, addresses, side="right") - 1
    begins = np.where(place >= 0, behind[np.maximum(place, 0)], start) if len(behind) else start
    first = np.searchsorted(known, begins)
    unreached: NDArray[np.bool_] = first == np.searchsorted(known, addresses, side="right")
    return unreached & (place >= 0)
