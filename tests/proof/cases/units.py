"""Source files that were compiled for a newer processor as a whole, with debug information.

No branch before the instruction is trusted there (docs/audit.md, 'What a source file was compiled
for'): the loops here run as often as the program has arguments, which the file does not tell.
"""

from __future__ import annotations

from tests.proof.case import AARCH64, ARM
from tests.proof.cases.row import Row

# Each uses what a Cortex-A76 lacks (A64), or a Cortex-A15 (A32), in a loop that argc enters.
SVE = "-march=armv8.2-a+sve -O3"
V8 = "-march=armv8-a -mfpu=neon-fp-armv8 -ffast-math -fno-vectorize -O2"
LOOP = (
    "float all[64];\nvoid scale(int n) { for (int i = 0; i < n; i++) all[i] = all[i] * 3 + 1; }\n"
)
ROUND = (
    "float all[64];\n"
    "void scale(int n) { for (int i = 0; i < n; i++) all[i] = __builtin_floorf(all[i]); }\n"
)
CALLS = "void scale(int);\nint main(int argc, char **argv) { scale(argc * 8); return 0; }\n"
IDLE = "int main(int argc, char **argv) { (void)argv; return argc > 9; }\n"
ASKS = (
    "#include <sys/auxv.h>\nvoid scale(int);\nint main(int argc, char **argv)\n"
    "{ if (getauxval({where}) & {bit}) scale(argc * 8); return 0; }\n"
)
ASKS64 = ASKS.replace("{where}", "AT_HWCAP").replace("{bit}", "1 << 22")  # SVE
ASKS32 = ASKS.replace("{where}", "AT_HWCAP2").replace("{bit}", "1 << 4")  # CRC32, so ARMv8
# OpenBLAS with DYNAMIC_ARCH: kernels of whole source files in a table that a constructor chooses.
TABLE = (
    "#include <sys/auxv.h>\nvoid plain(int), newer(int);\nstatic void (*kernel)(int) = plain;\n"
    "__attribute__((constructor)) static void choose(void)\n"
    "{ if (getauxval(AT_HWCAP) & 1 << 22) kernel = newer; }\n"
    "void scale(int n) { kernel(n); }\n"
)
# As faiss and MNN are made: getauxval of its own beside that of libgcc's constructor.
ATOMICS_TOO = (
    "#include <sys/auxv.h>\n#include <arm_sve.h>\nint n;\nint wide(void) { return svcntb(); }\n"
    "void scale(int by) { __atomic_fetch_add(&n, by, 5);\n"
    "  if (getauxval(AT_HWCAP) & 1 << 22) n += wide(); }\n"
)
BEFORE_MAIN = (
    "float all[64];\n__attribute__((constructor)) static void fill(int n)\n"
    "{ for (int i = 0; i < n; i++) all[i] = all[i] * 3 + 1; }\nint value(void) { return 0; }\n"
)
OWN_TARGET = (
    'float all[64];\n__attribute__((target("+sve"), optimize(3), noinline))\n'
    "static void fast(int n) { for (int i = 0; i < n; i++) all[i] = all[i] * 3 + 1; }\n"
    "int main(int argc, char **argv) { (void)argv; if (argc > 9) fast(argc); return 0; }\n"
)
MADE_SO = "$CC -g -O2 {}-c main.c"
LIBRARY = "$CC -shared {} -Wl,-soname,libscale.so -o tree/lib/libscale.so"
WITH_LIBRARY = "$CC main.o -Ltree/lib -lscale -Wl,-rpath,'$ORIGIN/../lib' -o tree/bin/main"
PROGRAM = "$CC main.o scale.o -o tree/bin/main"
NEWER64 = (f"$CC -g {SVE} -fPIC -c scale.c", MADE_SO.format(""))
# lld keeps the attributes of the first object, so that they say ARMv7; clang writes its command
# line down when it is asked to.
NEWER32 = (
    f"$CC -g -grecord-command-line -mthumb {V8} -fPIC -c scale.c",
    MADE_SO.format("-mthumb -march=armv7-a -mfpu=vfpv3-d16 "),
)
AT_RUN = "how often a loop runs is known when it runs"


def _of_64(
    name: str, what: str, files: dict[str, str], *steps: str, compiler: str = "gcc12"
) -> Row:
    return Row(f"unit-{name}", what, steps, files, (AARCH64,), compiler)


ROWS = (
    _of_64(
        "called",
        "a source file for SVE, called",
        {"scale.c": LOOP, "main.c": CALLS},
        *NEWER64,
        PROGRAM,
    ),
    _of_64(
        "called",
        "a source file for SVE, called; clang writes how it was called",
        {"scale.c": LOOP, "main.c": CALLS},
        f"$CC -g -grecord-command-line {SVE} -c scale.c",
        MADE_SO.format(""),
        PROGRAM,
        compiler="clang19",
    ),
    _of_64(
        "asks",
        "a source file for SVE, called when the processor has it",
        {"scale.c": LOOP, "main.c": ASKS64},
        *NEWER64,
        PROGRAM,
    ),
    _of_64(
        "idle",
        "a source file for SVE that nothing leads to",
        {"scale.c": LOOP, "main.c": IDLE},
        *NEWER64,
        PROGRAM,
    ),
    _of_64(
        "alone",
        "-march for SVE, and no instruction of it",
        {"main.c": IDLE},
        "$CC -g -O1 -march=armv8.2-a+sve main.c -o tree/bin/main",
    ),
    _of_64(
        "library",
        "a library of a source file for SVE, called by the program",
        {"scale.c": LOOP, "main.c": CALLS},
        *NEWER64,
        LIBRARY.format("scale.o"),
        WITH_LIBRARY,
    ),
    _of_64(
        "library-idle",
        "a library of a source file for SVE, loaded and not called",
        {"scale.c": LOOP, "main.c": "extern float all[];\nint main(void) { return all[0] > 9; }\n"},
        *NEWER64,
        LIBRARY.format("scale.o"),
        WITH_LIBRARY,
    ),
    _of_64(
        "library-chooses",
        "a library whose constructor chooses a source file's kernel, as OpenBLAS does",
        {
            "table.c": TABLE,
            "newer.c": LOOP.replace("scale", "newer"),
            "plain.c": LOOP.replace("scale", "plain").replace("float all", "extern float all"),
            "main.c": CALLS,
        },
        f"$CC -g {SVE} -fPIC -c newer.c",
        "$CC -g -O2 -fPIC -c plain.c",
        "$CC -g -O2 -fPIC -c table.c",
        MADE_SO.format(""),
        LIBRARY.format("table.o newer.o plain.o"),
        WITH_LIBRARY,
    ),
    _of_64(
        "constructor",
        "a constructor in a source file for SVE; the loader calls it with argc",
        {
            "scale.c": BEFORE_MAIN,
            "main.c": "int value(void);\nint main(void) { return value(); }\n",
        },
        *NEWER64,
        LIBRARY.format("scale.o"),
        WITH_LIBRARY,
    ),
    _of_64(
        "own-target",
        "a function with its own target, behind a branch that is not taken",
        {"main.c": OWN_TARGET},
        "$CC -g -O2 main.c -o tree/bin/main",
    ),
    _of_64(
        "stripped",
        "a source file for SVE, called when the processor has it; no debug information is left",
        {"scale.c": LOOP, "main.c": ASKS64},
        *NEWER64,
        f"{PROGRAM} -s",
    ),
    _of_64(
        "library-asks-beside-atomics",
        "a library that asks by itself beside libgcc, and offers its kernels",
        {"scale.c": ATOMICS_TOO, "main.c": CALLS},
        "$CC -O2 -moutline-atomics -march=armv8-a+sve -fPIC -c scale.c",
        MADE_SO.format(""),
        LIBRARY.format("scale.o"),
        WITH_LIBRARY,
    ),
    Row(
        "unit-called",
        "a source file for ARMv8, called; lld says ARMv7 of the whole",
        (*NEWER32, PROGRAM),
        {"scale.c": ROUND, "main.c": CALLS},
        (ARM,),
        "clang19",
    ),
    Row(
        "unit-asks",
        "a source file for ARMv8, called when the processor has it",
        (*NEWER32, PROGRAM),
        {"scale.c": ROUND, "main.c": ASKS32},
        (ARM,),
        "clang19",
    ),
    Row(
        "unit-idle",
        "a source file for ARMv8 that nothing leads to",
        (*NEWER32, PROGRAM),
        {"scale.c": ROUND, "main.c": IDLE},
        (ARM,),
        "clang19",
    ),
    Row(
        "unit-library",
        "a library of a source file for ARMv8, called by the program",
        (*NEWER32, LIBRARY.format("scale.o"), WITH_LIBRARY),
        {"scale.c": ROUND, "main.c": CALLS},
        (ARM,),
        "clang19",
    ),
)
