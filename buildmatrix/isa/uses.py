"""Registers of which an instruction takes the value for an address, or holds it against another.

Source: Arm Architecture Reference Manual, DDI 0487: C4.1 (A64), F3.1 (T32), F4.1 (A32).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# Thumb's comparisons of two words: tst, teq, cmn, cmp with a constant, and with a register.
WITH_CONSTANT = (0xF0100F00, 0xF0900F00, 0xF1100F00, 0xF1B00F00)
WITH_REGISTER = (0xEA100F00, 0xEA900F00, 0xEB100F00, 0xEBB00F00)


class Use(NamedTuple):
    """The registers of one instruction by what it does with them."""

    calls: int = -1  # it runs on at that address
    reads: int = -1  # it reads or writes there
    compares: Sequence[int] = ()


def a64(word: int) -> Use:
    """Of a 64-bit instruction."""
    first, second = word >> 5 & 31, word >> 16 & 31
    if word & 0xFF9FFC1F == 0xD61F0000:  # br, blr, ret
        return Use(calls=first)
    if word & 0x7C000000 == 0x34000000:  # cbz, cbnz, tbz, tbnz
        return Use(compares=(word & 31,))
    if word & 0x3B000000 == 0x18000000:  # a literal
        return Use()
    if word & 0x0A000000 == 0x08000000:
        return Use(reads=first)
    if word & 0x5F000000 in (0x51000000, 0x52000000) and word >> 29 & 1:
        return Use(compares=(first,))
    if word & 0x1F000000 in (0x0A000000, 0x0B000000) and word >> 29 & 1:
        return Use(compares=(first, second))
    if word & 0x3FE00000 == 0x3A400000:  # ccmp, ccmn
        return Use(compares=(first,) if word >> 11 & 1 else (first, second))
    return Use()


def a32(word: int) -> Use:
    """Of an ARM instruction."""
    first, second = word >> 16 & 15, word & 15
    if word & 0x0FFFFFD0 == 0x012FFF10:  # bx, blx
        return Use(calls=second)
    if word & 0x0C100000 == 0x00100000 and word & 0x02000090 != 0x90:  # leaves flags
        return Use(compares=(first,) if word >> 25 & 1 else (first, second))
    short = word & 0x0E000090 == 0x90 and word & 0x60
    single = word & 0x0C000000 == 0x04000000 and word & 0x02000010 != 0x02000010
    if short or single or word & 0x0E000000 in (0x08000000, 0x0C000000):
        return Use(reads=first)
    return Use()


def t32(first: int, second: int) -> Use:
    """Of a Thumb instruction of one halfword or two."""
    if first >= 0xE800:
        return _t32_long(first << 16 | second)
    if first & 0xFF00 == 0x4700:  # bx, blx
        return Use(calls=first >> 3 & 15)
    if first & 0xF000 in (0x5000, 0x6000, 0x7000, 0x8000):
        return Use(reads=first >> 3 & 7)
    if first & 0xF000 == 0xC000:
        return Use(reads=first >> 8 & 7)
    return Use(compares=_compared(first))


def _compared(half: int) -> Sequence[int]:
    low, middle = half & 7, half >> 3 & 7
    if half & 0xF500 == 0xB100:  # cbz, cbnz
        return (low,)
    if half & 0xF800 == 0x2800:
        return (half >> 8 & 7,)
    if half & 0xFFC0 == 0 or half & 0xFE00 == 0x1E00:  # movs, subs
        return (middle,)
    if half & 0xFFC0 in (0x4200, 0x4280, 0x42C0):
        return (low, middle)
    return (half >> 4 & 8 | low, half >> 3 & 15) if half & 0xFF00 == 0x4500 else ()


def _t32_long(word: int) -> Use:
    first, second = word >> 16 & 15, word & 15
    if word & 0xFE000000 in (0xE8000000, 0xF8000000) or word & 0xEE000000 == 0xEC000000:
        return Use(reads=first)
    if word & 0xFBF08F00 in WITH_CONSTANT:
        return Use(compares=(first,))
    if word & 0xFFF08F00 in WITH_REGISTER:
        return Use(compares=(first, second))
    return Use()
