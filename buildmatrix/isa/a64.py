"""The 64-bit instruction set beyond ARMv8.0-A, and its vector multiplies.

Source: Arm Architecture Reference Manual for A-profile, DDI 0487, section C4.1 (index by encoding)
and the pages of each instruction. scripts/isa-check holds it against LLVM 19's disassembler. What
came in 2022 and 2023 is in `later`; 128-bit registers of the system have no row.
"""

from __future__ import annotations

from buildmatrix.isa.later import LATER
from buildmatrix.isa.patterns import Encodings, Pattern, Table, patterns
from buildmatrix.isa.scalable import REST, SCALABLE
from buildmatrix.isa.system import BASE64, SYSTEM64

# Base instructions that stand inside a wider pattern of an extension, so they come first.
BASE: Encodings = {
    "": (
        ("fcvt between half precision and the others", 0xFFFFFC00, 0x1EE24000),
        ("fcvt between half precision and the others", 0xFFFFFC00, 0x1EE2C000),
    ),
}

EXTENSIONS: Encodings = {
    "atomics": (
        ("ldadd ldclr ldeor ldset ldsmax ldsmin ldumax ldumin", 0x3F208C00, 0x38200000),
        ("swp", 0x3F20FC00, 0x38208000),
        ("cas", 0x3FA07C00, 0x08A07C00),
        ("casp", 0xBFA07C00, 0x08207C00),
    ),
    "lse128": (
        ("ldclrp", 0xFF20FC00, 0x19201000),
        ("ldsetp", 0xFF20FC00, 0x19203000),
        ("swpp", 0xFF20FC00, 0x19208000),
    ),
    "lor": (("ldlar stllr", 0x3FA08000, 0x08800000),),
    "asimdrdm": (
        ("sqrdmlah sqrdmlsh", 0xBF20F400, 0x2E008400, "int16"),
        ("sqrdmlah sqrdmlsh, scalar", 0xFF20F400, 0x7E008400, "int16"),
        ("sqrdmlah sqrdmlsh, by element", 0xBF00D400, 0x2F00D000, "int16"),
        ("sqrdmlah sqrdmlsh, scalar by element", 0xFF00D400, 0x7F00D000, "int16"),
    ),
    "crc32": (("crc32 crc32c", 0x7FE0E000, 0x1AC04000),),
    "aes": (("aese aesd aesmc aesimc", 0xFFFFCC00, 0x4E284800),),
    "pmull": (("pmull of 64 bits", 0xBFE0FC00, 0x0EE0E000),),
    "sha1": (
        ("sha1c", 0xFFE0FC00, 0x5E000000),
        ("sha1p", 0xFFE0FC00, 0x5E001000),
        ("sha1m", 0xFFE0FC00, 0x5E002000),
        ("sha1su0", 0xFFE0FC00, 0x5E003000),
        ("sha1h sha1su1", 0xFFFFEC00, 0x5E280800),
    ),
    "sha2": (
        ("sha256h sha256h2", 0xFFE0EC00, 0x5E004000),
        ("sha256su1", 0xFFE0FC00, 0x5E006000),
        ("sha256su0", 0xFFFFFC00, 0x5E282800),
    ),
    "sha512": (
        ("sha512h sha512h2", 0xFFE0F800, 0xCE608000),
        ("sha512su1", 0xFFE0FC00, 0xCE608800),
        ("sha512su0", 0xFFFFFC00, 0xCEC08000),
    ),
    "sha3": (
        ("rax1", 0xFFE0FC00, 0xCE608C00),
        ("eor3 bcax", 0xFFC08000, 0xCE000000),
        ("xar", 0xFFE00000, 0xCE800000),
    ),
    "sm3": (
        ("sm3ss1", 0xFFE08000, 0xCE400000),
        ("sm3tt1a sm3tt1b sm3tt2a sm3tt2b", 0xFFE0C000, 0xCE408000),
        ("sm3partw1 sm3partw2", 0xFFE0F800, 0xCE60C000),
    ),
    "sm4": (("sm4ekey", 0xFFE0FC00, 0xCE60C800), ("sm4e", 0xFFFFFC00, 0xCEC08400)),
    "lrcpc": (("ldapr", 0x3FFFFC00, 0x38BFC000),),
    "ilrcpc": (("ldapur stlur", 0x3F200C00, 0x19000000),),
    "rcpc3": (
        ("ldapr stlr, writing back", 0xBFBFFC00, 0x99800800),
        ("ldiapp stilp", 0xBFA0EC00, 0x99000800),
        ("ldap1 stl1", 0xBFBFFC00, 0x0D018400),
        ("ldapur stlur of vectors", 0x3F200C00, 0x1D000800),
    ),
    "paca": (
        ("pacia paciza autia xpaci and the like", 0xFFFF8000, 0xDAC10000),
        ("pacga", 0xFFE0FC00, 0x9AC03000),
        ("braa blraa", 0xFFDFF800, 0xD71F0800),
        ("braaz blraaz", 0xFFDFF81F, 0xD61F081F),
        ("retaa eretaa", 0xFF7FFBFF, 0xD65F0BFF),
        ("eretaa", 0xFFFFFBFF, 0xD69F0BFF),
        ("ldraa ldrab", 0xFF200400, 0xF8200400),
    ),
    "frint": (
        ("frint32z frint32x frint64z frint64x", 0xFFBE7C00, 0x1E284000),
        ("frint32z and the like, vector", 0xBFBFEC00, 0x0E21E800),
        ("frint32x and the like, vector", 0xBFBFEC00, 0x2E21E800),
    ),
    "jscvt": (("fjcvtzs", 0xFFFFFC00, 0x1E7E0000),),
    "fcma": (
        ("fcmla", 0xBF20E400, 0x2E00C400),
        ("fcadd", 0xBF20EC00, 0x2E00E400),
        ("fcmla, by element", 0xBF009400, 0x2F001000),
    ),
    "flagm": (
        ("cfinv", 0xFFFFFFFF, 0xD500401F),
        ("rmif", 0xFFE07C10, 0xBA000400),
        ("setf8 setf16", 0xFFFFBC1F, 0x3A00080D),
    ),
    "flagm2": (("axflag", 0xFFFFFFFF, 0xD500405F), ("xaflag", 0xFFFFFFFF, 0xD500403F)),
    "dcpop": (("dc cvap", 0xFFFFFFE0, 0xD50B7C20),),
    "dcpodp": (("dc cvadp", 0xFFFFFFE0, 0xD50B7D20),),
    "sb": (("sb", 0xFFFFFFFF, 0xD50330FF),),
    "wfxt": (("wfet wfit", 0xFFFFFFC0, 0xD5031000),),
    "mte": (
        ("irg gmi", 0xFFE0F800, 0x9AC01000),
        ("subp subps", 0xDFE0FC00, 0x9AC00000),
        ("addg subg", 0xBFC00000, 0x91800000),
        ("stg ldg and the like", 0xFF200000, 0xD9200000),
        ("stgp", 0xFEC00000, 0x68800000),
        ("stgp, before", 0xFFC00000, 0x69000000),
    ),
    "mops": (("cpyp cpym cpye setp setm sete", 0x3B200C00, 0x19000400),),
    "hbc": (("bc.cond", 0xFF000010, 0x54000010),),
    "ls64": (("ld64b st64b st64bv st64bv0", 0xFF208C00, 0xF8208000),),
    "cssc": (
        ("abs cnt ctz", 0x7FFFF000, 0x5AC02000),
        ("ctz cnt", 0x7FFFF800, 0x5AC01800),
        ("smax umax smin umin", 0x7FE0F000, 0x1AC06000),
        ("smax umax smin umin, immediate", 0x7FF00000, 0x11C00000),
    ),
    "asimddp": (
        ("sdot udot", 0x9FE0FC00, 0x0E809400, "int8"),
        ("sdot udot, by element", 0x9FC0F400, 0x0F80E000, "int8"),
    ),
    "i8mm": (
        ("usdot", 0xBFE0FC00, 0x0E809C00, "int8"),
        ("usdot, by element", 0xBFC0F400, 0x0F80F000, "int8"),
        ("sudot, by element", 0xBFC0F400, 0x0F00F000, "int8"),
        ("smmla ummla", 0xDFE0FC00, 0x4E80A400, "int8"),
        ("usmmla", 0xFFE0FC00, 0x4E80AC00, "int8"),
    ),
    "bf16": (
        ("bfdot", 0xBFE0FC00, 0x2E40FC00, "bfloat16"),
        ("bfdot, by element", 0xBFC0F400, 0x0F40F000, "bfloat16"),
        ("bfmmla", 0xFFE0FC00, 0x6E40EC00, "bfloat16"),
        ("bfmlalb bfmlalt", 0xBFE0FC00, 0x2EC0FC00, "bfloat16"),
        ("bfmlalb bfmlalt, by element", 0xBFC0F400, 0x0FC0F000, "bfloat16"),
        ("bfcvtn bfcvtn2", 0xBFFFFC00, 0x0EA16800),
        ("bfcvt", 0xFFFFFC00, 0x1E634000),
    ),
    "asimdfhm": (
        ("fmlal fmlsl", 0xBF60FC00, 0x0E20EC00, "float16"),
        ("fmlal2 fmlsl2", 0xBF60FC00, 0x2E20CC00, "float16"),
        ("fmlal fmlsl, by element", 0xBFC0B400, 0x0F800000, "float16"),
        ("fmlal2 fmlsl2, by element", 0xBFC0B400, 0x2F808000, "float16"),
    ),
    "asimdhp": (
        ("fmla fmls", 0xBF60FC00, 0x0E400C00, "float16"),
        ("fmul", 0xBFE0FC00, 0x2E401C00, "float16"),
        ("fadd fmax fcmeq and the like", 0x9F60C400, 0x0E400400),
        ("fadd and the like, scalar", 0xDF60C400, 0x5E400400),
        ("fabs fcmgt fcvtas and the like", 0x9F7E0C00, 0x0E780800),
        ("fcmgt fcvtas and the like, scalar", 0xDF7E0C00, 0x5E780800),
        ("fmaxv fminv fmaxnmv fminnmv", 0xBF7FCC00, 0x0E30C800),
        ("faddp fmaxp fminp fmaxnmp fminnmp, scalar", 0xFF7FCC00, 0x5E30C800),
        ("fmul fmla fmls, by element", 0xBFC03400, 0x0F001000, "float16"),
        ("fmulx, by element", 0xBFC0F400, 0x2F009000),
        ("fmul fmla fmls, scalar by element", 0xFFC03400, 0x5F001000),
        ("fmulx, scalar by element", 0xFFC0F400, 0x7F009000),
        ("fmov", 0xBFF8FC00, 0x0F00FC00),
        ("scvtf fcvtzs, fixed point", 0x9FF0E400, 0x0F10E400),
        ("scvtf fcvtzs, scalar fixed point", 0xDFF0E400, 0x5F10E400),
    ),
    "fphp": (
        ("fadd fmul fcmp fcvt and the like", 0xFFE00000, 0x1EE00000),
        ("fcvt scvtf fmov of 64 bits", 0xFFE0FC00, 0x9EE00000),
        ("fcvtzs scvtf, fixed point", 0x7FE00000, 0x1EC00000),
        ("fmadd fmsub fnmadd fnmsub", 0xFFC00000, 0x1FC00000),
    ),
}

# What reads the processor's own description: mrs of ID_AA64PFR0_EL1 to ID_AA64MMFR4_EL1.
ASKS = Pattern("mrs of an identification register", 0xFFFFFC00, 0xD5380400, "cpuid")

MULTIPLIES: Encodings = {
    "": (
        ("fmla fmls .4s", 0xFF60FC00, 0x4E20CC00, "float32"),
        ("fmul .4s", 0xFFE0FC00, 0x6E20DC00, "float32"),
        ("fmla fmls .4s, by element", 0xFFC0B400, 0x4F801000, "float32"),
        ("fmul .4s, by element", 0xFFC0F400, 0x4F809000, "float32"),
        ("fmla fmls .2s", 0xFF60FC00, 0x0E20CC00, "float32_pair"),
        ("fmul .2s", 0xFFE0FC00, 0x2E20DC00, "float32_pair"),
        ("fmla fmls .2s, by element", 0xFFC0B400, 0x0F801000, "float32_pair"),
        ("fmul .2s, by element", 0xFFC0F400, 0x0F809000, "float32_pair"),
        ("smull umull of bytes", 0x9FE0FC00, 0x0E20C000, "int8"),
        ("smlal umlal smlsl umlsl of bytes", 0x9FE0DC00, 0x0E208000, "int8"),
        ("mul of bytes", 0xBFE0FC00, 0x0E209C00, "int8"),
        ("mla mls of bytes", 0x9FE0FC00, 0x0E209400, "int8"),
        ("smull umull of halfwords", 0x9FE0FC00, 0x0E60C000, "int16"),
        ("smlal umlal smlsl umlsl of halfwords", 0x9FE0DC00, 0x0E608000, "int16"),
        ("sqdmull sqdmlal sqdmlsl of halfwords", 0xBFE0FC00, 0x0E60D000, "int16"),
        ("sqdmlal sqdmlsl of halfwords", 0xBFE0DC00, 0x0E609000, "int16"),
        ("mul of halfwords", 0xBFE0FC00, 0x0E609C00, "int16"),
        ("mla mls of halfwords", 0x9FE0FC00, 0x0E609400, "int16"),
        ("sqdmulh sqrdmulh of halfwords", 0x9FE0FC00, 0x0E60B400, "int16"),
        ("mla mls smlal smlsl, by element", 0x9FC09400, 0x0F400000, "int16"),
        ("smull umull, by element", 0x9FC0F400, 0x0F40A000, "int16"),
        ("mul, by element", 0xBFC0F400, 0x0F408000, "int16"),
        ("sqdmull sqdmulh sqrdmulh, by element", 0xBFC0F400, 0x0F40B000, "int16"),
        ("sqdmulh sqrdmulh, by element", 0xBFC0E400, 0x0F40C000, "int16"),
        ("sqdmlal sqdmlsl, by element", 0xBFC0B400, 0x0F403000, "int16"),
    ),
}

PARTS = (BASE, BASE64, SYSTEM64, LATER, EXTENSIONS, SCALABLE, REST, MULTIPLIES)
TABLE = Table((ASKS, *patterns(*PARTS)))
