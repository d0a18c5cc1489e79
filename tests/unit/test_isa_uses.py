"""Which register an instruction goes through, and which it compares; words are those of GNU as."""

from __future__ import annotations

import pytest

from buildmatrix.isa import uses
from buildmatrix.isa.uses import Use


@pytest.mark.parametrize(
    ("word", "use"),
    [
        (0xD63F0060, Use(calls=3)),  # blr x3
        (0xD61F0020, Use(calls=1)),  # br x1
        (0xB9400041, Use(reads=2)),  # ldr w1, [x2]
        (0xF9000443, Use(reads=2)),  # str x3, [x2, #8]
        (0xA9400861, Use(reads=3)),  # ldp x1, x2, [x3]
        (0x58000041, Use()),  # ldr x1, a literal
        (0xB4000045, Use(compares=(5,))),  # cbz x5
        (0x36000045, Use(compares=(5,))),  # tbz w5, #0
        (0xF100003F, Use(compares=(1,))),  # cmp x1, #0
        (0xEB02003F, Use(compares=(1, 2))),  # cmp x1, x2
        (0xEA02003F, Use(compares=(1, 2))),  # tst x1, x2
        (0xFA400820, Use(compares=(1,))),  # ccmp x1, #0, #0, eq
        (0x8B020020, Use()),  # add x0, x1, x2
    ],
)
def test_a64(word: int, use: Use) -> None:
    assert uses.a64(word) == use


@pytest.mark.parametrize(
    ("word", "use"),
    [
        (0xE12FFF33, Use(calls=3)),  # blx r3
        (0xE12FFF13, Use(calls=3)),  # bx r3
        (0xE5921000, Use(reads=2)),  # ldr r1, [r2]
        (0xE1C210B2, Use(reads=2)),  # strh r1, [r2, #2]
        (0xE8920003, Use(reads=2)),  # ldm r2, {r0, r1}
        (0xED920A00, Use(reads=2)),  # vldr s0, [r2]
        (0xE3530000, Use(compares=(3,))),  # cmp r3, #0
        (0xE1530004, Use(compares=(3, 4))),  # cmp r3, r4
        (0xE0000391, Use()),  # mul r0, r1, r3
        (0xE0821003, Use()),  # add r1, r2, r3
    ],
)
def test_a32(word: int, use: Use) -> None:
    assert uses.a32(word) == use


@pytest.mark.parametrize(
    ("first", "second", "use"),
    [
        (0x4798, 0, Use(calls=3)),  # blx r3
        (0x4718, 0, Use(calls=3)),  # bx r3
        (0x6811, 0, Use(reads=2)),  # ldr r1, [r2]
        (0xCA03, 0, Use(reads=2)),  # ldm r2, {r0, r1}
        (0xF8D2, 0x1000, Use(reads=2)),  # ldr.w r1, [r2]
        (0xE9D2, 0x0100, Use(reads=2)),  # ldrd r0, r1, [r2]
        (0xB11B, 0, Use(compares=(3,))),  # cbz r3
        (0x2B00, 0, Use(compares=(3,))),  # cmp r3, #0
        (0x42A3, 0, Use(compares=(3, 4))),  # cmp r3, r4
        (0x000B, 0, Use(compares=(1,))),  # movs r3, r1
        (0xF1B9, 0x0F00, Use(compares=(9,))),  # cmp.w r9, #0
        (0xEBB9, 0x0F0A, Use(compares=(9, 10))),  # cmp.w r9, r10
        (0x4611, 0, Use()),  # mov r1, r2
    ],
)
def test_thumb(first: int, second: int, use: Use) -> None:
    assert uses.t32(first, second) == use
