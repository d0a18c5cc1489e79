"""One instruction set extension each, used straight from main, by compiler and optimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

MAIN = "int use(int);\nint main(int argc, char **argv) { (void)argv; return use(argc) == 77; }\n"
NEON = "#include <arm_neon.h>\n"
ACLE = "#include <arm_acle.h>\n"
KEEP = 'static void keep(void *p) { __asm__ volatile("" : : "r"(p) : "memory"); }\n'

# What it is, the flags that give it, and a function `use` that needs it.
FEATURES32 = {
    "vrint": (
        "-march=armv8-a -mfpu=neon-fp-armv8 -ffast-math",
        "int use(int x) { return (int)__builtin_floorf((float)x * 1.5f) + x; }\n",
    ),
    "vmaxnm": (
        "-march=armv8-a -mfpu=neon-fp-armv8 -ffast-math",
        "float keep_a = 3;\nint use(int x) { return (int)__builtin_fmaxf((float)x, keep_a); }\n",
    ),
    "vsel": (
        "-march=armv8-a -mfpu=neon-fp-armv8",
        "float keep_a = 3, keep_b = 4;\n"
        "int use(int x) { volatile float r = x > 0 ? keep_a : keep_b; return (int)r; }\n",
    ),
    "lda": (
        "-march=armv8-a -mfpu=neon-fp-armv8",
        "int cell;\nint use(int x) { __atomic_store_n(&cell, x, __ATOMIC_RELEASE);"
        " return __atomic_load_n(&cell, __ATOMIC_ACQUIRE); }\n",
    ),
    "crc32": (
        "-march=armv8-a+crc -mfpu=neon-fp-armv8",
        ACLE + "int use(int x) { return (int)__crc32b(x, 3) == 77 ? 1 : 0; }\n",
    ),
    "aes": (
        "-march=armv8-a -mfpu=crypto-neon-fp-armv8",
        NEON + KEEP + "int use(int x) { uint8x16_t v = vdupq_n_u8(x); v = vaeseq_u8(v, v);"
        " keep(&v); return 0; }\n",
    ),
    "sha256": (
        "-march=armv8-a -mfpu=crypto-neon-fp-armv8",
        NEON + KEEP + "int use(int x) { uint32x4_t v = vdupq_n_u32(x);"
        " v = vsha256hq_u32(v, v, v); keep(&v); return 0; }\n",
    ),
    "idiv": (
        "-mcpu=cortex-a15 -mfpu=vfpv3-d16",
        "int keep_a = 1000;\nint use(int x) { return keep_a / x; }\n",
    ),
    "vfma": (
        "-march=armv7-a -mfpu=neon-vfpv4 -ffast-math",
        "float keep_a = 3;\nint use(int x) { return (int)(keep_a * (float)x + 2.5f); }\n",
    ),
    "half": (
        "-march=armv7-a -mfpu=neon-vfpv4 -mfp16-format=ieee",
        "__fp16 keep_a = 3;\nint use(int x) { return (int)((float)keep_a * (float)x); }\n",
    ),
    "neon": (
        "-march=armv7-a -mfpu=neon",
        NEON + KEEP + "int use(int x) { float32x4_t v = vdupq_n_f32((float)x); v = vmulq_f32(v, v);"
        " keep(&v); return 0; }\n",
    ),
    "dotprod": (
        "-march=armv8.2-a+dotprod -mfpu=auto",
        NEON + KEEP + "int use(int x) { int8x16_t v = vdupq_n_s8(x); int32x4_t s = vdupq_n_s32(0);"
        " s = vdotq_s32(s, v, v); keep(&s); return 0; }\n",
    ),
    "fp16": (
        "-march=armv8.2-a+fp16 -mfpu=auto -mfp16-format=ieee",
        NEON + KEEP + "int use(int x) { float16x8_t v = vdupq_n_f16((__fp16)x);"
        " v = vmulq_f16(v, v); keep(&v); return 0; }\n",
    ),
    "rdm": (
        "-march=armv8.1-a -mfpu=neon-fp-armv8",
        NEON + KEEP + "int use(int x) { int16x8_t v = vdupq_n_s16(x);"
        " v = vqrdmlahq_s16(v, v, v); keep(&v); return 0; }\n",
    ),
    "i8mm": (
        "-march=armv8.6-a+i8mm -mfpu=auto",
        NEON + KEEP + "int use(int x) { int8x16_t v = vdupq_n_s8(x); int32x4_t s = vdupq_n_s32(0);"
        " s = vmmlaq_s32(s, v, v); keep(&s); return 0; }\n",
    ),
    "base": ("-march=armv7-a -mfpu=vfpv3-d16", "int use(int x) { return x * 3; }\n"),
}
FEATURES64 = {
    "lse": (
        "-march=armv8.1-a",
        "int cell;\nint use(int x) { return __atomic_fetch_add(&cell, x, __ATOMIC_SEQ_CST); }\n",
    ),
    "outline": (
        "-march=armv8-a -moutline-atomics",
        "int cell;\nint use(int x) { return __atomic_fetch_add(&cell, x, __ATOMIC_SEQ_CST); }\n",
    ),
    "rdm": (
        "-march=armv8.1-a",
        NEON + KEEP + "int use(int x) { int16x8_t v = vdupq_n_s16(x);"
        " v = vqrdmlahq_s16(v, v, v); keep(&v); return 0; }\n",
    ),
    "dotprod": (
        "-march=armv8.2-a+dotprod",
        NEON + KEEP + "int use(int x) { int8x16_t v = vdupq_n_s8(x); int32x4_t s = vdupq_n_s32(0);"
        " s = vdotq_s32(s, v, v); keep(&s); return 0; }\n",
    ),
    "fp16": (
        "-march=armv8.2-a+fp16",
        NEON + KEEP + "int use(int x) { float16x8_t v = vdupq_n_f16((__fp16)x);"
        " v = vmulq_f16(v, v); keep(&v); return 0; }\n",
    ),
    "fhm": (
        "-march=armv8.2-a+fp16fml",
        NEON + KEEP + "int use(int x) { float16x8_t v = vdupq_n_f16((__fp16)1);"
        " float32x4_t s = vdupq_n_f32((float)x); s = vfmlalq_low_f16(s, v, v);"
        " keep(&s); return 0; }\n",
    ),
    "bf16": (
        "-march=armv8.2-a+bf16",
        NEON + KEEP + "int use(int x) { bfloat16x8_t v = vreinterpretq_bf16_s16(vdupq_n_s16(x));"
        " float32x4_t s = vdupq_n_f32(0); s = vbfdotq_f32(s, v, v); keep(&s); return 0; }\n",
    ),
    "i8mm": (
        "-march=armv8.2-a+i8mm",
        NEON + KEEP + "int use(int x) { int8x16_t v = vdupq_n_s8(x); int32x4_t s = vdupq_n_s32(0);"
        " s = vmmlaq_s32(s, v, v); keep(&s); return 0; }\n",
    ),
    "sve": (
        "-march=armv8.2-a+sve -O3",
        "float keep_a[64];\nint use(int x) { for (int i = 0; i < 64; i++) keep_a[i] = keep_a[i] *"
        " (float)x + 2.5f; return (int)keep_a[3]; }\n",
    ),
    "sve2": (
        "-march=armv8.5-a+sve2",
        "#include <arm_sve.h>\nint use(int x) { svint32_t v = svdup_s32(x);"
        " return (int)svaddv_s32(svptrue_b32(), svaba_s32(v, v, v)) == 78; }\n",
    ),
    "aes": (
        "-march=armv8-a+crypto",
        NEON + KEEP + "int use(int x) { uint8x16_t v = vdupq_n_u8(x); v = vaeseq_u8(v, v);"
        " keep(&v); return 0; }\n",
    ),
    "sha3": (
        "-march=armv8.2-a+sha3",
        NEON + KEEP + "int use(int x) { uint8x16_t v = vdupq_n_u8(x); v = veor3q_u8(v, v, v);"
        " keep(&v); return 0; }\n",
    ),
    "rcpc": (
        "-march=armv8-a",
        'int cell;\nint use(int x) { int r; __asm__ volatile(".arch armv8.3-a\\n\\tldapr %w0, [%1]"'
        ' : "=r"(r) : "r"(&cell)); return r + x; }\n',
    ),
    "jscvt": (
        "-march=armv8.3-a",
        ACLE + "double keep_a = 3;\nint use(int x) { return __jcvt(keep_a) + x; }\n",
    ),
    "fcma": (
        "-march=armv8.3-a",
        NEON + KEEP + "int use(int x) { float32x4_t v = vdupq_n_f32((float)x);"
        " v = vcaddq_rot90_f32(v, v); keep(&v); return 0; }\n",
    ),
    "frint": (
        "-march=armv8.5-a",
        NEON + KEEP + "int use(int x) { float32x2_t v = vdup_n_f32((float)x);"
        " v = vrnd32z_f32(v); keep(&v); return 0; }\n",
    ),
    "crc32": (
        "-march=armv8-a+crc",
        ACLE + "int use(int x) { return (int)__crc32b(x, 3) == 77 ? 1 : 0; }\n",
    ),
    "pac": (
        "-march=armv8.3-a -mbranch-protection=pac-ret+leaf",
        "int use(int x) { return x * 3; }\n",
    ),
    "hints": (
        "-march=armv8-a -mbranch-protection=standard",
        "int use(int x) { return x * 3; }\n",
    ),
    "base": ("-march=armv8-a", "int use(int x) { return x * 3; }\n"),
}
# zig takes its processor as -mcpu, with underscores.
ZIG = {
    (ARM, "vrint"): "-mcpu=cortex_a53",
    (ARM, "vfma"): "-mcpu=cortex_a7",
    (ARM, "idiv"): "-mcpu=cortex_a15",
    (ARM, "base"): "-mcpu=generic+v7a",
    (AARCH64, "lse"): "-mcpu=cortex_a76",
    (AARCH64, "dotprod"): "-mcpu=cortex_a76",
    (AARCH64, "fp16"): "-mcpu=cortex_a76",
    (AARCH64, "base"): "-mcpu=cortex_a53",
}
OPTIMISATION = {"gcc12": "-O2", "gcc14": "-Os", "clang14": "-O1", "clang19": "-O2", "zig": "-O2"}
# clang has no way to write these two, or writes another instruction.
NOT_CLANG = {(ARM, "half"), (ARM, "base"), (AARCH64, "sve"), (AARCH64, "outline")}
SETS = {ARM: FEATURES32, AARCH64: FEATURES64}


def cases() -> Iterator[Case]:
    for machine, features in SETS.items():
        for feature, (flags, source) in features.items():
            for compiler in ("gcc12", "gcc14", "clang19"):
                if compiler == "clang19" and (machine, feature) in NOT_CLANG:
                    continue
                if compiler == "gcc14" and feature in ("fhm", "sha256", "fcma", "vsel", "i8mm"):
                    continue  # the matrix is full enough
                yield _case(machine, feature, compiler, flags, source)
    for (machine, feature), flags in ZIG.items():
        yield _case(machine, feature, "zig", flags, SETS[machine][feature][1])


def _case(machine: str, feature: str, compiler: str, flags: str, source: str) -> Case:
    level = OPTIMISATION[compiler]
    if compiler == "zig" and feature == "vrint":
        level += " -ffast-math"
    if compiler.startswith("clang"):
        flags = flags.replace("-mfpu=auto", "").replace("-mfp16-format=ieee", "")
    thumb = "-mthumb" if machine == ARM and compiler != "gcc14" else ""
    base = {ARM: "-march=armv7-a -mfpu=vfpv3-d16", AARCH64: ""}[machine]
    plain = "" if compiler == "zig" else f"{base} {thumb}"
    return Case(
        f"{machine}-{feature}-{compiler}",
        machine,
        compiler,
        f"{feature} called from main, {flags} {level}",
        {"use.c": source, "main.c": MAIN},
        (
            f"$CC {level} {thumb} {flags} -c use.c",
            f"$CC {level} {plain or flags} -c main.c",
            f"$CC {flags if compiler == 'zig' else ''} main.o use.o -o tree/bin/main",
        ),
    )
