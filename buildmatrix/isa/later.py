"""The 64-bit extensions of 2022 and 2023 that a program may use: on no Raspberry Pi.

Source: the encodings that binutils 2.47.50's assembler gives (-march=armv9.5-a and an extension
each), held against LLVM 19's disassembler by scripts/isa-check; names are those of Linux 6.13's
/proc/cpuinfo. `cpa` (checked pointers) has none there. What came in 2024 has no row: half of
compare-and-branch's words are what text in the code reads as.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.isa.patterns import Encodings

LATER: Encodings = {
    "gcs": (
        ("gcspushm gcsss1", 0xFFFFFFA0, 0xD50B7700),
        ("gcspopm gcsss2", 0xFFFFFFA0, 0xD52B7720),
        ("gcsstr gcssttr", 0xFFFFEC00, 0xD91F0C00),
        ("mrs msr gcspr_el0", 0xFFDFFFE0, 0xD51B2520),
    ),
    "faminmax": (
        ("famax famin", 0x9FA0FC00, 0x0EA0DC00),
        ("famax famin, of half precision", 0x9FE0FC00, 0x0EC01C00),
    ),
    "f8cvt": (
        ("fcvtn to FP8", 0xBFA0FC00, 0x0E00F400),
        ("fscale", 0xBFA0FC00, 0x2EA0FC00),
        ("fscale, of half precision", 0xBFE0FC00, 0x2EC03C00),
        ("f1cvtl f2cvtl bf1cvtl bf2cvtl", 0xBF3FFC00, 0x2E217800),
    ),
    "f8dp4": (
        ("fdot of FP8", 0xBFE0FC00, 0x0E00FC00),
        ("fdot of FP8, by element", 0xBFC0F400, 0x0F000000),
    ),
    "f8dp2": (
        ("fdot of FP8 to half precision", 0xBFE0FC00, 0x0E40FC00),
        ("fdot of FP8 to half precision, by element", 0xBFC0F400, 0x0F400000),
    ),
    "f8fma": (
        ("fmlalb fmlalt of FP8", 0xBFE0FC00, 0x0EC0FC00),
        ("fmlalb fmlalt of FP8, by element", 0xBFC0F400, 0x0FC00000),
        ("fmlallbb fmlalltt and the like", 0xBFA0FC00, 0x0E00C400),
        ("fmlallbb fmlalltt and the like, by element", 0xBF80F400, 0x2F008000),
    ),
    "lut": (
        ("luti2 of bytes", 0xFFE09C00, 0x4E801000),
        ("luti2 of halfwords", 0xFFE08C00, 0x4EC00000),
        ("luti4 of bytes", 0xFFE0BC00, 0x4E402000),
        ("luti4 of halfwords", 0xFFE09C00, 0x4E401000),
    ),
    "cpa": (
        ("addpt subpt", 0xBFE0E000, 0x9A002000),
        ("maddpt msubpt", 0xFFE00000, 0x9B600000),
    ),
}
