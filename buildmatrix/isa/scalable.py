"""Scalable vectors and matrices (SVE, SVE2, SME) of the 64-bit instruction set.

Source: Arm Architecture Reference Manual for A-profile, DDI 0487, C4.1, 'SVE encodings' and 'SME
encodings': bits 28 to 25 of the word alone tell them from all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buildmatrix.isa.patterns import Encodings

SCALABLE: Encodings = {
    "sve": (
        ("sdot udot", 0xFF20F800, 0x44000000, "sve"),
        ("sdot udot, by element", 0xFFA0F800, 0x44A00000, "sve"),
        ("usdot sudot", 0xFFA0F000, 0x44A01000, "sve"),
        ("usdot", 0xFFE0FC00, 0x44807800, "sve"),
        ("smmla ummla usmmla", 0xFF20FC00, 0x45009800, "sve"),
        ("fmla fmls", 0xFF20C000, 0x65200000, "sve"),
        ("fmul", 0xFF20FC00, 0x65000800, "sve"),
        ("fmul, predicated", 0xFF3FE000, 0x65028000, "sve"),
        ("fmla fmls, by element", 0xFF20F800, 0x64200000, "sve"),
        ("fmul, by element", 0xFF20FC00, 0x64202000, "sve"),
        ("fmmla bfmmla", 0xFF20FC00, 0x6420E400, "sve"),
        ("bfdot", 0xFFE0BC00, 0x64608000, "sve"),
        ("mla mls", 0xFF20C000, 0x04004000, "sve"),
        ("mul, predicated", 0xFF3FE000, 0x04100000, "sve"),
    ),
    "sve2": (
        ("mul", 0xFF20FC00, 0x04206000, "sve"),
        ("smlalb smlalt umlalb umlalt", 0xFF20C000, 0x44004000, "sve"),
        ("smullb smullt umullb umullt", 0xFF20E000, 0x45006000, "sve"),
        ("integers of two widths", 0xFE000000, 0x44000000),
    ),
}
# Behind the others: what no row above names.
REST: Encodings = {
    "sve": (("all others", 0x1E000000, 0x04000000),),
    "sme": (("all", 0x9E000000, 0x80000000),),
}
