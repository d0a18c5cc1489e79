"""The tables of encodings: each word was made at random and named by LLVM 19's disassembler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from buildmatrix.elf import literals
from buildmatrix.isa import a32, a64

if TYPE_CHECKING:
    from buildmatrix.isa.patterns import Pattern, Table

TABLES = {"A64": a64.TABLE, "A32": a32.A32, "T32": a32.T32}
WORDS = (
    ("A64", 0x1EE241A8, "", ""),  # fcvt s8, h13
    ("A64", 0xB87D02BC, "atomics", ""),  # ldaddl w29, w28, [x21]
    ("A64", 0x196110CD, "lse128", ""),  # ldclrpl x13, x1, [x6]
    ("A64", 0xC8885D06, "lor", ""),  # stllr x6, [x8]
    ("A64", 0x6E9586B8, "asimdrdm", "int16"),  # sqrdmlah v24.4s, v21.4s, v21.4s
    ("A64", 0x1ADB5B5E, "crc32", ""),  # crc32cw w30, w26, w27
    ("A64", 0x4E284BF1, "aes", ""),  # aese v17.16b, v31.16b
    ("A64", 0x0EE6E391, "pmull", ""),  # pmull v17.1q, v28.1d, v6.1d
    ("A64", 0x5E170372, "sha1", ""),  # sha1c q18, s27, v23.4s
    ("A64", 0x5E1540A1, "sha2", ""),  # sha256h q1, q5, v21.4s
    ("A64", 0xCE748583, "sha512", ""),  # sha512h2 q3, q12, v20.2d
    ("A64", 0xCE6C8EBB, "sha3", ""),  # rax1 v27.2d, v21.2d, v12.2d
    ("A64", 0xCE567E50, "sm3", ""),  # sm3ss1 v16.4s, v18.4s, v22.4s, v31.4s
    ("A64", 0xCE6CC870, "sm4", ""),  # sm4ekey v16.4s, v3.4s, v12.4s
    ("A64", 0x78BFC3ED, "lrcpc", ""),  # ldaprh w13, [sp]
    ("A64", 0x59141088, "ilrcpc", ""),  # stlurh w8, [x4, #-0xbf]
    ("A64", 0xD9800BE1, "rcpc3", ""),  # stlr x1, [sp, #-8]!
    ("A64", 0xDAC11478, "paca", ""),  # autib x24, x3
    ("A64", 0x1E29C004, "frint", ""),  # frint64x s4, s0
    ("A64", 0x1E7E02AB, "jscvt", ""),  # fjcvtzs w11, d21
    ("A64", 0x6E81C513, "fcma", ""),  # fcmla v19.4s, v8.4s, v1.4s, #0
    ("A64", 0xD500401F, "flagm", ""),  # cfinv
    ("A64", 0xD500405F, "flagm2", ""),  # axflag
    ("A64", 0xD50B7C2F, "dcpop", ""),  # dc cvap, x15
    ("A64", 0xD50B7D2B, "dcpodp", ""),  # dc cvadp, x11
    ("A64", 0xD50330FF, "sb", ""),  # sb
    ("A64", 0xD503103D, "wfxt", ""),  # wfit x29
    ("A64", 0x9AC11637, "mte", ""),  # gmi x23, x17, x1
    ("A64", 0x1D430642, "mops", ""),  # cpym [x2]!, [x3]!, x18!
    ("A64", 0x54C17ED8, "hbc", ""),  # bc.hi 0xfffffffffff85cd8
    ("A64", 0xDAC02096, "cssc", ""),  # abs x22, x4
    ("A64", 0x6E97971F, "asimddp", "int8"),  # udot v31.4s, v24.16b, v23.16b
    ("A64", 0x0E9A9F35, "i8mm", "int8"),  # usdot v21.2s, v25.8b, v26.8b
    ("A64", 0x6E49FF60, "bf16", "bfloat16"),  # bfdot v0.4s, v27.8h, v9.8h
    ("A64", 0x4EA16BA5, "bf16", ""),  # bfcvtn2 v5.8h, v29.4s
    ("A64", 0x4EBAEFB8, "asimdfhm", "float16"),  # fmlsl v24.4s, v29.4h, v26.4h
    ("A64", 0x4ED40DF0, "asimdhp", "float16"),  # fmls v16.8h, v15.8h, v20.8h
    ("A64", 0x2E4B3C6B, "asimdhp", ""),  # fdiv v11.4h, v3.4h, v11.4h
    ("A64", 0x1EF464DA, "fphp", ""),  # fccmpe h6, h20, #0xa, vs
    ("A64", 0x448D074F, "sve", "sve"),  # udot z15.s, z26.b, z13.b
    ("A64", 0x042961A6, "sve2", "sve"),  # mul z6.b, z13.b, z9.b
    ("A64", 0x4572B046, "sve2", ""),  # luti2 z6.b, { z2.b }, z18[1]
    ("A64", 0x8468D46E, "sve", ""),  # ld1rb { z14.s }, p5/z, [x3, #0x28]
    ("A64", 0xA1473804, "sme", ""),  # ld1h { z4.h, z12.h }, pn14/z, [x0, #0xe, mul vl]
    ("A64", 0x4EA7CCFB, "", "float32"),  # fmls v27.4s, v7.4s, v7.4s
    ("A64", 0x0E30CF60, "", "float32_pair"),  # fmla v0.2s, v27.2s, v16.2s
    ("A64", 0x2E3BC263, "", "int8"),  # umull v3.8h, v19.8b, v27.8b
    ("A64", 0x4E63C014, "", "int16"),  # smull2 v20.4s, v0.8h, v3.8h
    ("A64", 0x0F42A020, "", "int16"),  # smull v0.4s, v1.4h, v2.h[0]
    ("A32", 0xFE082B2D, "armv8", ""),  # vseleq.f64 d2, d8, d29
    ("A32", 0xFEB08A6E, "fphp", ""),  # vmovx.f16 s16, s29
    ("A32", 0xFC2B8D0F, "asimddp", "int8"),  # vsdot.s8 d8, d11, d15
    ("A32", 0xFCA48D64, "i8mm", "int8"),  # vusdot.s8 q4, q2, q10
    ("A32", 0xFC4EED0E, "bf16", "bfloat16"),  # vdot.bf16 d30, d14, d14
    ("A32", 0xFC66887F, "asimdfhm", "float16"),  # vfmal.f16 q12, d6, d31
    ("A32", 0xFCB57883, "fcma", ""),  # vcmla.f32 d7, d21, d3, #90
    ("A32", 0xF3F063A6, "aes", ""),  # aesmc.8 q11, q11
    ("A32", 0xF2E48E85, "pmull", ""),  # vmull.p64 q12, d20, d5
    ("A32", 0xF2180CC2, "sha1", ""),  # sha1p.32 q0, q12, q1
    ("A32", 0xF3464CEA, "sha2", ""),  # sha256h.32 q10, q11, q13
    ("A32", 0xF3B6C668, "bf16", ""),  # vcvt.bf16.f32 d12, q12
    ("A32", 0xF3B6C701, "fp16conv", ""),  # vcvt.f32.f16 q6, d1
    ("A32", 0xF361ABB6, "asimdrdm", "int16"),  # vqrdmlah.s32 d26, d17, d22
    ("A32", 0xF23B8C17, "asimdhp", "float16"),  # vfms.f16 d8, d11, d7
    ("A32", 0xF3351D01, "asimdhp", ""),  # vabd.f16 d1, d5, d1
    ("A32", 0xF2464C74, "vfpv4", "float32"),  # vfma.f32 q10, q3, q10
    ("A32", 0xF2601C39, "vfpv4", "float32_pair"),  # vfms.f32 d17, d0, d25
    ("A32", 0xF26CADD2, "neon", "float32"),  # vmls.f32 q13, q14, q1
    ("A32", 0xF2210D1B, "neon", "float32_pair"),  # vmls.f32 d0, d1, d11
    ("A32", 0xF340D9B8, "neon", ""),  # vmul.p8 d29, d16, d24
    ("A32", 0xF34A590A, "neon", "int8"),  # vmls.i8 d21, d10, d10
    ("A32", 0xF3591908, "neon", "int16"),  # vmls.i16 d17, d9, d8
    ("A32", 0xF57FF070, "sb", ""),  # sb
    ("A32", 0xF57FF04C, "v7", ""),  # dsb #0xc
    ("A32", 0xFB26ABE0, "", ""),  # blx 0x9ae72e
    ("A32", 0xEEF99BCA, "jscvt", ""),  # vjcvt.s32.f64 s19, d10
    ("A32", 0xEEAA6BCC, "vfpv4", ""),  # vfms.f64 d6, d26, d12
    ("A32", 0xEEB1DB07, "vfpv3", ""),  # vmov.f64 d13, #5.750000e+00
    ("A32", 0xE14F804D, "crc32", ""),  # crc32w r8, pc, sp
    ("A32", 0xE731F61C, "idiva", ""),  # udiv r1, r12, r6
    ("A32", 0xE308B288, "v6t2", ""),  # movw r11, #0x8288
    ("T32", 0xFE6D1A06, "armv8", ""),  # vselge.f32 s3, s26, s12
    ("T32", 0xFEF08AC9, "fphp", ""),  # vins.f16 s17, s18
    ("T32", 0xFC2A3D1B, "asimddp", "int8"),  # vudot.u8 d3, d10, d11
    ("T32", 0xFCAC8D0B, "i8mm", "int8"),  # vusdot.s8 d8, d12, d11
    ("T32", 0xFC4D9D8B, "bf16", "bfloat16"),  # vdot.bf16 d25, d29, d11
    ("T32", 0xFC29E852, "asimdfhm", "float16"),  # vfmal.f16 q7, d9, d2
    ("T32", 0xFC718889, "fcma", ""),  # vcmla.f32 d24, d17, d9, #0
    ("T32", 0xFFB0E38E, "aes", ""),  # aesmc.8 q7, q7
    ("T32", 0xEFE86E2B, "pmull", ""),  # vmull.p64 q11, d8, d27
    ("T32", 0xEF342C6E, "sha1", ""),  # sha1su0.32 q1, q2, q15
    ("T32", 0xFF56EC6C, "sha2", ""),  # sha256h2.32 q15, q3, q14
    ("T32", 0xFFF6B646, "bf16", ""),  # vcvt.bf16.f32 d27, q3
    ("T32", 0xFFF6470D, "fp16conv", ""),  # vcvt.f32.f16 q10, d13
    ("T32", 0xFF580BD2, "asimdrdm", "int16"),  # vqrdmlah.s16 q8, q12, q1
    ("T32", 0xEF166CF4, "asimdhp", "float16"),  # vfma.f16 q3, q11, q10
    ("T32", 0xFF729D2C, "asimdhp", ""),  # vabd.f16 d25, d2, d28
    ("T32", 0xEF0C4C74, "vfpv4", "float32"),  # vfma.f32 q2, q6, q10
    ("T32", 0xEF492C33, "vfpv4", "float32_pair"),  # vfma.f32 d18, d9, d19
    ("T32", 0xEF604DD8, "neon", "float32"),  # vmls.f32 q10, q8, q4
    ("T32", 0xEF606D9F, "neon", "float32_pair"),  # vmls.f32 d22, d16, d15
    ("T32", 0xFF40F932, "neon", ""),  # vmul.p8 d31, d0, d18
    ("T32", 0xEF4B793E, "neon", "int8"),  # vmul.i8 d23, d11, d30
    ("T32", 0xFF15198F, "neon", "int16"),  # vmls.i16 d1, d21, d15
    ("T32", 0xEEB9EBC3, "jscvt", ""),  # vjcvt.s32.f64 s28, d3
    ("T32", 0xEEEAEB4F, "vfpv4", ""),  # vfms.f64 d30, d10, d15
    ("T32", 0xEEFADA06, "vfpv3", ""),  # vmov.f32 s27, #-1.100000e+01
    ("T32", 0xFAD2F59B, "crc32", ""),  # crc32ch r5, r2, r11
    ("T32", 0xFBBCF8F0, "idivt", ""),  # udiv r8, r12, r0
    ("T32", 0xF3BF8F70, "sb", ""),  # sb
)
# What stands close to them and is of the base set.
BASE = (
    ("A64", 0x1E23C1A8),  # fcvt h8, s13
    ("A64", 0xD503233F),  # paciasp, a hint
    ("A64", 0xD503245F),  # bti c, a hint
    ("A64", 0x0E20E3D1),  # pmull v17.8h, v30.8b, v0.8b
    ("A64", 0x889FFC41),  # stlr w1, [x2]
    ("A64", 0x885F7C41),  # ldxr w1, [x2]
    ("A64", 0x3D400020),  # ldr b0, [x1]
    ("A32", 0xE1910F9F),  # ldrex r0, [r1]
    ("A32", 0xE1010050),  # qadd r0, r0, r1
    ("A32", 0xEE000A10),  # vmov s0, r0
    ("T32", 0xE8D10F00),  # ldrex-like space of tbb
    ("T32", 0xF3BF8F5B),  # dmb ish
)


def matched(table: Table, word: int) -> Pattern | None:
    _, patterns = table.match(np.array([word], np.uint32))
    return table.patterns[patterns[0]] if len(patterns) else None


@pytest.mark.parametrize(("name", "word", "feature", "multiplies"), WORDS)
def test_an_instruction_is_of_its_feature_and_multiplies_its_element(
    name: str, word: int, feature: str, multiplies: str
) -> None:
    pattern = matched(TABLES[name], word)
    assert pattern is not None
    assert (pattern.feature, pattern.multiplies) == (feature, multiplies)


@pytest.mark.parametrize(("name", "word"), BASE)
def test_an_instruction_of_the_base_set_needs_nothing(name: str, word: int) -> None:
    pattern = matched(TABLES[name], word)
    assert pattern is None or not pattern.feature


@pytest.mark.parametrize("name", TABLES)
def test_a_pattern_asks_for_no_bit_outside_its_mask(name: str) -> None:
    assert [p for p in TABLES[name].patterns if p.value & ~p.mask] == []


def test_of_many_words_each_match_is_told_with_its_place() -> None:
    words = np.array([0xD503201F, 0x6E49FF60, 0xD503201F, 0x4E284BF1], np.uint32)
    places, patterns = a64.TABLE.match(words)
    assert places.tolist() == [1, 3]
    assert [a64.TABLE.patterns[i].feature for i in patterns] == ["bf16", "aes"]


def test_a_word_behind_a_return_that_nothing_leads_to_is_a_table() -> None:
    """MXNet's libmxnet.so, stripped: constants of a hash behind a return read as SVE."""
    ret, b_past, constant = 0xD65F03C0, 0x14000003, 0x25A1E333
    words = np.array([b_past, constant, ret, constant, ret, constant], np.uint32)
    addresses = np.array([0x1004, 0x100C, 0x1014], np.int64)
    known = literals.jumped_to(words, 0x1000)
    assert known.tolist() == [0x100C]
    assert literals.cut_off(words, 0x1000, addresses, known).tolist() == [True, False, True]
    begins = np.unique(np.concatenate([known, [0x1014]]))  # a function that the file names
    assert literals.cut_off(words, 0x1000, addresses, begins).tolist() == [True, False, False]
    assert not literals.cut_off(words[1:2], 0x1004, addresses[:1], known).any()  # no return seen
