"""The 32-bit instruction set beyond ARMv6 with VFPv2, and Thumb's, which shares most of it.

Source: Arm Architecture Reference Manual, DDI 0406C and DDI 0487 (F3, F4, F6). Advanced SIMD and
floating point are written once: Thumb has 0xEF and 0xFF where ARM has 0xF2 and 0xF3, 0xEE and 0xFE
are the same in both. Where ARM has a condition the pattern leaves it open, and 0xFn stands before.
scripts/isa-check holds both against LLVM 19's disassembler.
"""

from __future__ import annotations

from buildmatrix.isa.patterns import Encodings, Table, patterns
from buildmatrix.isa.system import ARM_ALONE, BASE32, SYSTEM32, THUMB_ALONE

# Floating point: 0xEExxxxxx, the condition in ARM's upper four bits.
FLOAT: Encodings = {
    "bf16": (("vcvtb vcvtt .bf16.f32", 0x0FBF0F50, 0x0EB30940),),
    "jscvt": (("vjcvt", 0x0FBF0FD0, 0x0EB90BC0),),
    "armv8": (
        ("vrintr vrintz", 0x0FBF0E50, 0x0EB60A40),
        ("vrintx", 0x0FBF0ED0, 0x0EB70A40),
        ("vcvtb vcvtt .f16.f64", 0x0FBE0F50, 0x0EB20B40),
    ),
    "fp16conv": (("vcvtb vcvtt .f16.f32", 0x0FBE0F50, 0x0EB20A40),),
    "fphp": (
        ("vadd vmul vcmp and the like .f16", 0x0F000F00, 0x0E000900),
        ("vldr vstr .16", 0x0F200F00, 0x0D000900),
    ),
    "vfpv4": (("vfma vfms", 0x0FB00E10, 0x0EA00A00), ("vfnma vfnms", 0x0FB00E10, 0x0E900A00)),
    "vfpv3": (("vmov, immediate", 0x0FB00EF0, 0x0EB00A00),),
}

# The same in ARM and Thumb: 0xFC, 0xFD and 0xFE, without a condition.
SHARED: Encodings = {
    "armv8": (
        ("vsel", 0xFF800E50, 0xFE000A00),
        ("vmaxnm vminnm", 0xFFB00E10, 0xFE800A00),
        ("vrinta vrintn vrintp vrintm", 0xFFBC0ED0, 0xFEB80A40),
        ("vcvta vcvtn vcvtp vcvtm", 0xFFBC0E50, 0xFEBC0A40),
    ),
    "fphp": (
        ("vmovx vins", 0xFFBF0F50, 0xFEB00A40),
        ("vsel vmaxnm and the like .f16", 0xFF000F00, 0xFE000900),
    ),
    "asimddp": (
        ("vsdot vudot", 0xFFB00F00, 0xFC200D00, "int8"),
        ("vsdot vudot, by element", 0xFFB00F00, 0xFE200D00, "int8"),
    ),
    "i8mm": (
        ("vusdot", 0xFFB00F10, 0xFCA00D00, "int8"),
        ("vusdot vsudot, by element", 0xFFB00F00, 0xFE800D00, "int8"),
        ("vsmmla vummla", 0xFFB00F40, 0xFC200C40, "int8"),
        ("vusmmla", 0xFFB00F50, 0xFCA00C40, "int8"),
    ),
    "bf16": (
        ("vdot .bf16", 0xFFB00F10, 0xFC000D00, "bfloat16"),
        ("vdot .bf16, by element", 0xFFB00F10, 0xFE000D00, "bfloat16"),
        ("vmmla .bf16", 0xFFB00F50, 0xFC000C40, "bfloat16"),
        ("vfmab vfmat", 0xFFB00F10, 0xFC300810, "bfloat16"),
        ("vfmab vfmat, by element", 0xFFB00F10, 0xFE300810, "bfloat16"),
    ),
    "asimdfhm": (
        ("vfmal", 0xFFB00F10, 0xFC200810, "float16"),
        ("vfmsl", 0xFFB00F10, 0xFCA00810, "float16"),
        ("vfmal vfmsl, by element", 0xFFA00F10, 0xFE000810, "float16"),
    ),
    "fcma": (
        ("vcmla", 0xFE200F10, 0xFC200800),
        ("vcadd", 0xFEA00F10, 0xFC800800),
        ("vcmla, by element", 0xFF000F10, 0xFE000800),
    ),
}

# Advanced SIMD: 0xF2 and 0xF3 here, 0xEF and 0xFF in Thumb.
SIMD: Encodings = {
    "aes": (("aese aesd aesmc aesimc", 0xFFBF0F10, 0xF3B00300),),
    "pmull": (("vmull.p64", 0xFFB00F50, 0xF2A00E00),),
    "sha1": (
        ("sha1c sha1p sha1m sha1su0", 0xFF800F50, 0xF2000C40),
        ("sha1h", 0xFFBF0FD0, 0xF3B902C0),
        ("sha1su1", 0xFFBF0FD0, 0xF3BA0380),
    ),
    "sha2": (
        ("sha256h sha256h2", 0xFFA00F50, 0xF3000C40),
        ("sha256su1", 0xFFB00F50, 0xF3200C40),
        ("sha256su0", 0xFFBF0FD0, 0xF3BA03C0),
    ),
    "bf16": (("vcvt.bf16.f32", 0xFFBF0FD0, 0xF3B60640),),
    "fp16conv": (("vcvt.f16.f32 vcvt.f32.f16", 0xFFBF0ED0, 0xF3B60600),),
    "armv8": (
        ("vmaxnm vminnm", 0xFF900F10, 0xF3000F10),
        ("vrintn vrintx", 0xFFBF0F10, 0xF3BA0400),
        ("vrinta vrintz", 0xFFBF0F10, 0xF3BA0500),
        ("vrintm", 0xFFBF0F90, 0xF3BA0680),
        ("vrintp", 0xFFBF0F90, 0xF3BA0780),
        ("vcvta vcvtn vcvtp vcvtm", 0xFFBF0C10, 0xF3BB0000),
    ),
    "asimdrdm": (
        ("vqrdmlah", 0xFF800F10, 0xF3000B10, "int16"),
        ("vqrdmlsh", 0xFF800F10, 0xF3000C10, "int16"),
        ("vqrdmlah vqrdmlsh, by element", 0xFEB00E50, 0xF2900E40, "int16"),
        ("vqrdmlah vqrdmlsh, by element", 0xFEB00E50, 0xF2A00E40, "int16"),
    ),
    "asimdhp": (
        ("vfma vfms .f16", 0xFF900F10, 0xF2100C10, "float16"),
        ("vmla vmls .f16", 0xFF900F10, 0xF2100D10, "float16"),
        ("vmul .f16", 0xFFB00F10, 0xF3100D10, "float16"),
        ("vmla vmls .f16, by element", 0xFEB00B50, 0xF2900140, "float16"),
        ("vmul .f16, by element", 0xFEB00F50, 0xF2900940, "float16"),
        ("vadd and the like .f16", 0xFE900F00, 0xF2100D00),
        ("vceq vmax vmaxnm and the like .f16", 0xFE900E00, 0xF2100E00),
        ("vabs vneg vceq .f16", 0xFFBF0C10, 0xF3B50400),
        ("vrint .f16", 0xFFBF0C10, 0xF3B60400),
        ("vcvta vcvtn vcvtp vcvtm .f16", 0xFFBF0C10, 0xF3B70000),
        ("vrecpe vrsqrte vcvt .f16", 0xFFBF0C10, 0xF3B70400),
        ("vcvt .f16, fixed point", 0xFEA00E90, 0xF2A00C10),
    ),
    "vfpv4": (
        ("vfma vfms, quad", 0xFF900F50, 0xF2000C50, "float32"),
        ("vfma vfms", 0xFF900F50, 0xF2000C10, "float32_pair"),
    ),
    "neon": (
        ("vmla vmls .f32, quad", 0xFF900F50, 0xF2000D50, "float32"),
        ("vmul .f32, quad", 0xFFB00F50, 0xF3000D50, "float32"),
        ("vmla vmls .f32, quad by element", 0xFFB00B50, 0xF3A00140, "float32"),
        ("vmul .f32, quad by element", 0xFFB00F50, 0xF3A00940, "float32"),
        ("vmla vmls .f32", 0xFF900F50, 0xF2000D10, "float32_pair"),
        ("vmul .f32", 0xFFB00F50, 0xF3000D10, "float32_pair"),
        ("vmla vmls .f32, by element", 0xFFB00B50, 0xF2A00140, "float32_pair"),
        ("vmul .f32, by element", 0xFFB00F50, 0xF2A00940, "float32_pair"),
        ("vmul.p8", 0xFFB00F10, 0xF3000910),
        ("vmla vmls vmul of bytes", 0xFEB00F00, 0xF2000900, "int8"),
        ("vmull of bytes", 0xFEB00F50, 0xF2800C00, "int8"),
        ("vmlal vmlsl of bytes", 0xFEB00D50, 0xF2800800, "int8"),
        ("vmla vmls vmul of halfwords", 0xFEB00F00, 0xF2100900, "int16"),
        ("vmull of halfwords", 0xFEB00F50, 0xF2900C00, "int16"),
        ("vmlal vmlsl of halfwords", 0xFEB00D50, 0xF2900800, "int16"),
        ("vqdmlal vqdmlsl of halfwords", 0xFFB00D50, 0xF2900900, "int16"),
        ("vqdmull of halfwords", 0xFFB00F50, 0xF2900D00, "int16"),
        ("vqdmulh vqrdmulh of halfwords", 0xFEB00F10, 0xF2100B00, "int16"),
        ("vmla vmls, by element", 0xFEB00B50, 0xF2900040, "int16"),
        ("vmlal vmlsl, by element", 0xFEB00B50, 0xF2900240, "int16"),
        ("vqdmlal vqdmlsl, by element", 0xFFB00B50, 0xF2900340, "int16"),
        ("vmul, by element", 0xFEB00F50, 0xF2900840, "int16"),
        ("vmull, by element", 0xFEB00F50, 0xF2900A40, "int16"),
        ("vqdmull, by element", 0xFFB00F50, 0xF2900B40, "int16"),
        ("vqdmulh vqrdmulh, by element", 0xFEB00E50, 0xF2900C40, "int16"),
        ("all others", 0xFE000000, 0xF2000000),
    ),
}

# ARM alone. A word that begins with 0xF has no condition, and is none of those behind it.
WITHOUT_CONDITION: Encodings = {
    "sb": (("sb", 0xFFFFFFFF, 0xF57FF070),),
    "v7": (("dmb dsb isb", 0xFFFFFFC0, 0xF57FF040), ("pli", 0xFF70F000, 0xF450F000)),
    "neon": (("vld1 vst1 and the like", 0xFF100000, 0xF4000000),),
    "": (("none of these", 0xF0000000, 0xF0000000),),
}
INTEGER: Encodings = {
    "armv8": (("lda stl ldaex stlex", 0x0F800DF0, 0x01800C90),),
    "crc32": (("crc32 crc32c", 0x0F900DF0, 0x01000040),),
    "idiva": (("sdiv udiv", 0x0FD0F0F0, 0x0710F010),),
    "v6t2": (
        ("movw", 0x0FF00000, 0x03000000),
        ("movt", 0x0FF00000, 0x03400000),
        ("mls", 0x0FF000F0, 0x00600090),
        ("bfc bfi", 0x0FE00070, 0x07C00010),
        ("sbfx ubfx", 0x0FA00070, 0x07A00050),
        ("rbit", 0x0FFF0FF0, 0x06FF0F30),
    ),
}

# Thumb alone: the first halfword is the upper one.
THUMB: Encodings = {
    "armv8": (("lda stl ldaex stlex", 0xFFE00080, 0xE8C00080),),
    "crc32": (("crc32 crc32c", 0xFFE0F0C0, 0xFAC0F080),),
    "idivt": (("sdiv udiv", 0xFFD0F0F0, 0xFB90F0F0),),
    "sb": (("sb", 0xFFFFFFFF, 0xF3BF8F70),),
    "neon": (("vld1 vst1 and the like", 0xFF100000, 0xF9000000),),
}


def _in_thumb(encodings: Encodings) -> Encodings:
    """Advanced SIMD of ARM, 1111001U, as Thumb has it: 111U1111."""

    def moved(bits: int) -> int:
        return bits & 0x00FFFFFF | 0xEF000000 | (bits & 0x01000000) << 4

    return {
        feature: tuple((row[0], moved(row[1]), moved(row[2]), *row[3:]) for row in rows)
        for feature, rows in encodings.items()
    }


def _always(encodings: Encodings) -> Encodings:
    """Floating point as Thumb has it: ARM's condition is 1110."""
    return {
        feature: tuple((row[0], row[1] | 0xF0000000, row[2] | 0xE0000000) for row in rows)
        for feature, rows in encodings.items()
    }


WITH_CONDITION = (BASE32, SYSTEM32, ARM_ALONE, FLOAT, INTEGER)
A32 = Table(patterns(SHARED, SIMD, WITHOUT_CONDITION, *WITH_CONDITION))
ALWAYS = (_always(BASE32), _always(SYSTEM32), _always(FLOAT))
T32 = Table(patterns(SHARED, _in_thumb(SIMD), *ALWAYS, THUMB_ALONE, THUMB))
