"""Where an instruction leads: on, elsewhere, either, or nobody knows.

Source: Arm Architecture Reference Manual, DDI 0487: C4.1.66 (A64 branches), F4.1 (A32), F3.1 (T32).
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import NamedTuple


class Kind(Enum):
    """What comes after an instruction."""

    NEXT = "next"  # the following one
    JUMP = "jump"  # the target alone
    CALL = "call"  # the target, and then the following one
    BRANCH = "branch"  # the target or the following one
    LEAVE = "leave"  # a return, or a jump through a register
    MAY_LEAVE = "may leave"  # that, under a condition
    TRAP = "trap"  # nothing: udf, brk, bkpt, hlt


class Step(NamedTuple):
    """An instruction's way on; addresses carry Thumb's low bit where the target is Thumb."""

    kind: Kind
    size: int  # bytes
    target: int = 0
    skips: int = 0  # Thumb's it: so many instructions behind it have a condition


def signed(value: int, bits: int) -> int:
    """The lower `bits` of an instruction's field, which are `value`, as a signed number."""
    return value - (1 << bits) if value >> (bits - 1) else value


def adr(word: int) -> int:
    """What A64's adr adds to its address, in bytes, and adrp to its page, in pages (C6.2.11)."""
    return signed(word >> 5 & 0x7FFFF, 19) << 2 | word >> 29 & 3


def a64(word: int, address: int) -> Step:
    """The way on from a 64-bit instruction."""
    if word & 0x7C000000 == 0x14000000:
        kind = Kind.CALL if word >> 31 else Kind.JUMP
        return Step(kind, 4, address + 4 * signed(word & 0x3FFFFFF, 26))
    if word & 0xFF000000 == 0x54000000 or word & 0x7E000000 == 0x34000000:
        return Step(Kind.BRANCH, 4, address + 4 * signed(word >> 5 & 0x7FFFF, 19))
    if word & 0x7E000000 == 0x36000000:
        return Step(Kind.BRANCH, 4, address + 4 * signed(word >> 5 & 0x3FFF, 14))
    if word & 0xFE000000 == 0xD6000000:
        calls = word >> 21 & 7 == 1  # blr, blraa
        return Step(Kind.NEXT if calls else Kind.LEAVE, 4)
    if word >> 16 == 0 or word & 0xFFE0001F in (0xD4200000, 0xD4400000):
        return Step(Kind.TRAP, 4)
    return Step(Kind.NEXT, 4)


def a32(word: int, address: int) -> Step:
    """The way on from an ARM instruction."""
    always = word >> 28 == 0xE
    target = address + 8 + 4 * signed(word & 0xFFFFFF, 24)
    if word >> 25 == 0x7D:  # blx, to Thumb
        return Step(Kind.CALL, 4, target + (word >> 23 & 2) | 1)
    if word >> 28 == 0xF:
        return Step(Kind.NEXT, 4)
    if word & 0x0E000000 == 0x0A000000:
        if word & 0x01000000:
            return Step(Kind.CALL, 4, target) if always else Step(Kind.NEXT, 4)
        return Step(Kind.JUMP if always else Kind.BRANCH, 4, target)
    if word & 0xFFF000F0 in (0xE7F000F0, 0xE1200070):
        return Step(Kind.TRAP, 4)
    if _writes_pc(word):
        return Step(Kind.LEAVE if always else Kind.MAY_LEAVE, 4)
    return Step(Kind.NEXT, 4)


def _writes_pc(word: int) -> bool:
    """bx, pop with pc, ldr to pc, and arithmetic into it; comparisons have no result."""
    if word & 0x0FFFFFF0 == 0x012FFF10:
        return True
    if word & 0x0E108000 == 0x08108000 or word & 0x0C50F000 == 0x0410F000:
        return True
    arithmetic = word & 0x0C00F000 == 0x0000F000 and word & 0x01800000 != 0x01000000
    return arithmetic and word & 0x02000090 != 0x90


def t32(first: int, second: int, address: int) -> Step:
    """The way on from a Thumb instruction of one halfword or two; `address` without the low bit."""
    if first >= 0xE800:
        return _t32_long(first << 16 | second, address)
    on = address + 4 | 1
    if first & 0xF000 == 0xD000 and first & 0x0F00 < 0x0E00:
        return Step(Kind.BRANCH, 2, on + 2 * signed(first & 0xFF, 8))
    if first & 0xF800 == 0xE000:
        return Step(Kind.JUMP, 2, on + 2 * signed(first & 0x7FF, 11))
    if first & 0xF500 == 0xB100:
        return Step(Kind.BRANCH, 2, on + (first >> 3 & 0x40) + (first >> 2 & 0x3E))
    return _t16(first)


@cache
def _t16(half: int) -> Step:
    """The same of one halfword that names no target: wherever it is, it is the same."""
    if half & 0xFF00 in (0xDE00, 0xBE00):
        return Step(Kind.TRAP, 2)
    if half & 0xFF00 == 0xBF00 and half & 15:
        low = half & -half & 15
        return Step(Kind.NEXT, 2, skips=4 - low.bit_length() + 1)
    leaves = half & 0xFF87 in (0x4700, 0x4687, 0x4487) or half & 0xFF00 == 0xBD00
    return Step(Kind.LEAVE if leaves else Kind.NEXT, 2)


def _t32_long(word: int, address: int) -> Step:
    on = address + 4
    sign = word >> 26 & 1
    if word & 0xF8008000 == 0xF0008000:
        same1, same2 = (word >> 13 & 1) ^ sign ^ 1, (word >> 11 & 1) ^ sign ^ 1
        high = sign << 24 | same1 << 23 | same2 << 22 | (word >> 16 & 0x3FF) << 12
        far = signed(high | (word & 0x7FF) << 1, 25)
        form = word >> 12 & 5
        if form == 1:
            return Step(Kind.JUMP, 4, on + far | 1)
        if form == 5:
            return Step(Kind.CALL, 4, on + far | 1)
        if form == 4:
            return Step(Kind.CALL, 4, (on & ~3) + (far & ~3))
        if word >> 22 & 15 < 14:
            parts = sign << 20 | (word >> 11 & 1) << 19 | (word >> 13 & 1) << 18
            near = parts | (word >> 16 & 0x3F) << 12 | (word & 0x7FF) << 1
            return Step(Kind.BRANCH, 4, on + signed(near, 21) | 1)
        return Step(Kind.TRAP if word & 0xFFF0F000 == 0xF7F0A000 else Kind.NEXT, 4)
    pops = word & 0xFE508000 == 0xE8108000
    loads = word & 0xFF70F000 == 0xF850F000
    table = word & 0xFFF0FFE0 == 0xE8D0F000
    return Step(Kind.LEAVE if pops or loads or table else Kind.NEXT, 4)
