"""Kinds 1 to 8: what the code needs of the processor."""

from __future__ import annotations

from tests.kinds.kind import PI2, PI3, PI5, Kind

ZERO = "int main(void) { return 0; }\n"
ROUND = "#include <math.h>\nfloat up(float x) { return floorf(x); }\n"
CALLS_UP = "float up(float);\nint main(int n, char **v) { return (int)up(n) > 99; }\n"
# What lld does: the attributes of the first object stand for the whole file.
FIRST_ONLY = (
    "$OBJCOPY -O binary --only-section=.ARM.attributes --set-section-flags "
    ".ARM.attributes=alloc main.o first; $OBJCOPY --update-section .ARM.attributes=first {}"
)
V8 = "-march=armv8-a -mfpu=neon-fp-armv8 -ffast-math -O2"
A53 = "-mcpu=cortex-a53 -mfpu=neon-fp-armv8 -ffast-math -O2"
V7 = "-march=armv7-a -mfpu=vfpv3-d16 -O2"
TWO = {"up.c": ROUND, "main.c": CALLS_UP}
LINK = "$CC main.o up.o -lm -o tree/main"

LSE = "int n; int main(void) { return __atomic_fetch_add(&n, 1, 5); }\n"
LOOP = (
    "float a[64], b[64];\n__attribute__((noinline)) void mul(int n) "
    "{ for (int i = 0; i < n; i++) a[i] *= b[i]; }\n"
    "int main(int n, char **v) { mul(n * 64); return 0; }\n"
)
DOT = (
    "#include <arm_neon.h>\nint main(int n, char **v) { int8x16_t x = vdupq_n_s8(n); "
    "return vgetq_lane_s32(vdotq_s32(vdupq_n_s32(0), x, x), 0) > 99; }\n"
)
HALF = (
    "#include <arm_neon.h>\nint main(int n, char **v) { float16x8_t x = vdupq_n_f16(n); "
    "return vaddvq_u16(vcgtq_f16(vmulq_f16(x, x), vdupq_n_f16(99))) > 9; }\n"
)
AES = (
    "#include <arm_neon.h>\nint main(int n, char **v) { uint8x16_t x = vdupq_n_u8(n); "
    "return vgetq_lane_u8(vaeseq_u8(x, vdupq_n_u8(3)), 0) > 200; }\n"
)
STATIC = (
    "#include <arm_neon.h>\nstatic float16_t twice(int n) "
    "{ float16x8_t x = vdupq_n_f16(n); return vgetq_lane_f16(vmulq_f16(x, x), 0); }\n"
    "volatile int seed = 3;\nstruct Table { float16_t all; Table() : all(twice(seed)) {} } table;\n"
    'extern "C" int value() { return 0; }\n'
)
ASKS = (
    "#include <sys/auxv.h>\nvoid mul(int);\n"
    "int main(int n, char **v) { if (getauxval(AT_HWCAP) & 1 << 22) mul(n); return 0; }\n"
)
# As faiss and MNN are made: getauxval of its own beside libgcc's, and kernels that are exported.
ATOMICS_TOO = (
    "#include <sys/auxv.h>\n#include <arm_sve.h>\nint n;\n"
    "void count(void) { __atomic_fetch_add(&n, 1, 5); }\n"
    "int wide(void) { return (int)svcntb(); }\n"
    "int width(void) { return getauxval(AT_HWCAP) & 1 << 22 ? wide() : 16; }\n"
)
READS = (
    "#include <elf.h>\n#include <stdio.h>\nvoid mul(int);\nint main(int n, char **v) {"
    ' Elf64_auxv_t one; FILE *all = fopen("/proc/self/auxv", "r");\n'
    "  while (all && fread(&one, sizeof one, 1, all))\n"
    "    if (one.a_type == AT_HWCAP && one.a_un.a_val & 1 << 22) mul(n);\n  return 0; }\n"
)
MUL = "float a[64], b[64];\nvoid mul(int n) { for (int i = 0; i < n; i++) a[i] *= b[i]; }\n"
CALLS_MUL = "void mul(int);\nint main(int n, char **v) { if (n > 5) mul(n); return 0; }\n"
NEVER = MUL + "int main(void) { return 0; }\n"
NEON = (
    "#include <arm_neon.h>\nint main(int n, char **v) { float32x4_t x = vdupq_n_f32(n); "
    "return vgetq_lane_f32(vmulq_f32(x, x), 0) > 99; }\n"
)
# One exported function in ARM's set; behind it one in Thumb's, which only a table names.
BOTH = (
    '#include <arm_neon.h>\n__attribute__((target("arm"))) int first(int n) { return n + 1; }\n'
    "static int second(float *a, float *b, int n) { float32x4_t s = vdupq_n_f32(n);\n"
    "  for (int i = 0; i < n; i += 8) { s = vmulq_f32(s, vld1q_f32(a + i));\n"
    "    vst1q_f32(b + i, s); s = vmulq_f32(s, vld1q_f32(a + i + 4)); vst1q_f32(b + i + 4, s); }\n"
    "  return n; }\nint (*table[])(float *, float *, int) = {second};\n"
)
INT8 = (
    "#include <arm_neon.h>\nint16x8_t products(int8x8_t x, int8x8_t y) "
    "{ return vmull_s8(x, y); }\n"
    "float32x2_t pair(float32x2_t x, float32x2_t y) { return vmul_f32(x, y); }\n"
)
ELEMENTS = (
    "#include <arm_neon.h>\nfloat16x8_t halves(float16x8_t x) { return vmulq_f16(x, x); }\n"
    "int32x4_t dots(int32x4_t s, int8x16_t x) { return vdotq_s32(s, x, x); }\n"
)
LIBRARY = "-shared -fPIC {} -Wl,-soname,libx.so -o tree/libx.so"
SVE = "-march=armv8.2-a+sve -O3"

PROCESSOR = (
    Kind(1, "lld", PI2, TWO,
         (f"$CC {V7} -c main.c", f"$CC {V8} -c up.c", LINK, FIRST_ONLY.format("tree/main")),
         errors="BM116", warnings="BM118", says="main, up runs into it"),
    Kind(1, "lld-first-object-newer", PI2, TWO,
         (f"$CC {V7} -c up.c", f"$CC {V8} -c main.c", LINK, FIRST_ONLY.format("tree/main")),
         warnings="BM115", says="no instruction in the code needs it"),
    Kind(1, "lld-unit-behind-a-branch", PI2,
         {**TWO, "main.c": CALLS_UP.replace("return", "return n > 5 &&")},
         (f"$CC -g {V7} -c main.c", f"$CC -g {V8} -c up.c", LINK, FIRST_ONLY.format("tree/main")),
         errors="BM116", warnings="BM118", says="up.c was compiled for it as a whole (-march="),
    Kind(2, "a-functions-own-target", PI2,
         {"main.c": ROUND.replace("float up", '__attribute__((noinline, target('
                                  '"arch=armv8-a,fpu=neon-fp-armv8"))) float up') + CALLS_UP},
         (f"$CC {V7} -ffast-math main.c -lm -o tree/main",), errors="BM116", warnings="BM118"),
    Kind(2, "assembly-that-switches-back", PI2,
         {"up.s": "\t.syntax unified\n\t.arch armv8-a\n\t.fpu neon-fp-armv8\n\t.text\n\t.globl up\n"
                  "\t.type up,%function\nup:\n\tvrintm.f32 s0, s0\n\tbx lr\n\t.size up, .-up\n"
                  "\t.arch armv7-a\n\t.fpu vfpv3-d16\n"
                  '\t.section .note.GNU-stack,"",%progbits\n', "main.c": CALLS_UP},
         (f"$CC {V7} main.c up.s -o tree/main",), errors="BM116", warnings="BM118"),
    *(
        Kind(3, f"{name}-on-{board}", board, {"main.c": text},
             (f"$CC -O2 {flags} main.c -o tree/main",), errors=errors, says=says)
        for name, text, flags, on_pi5 in (
            ("atomics", LSE, "-march=armv8.1-a", ""),
            ("sve", LOOP, SVE, "BM116"),
            ("dotprod", DOT, "-march=armv8.2-a+dotprod", ""),
            ("half", HALF, "-march=armv8.2-a+fp16", ""),
            ("crypto", AES, "-march=armv8-a+crypto", ""),
        )
        for board, errors in ((PI3, "BM116"), (PI5, on_pi5))
        for says in ("needs " if errors else "",)
    ),
    Kind(4, "a-static-initializer", PI3, {"x.cc": STATIC},
         ("$CXX -O2 -march=armv8.2-a+fp16 " + LIBRARY.format("x.cc"),),
         errors="BM116", says=".init_array"),
    Kind(5, "dispatched", PI3, {"main.c": ASKS, "mul.c": MUL},
         ("$CC -g -O2 -c main.c", f"$CC -g {SVE} -c mul.c", "$CC main.o mul.o -o tree/main"),
         warnings="BM117", says="of sve in mul"),
    Kind(5, "dispatched-beside-outline-atomics", PI3, {"x.c": ATOMICS_TOO},
         ("$CC -O2 -march=armv8-a+sve -moutline-atomics " + LIBRARY.format("x.c"),),
         warnings="BM117"),
    Kind(5, "dispatched-by-a-file-that-tells", PI3, {"main.c": READS, "mul.c": MUL},
         ("$CC -g -O2 -c main.c", f"$CC -g {SVE} -c mul.c", "$CC main.o mul.o -o tree/main"),
         warnings="BM117"),
    Kind(5, "dispatched-to-a-library-of-its-own", PI3, {"main.c": ASKS, "mul.c": MUL},
         (f"$CC -g {SVE} {LIBRARY.format('mul.c')}",
          "$CC -g -O2 main.c -Ltree -lx -Wl,-rpath,'$ORIGIN' -o tree/main"), warnings="BM117"),
    Kind(5, "not-asked-and-in-a-library-of-its-own", PI3, {"main.c": CALLS_MUL, "mul.c": MUL},
         (f"$CC -g {SVE} {LIBRARY.format('mul.c')}",
          "$CC -g -O2 main.c -Ltree -lx -Wl,-rpath,'$ORIGIN' -o tree/main"), errors="BM116"),
    Kind(5, "not-asked-and-called-through-a-pointer", PI3,
         {"main.c": CALLS_MUL.replace("int main", "void (*volatile way)(int) = mul;\nint main")
          .replace(") mul(n)", ") way(n)"), "mul.c": MUL},
         ("$CC -g -mcpu=neoverse-v1 -O3 main.c mul.c -o tree/main",),
         errors="BM116", says="(-mcpu=neoverse-v1)"),
    Kind(5, "not-asked-and-compiled-as-a-whole", PI3, {"main.c": CALLS_MUL, "mul.c": MUL},
         ("$CC -g -O2 -c main.c", f"$CC -g {SVE} -c mul.c", "$CC main.o mul.o -o tree/main"),
         errors="BM116", says="mul.c was compiled for it as a whole (-march=armv8.2-a+sve)"),
    Kind(5, "a-library-compiled-as-a-whole", PI3, {"mul.c": MUL},
         (f"$CC -g {SVE} {LIBRARY.format('mul.c')}",),
         errors="BM116", says="mul.c was compiled for it as a whole"),
    Kind(5, "compiled-as-a-whole-and-never-called", PI3, {"main.c": NEVER},
         (f"$CC -g {SVE} main.c -o tree/main",), warnings="BM117"),
    Kind(5, "compiled-as-a-whole-and-needs-nothing", PI3, {"main.c": ZERO},
         (f"$CC -g {SVE} main.c -o tree/main",), warnings="BM115"),
    Kind(6, "armv8-in-32-bits-on-a-pi3", "pi3-32", TWO,
         (f"$CC {A53} main.c up.c -lm -o tree/main",)),
    Kind(6, "armv8-in-32-bits-on-a-pi2", PI2, TWO,
         (f"$CC {A53} main.c up.c -lm -o tree/main",),
         errors="BM110 BM111 BM112 BM116"),
    Kind(6, "an-object-for-armv8-on-a-pi3", "pi3-32", TWO,
         (f"$CC {A53} -c up.c -o tree/up.o",)),
    Kind(7, "stripped-thumb", PI2, {"main.c": NEON},
         ("$CC -mthumb -march=armv7-a -mfpu=neon -O2 main.c -o tree/main", "$STRIP tree/main"),
         facts={"neon_instructions": 1}),
    Kind(7, "stripped-thumb-library", PI2, {"x.c": NEON.replace("main", "f")},
         ("$CC -mthumb -march=armv7-a -mfpu=neon -O2 " + LIBRARY.format("x.c"),
          "$STRIP tree/libx.so"),
         facts={"neon_instructions": 1}),
    Kind(7, "stripped-and-of-both-sets", PI2, {"x.c": BOTH},
         ("$CC -mthumb -funwind-tables -fno-toplevel-reorder -march=armv7-a -mfpu=neon -O2 "
          + LIBRARY.format("x.c"), "$STRIP tree/libx.so"),
         facts={"neon_instructions": 2}),
    Kind(8, "int8-and-pairs", PI2, {"x.c": INT8},
         ("$CC -march=armv7-a -mfpu=neon -O2 -c x.c -o tree/x.o",),
         facts={"multiplies": {"int8": 1, "float32_pair": 1, "float32": 0}}),
    Kind(8, "half-and-dot-products", PI5, {"x.c": ELEMENTS},
         (f"$CC -march=armv8.2-a+fp16+dotprod -O2 {LIBRARY.format('x.c')}",),
         facts={"multiplies": {"float16": 1, "int8": 1, "float32": 0, "sve": 0}}),
    Kind(8, "scalable", PI5, {"x.c": MUL}, (f"$CC {SVE} -c x.c -o tree/x.o",), warnings="BM117",
         facts={"multiplies": {"sve": 1, "float32": 0}}),
)  # fmt: skip
