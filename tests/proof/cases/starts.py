"""Where a run begins: landing pads, entry points, loaders."""

from __future__ import annotations

from tests.proof.case import AARCH64
from tests.proof.cases.row import ALONE, Row
from tests.proof.cases.symbols import LIB, PROGRAM

BTI = "-mbranch-protection=standard"
ROWS = (
    Row(
        "marked-bti",
        "marked for BTI with start files that are not made for it",
        (f"$CC {BTI} main.c -Wl,-z,force-bti -o tree/bin/main",),
        ALONE,
        (AARCH64,),
    ),
    Row(
        "marked-bti-static",
        "the same, static: the kernel maps it so",
        (f"$CC {BTI} -static main.c -Wl,-z,force-bti -o tree/bin/main",),
        ALONE,
        (AARCH64,),
    ),
    Row(
        "marked-bti-library",
        "a library that is marked for BTI, and whose function was not compiled for it",
        (LIB.format("-nostartfiles value.c -Wl,-z,force-bti"), PROGRAM.format("")),
        machines=(AARCH64,),
    ),
    Row(
        "marked-bti-rightly",
        "a library that was compiled for BTI, without start files",
        (LIB.format(f"-nostartfiles {BTI} value.c"), PROGRAM.format("")),
        machines=(AARCH64,),
    ),
    Row("entry-zero", "an entry point of 0", ("$CC main.c -Wl,-e,0 -o tree/bin/main",), ALONE),
    Row(
        "entry-data",
        "an entry point in the data",
        ("$CC main.c -Wl,-e,cell -o tree/bin/main",),
        {"main.c": "int cell = 7;\nint main(void) { return 0; }\n"},
    ),
    Row(
        "interpreter-relative",
        "PT_INTERP without a slash before it: against the folder in which it is started",
        ("$CC main.c -Wl,--dynamic-linker,lib/$LOADER -o tree/bin/main",),
        ALONE,
        everywhere=True,
    ),
    Row(
        "interpreter-around",
        "PT_INTERP that goes up and down again",
        ("$CC main.c -Wl,--dynamic-linker,/lib/../lib/$LOADER -o tree/bin/main",),
        ALONE,
    ),
    Row(
        "interpreter-none",
        "a dynamic program that names no loader",
        ("$CC main.c -Wl,--no-dynamic-linker -o tree/bin/main",),
        ALONE,
    ),
    Row(
        "static-pie",
        "static-pie",
        ("$CC -static-pie -fPIE main.c -o tree/bin/main",),
        ALONE,
        (AARCH64,),  # GCC 12 links none for ARM: its crt files are not for it
    ),
    Row("lto", "link-time optimisation", ("$CC -flto -O2 main.c -s -o tree/bin/main",), ALONE),
)
