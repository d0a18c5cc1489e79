"""Weak functions that nobody has, called with a look whether they are there and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.cases.row import PLAIN, Row
from tests.proof.cases.symbols import LIB, MAIN, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Mapping

WEAK = "__attribute__((weak)) int maybe(void);\n"
CALLS = WEAK + "int main(void) { return maybe(); }\n"
LIBRARY = WEAK + "int value(void) { return maybe(); }\n"
CONSTRUCTOR = (
    WEAK + "__attribute__((constructor)) static void start(void) { maybe(); }\n"
    "int value(void) { return 0; }\n"
)
ASKED = WEAK + "int main(void) { return maybe ? maybe() : 0; }\n"
VARIABLE = "extern __attribute__((weak)) int maybe;\n"
READS = VARIABLE + "int main(void) { return maybe; }\n"
NO_PLT = "-O1 -fno-plt"
LISTED = (
    "__attribute__((weak)) void maybe(void);\n"
    '__attribute__((section(".init_array"), used)) static void (*first)(void) = maybe;\n'
)


def _alone(name: str, what: str, source: str, options: str = "-O1") -> Row:
    return Row(name, what, (f"$CC {options} main.c -o tree/bin/main",), {"main.c": source})


def _with(library: str, main: str = MAIN) -> Mapping[str, str]:
    return {"value.c": library, "main.c": main}


ROWS = (
    _alone("weak-called", "a weak function that nobody has, called as if it were there", CALLS),
    _alone("weak-tail", "the same, as the last thing that main does", CALLS, "-O2"),
    _alone("weak-called-no-pie", "the same at a fixed address", CALLS, "-O1 -no-pie -fno-pic"),
    _alone(
        "weak-called-static",
        "the same, static: the linker leaves the call out",
        CALLS.replace("maybe()", "maybe() * 0"),
        "-O1 -static",
    ),
    Row(
        "weak-called-lld",
        "the same, linked by lld",
        ("$CC -O1 main.c -o tree/bin/main",),
        {"main.c": CALLS},
        compiler="clang19",
    ),
    Row("weak-library", "a library calls it", files=_with(LIBRARY)),
    Row("weak-constructor", "a constructor of a library calls it", files=_with(CONSTRUCTOR)),
    Row(
        "weak-given",
        "a library calls it, and the program has it",
        (PLAIN[0], PROGRAM.format("-rdynamic")),
        _with(LIBRARY, MAIN + "int maybe(void) { return 0; }\n"),
    ),
    _alone(
        "weak-there",
        "a weak function that the C library has",
        "__attribute__((weak)) int getpid(void);\nint main(void) { return getpid() * 0; }\n",
    ),
    _alone(
        "weak-idle",
        "called in a function that nobody calls",
        WEAK + "int never(void) { return maybe(); }\nint main(void) { return 0; }\n",
    ),
    _alone(
        "weak-asked-of-another",
        "called where another one of its family is there",
        WEAK + "__attribute__((weak)) int first(void);\n"
        "int main(void) { return first ? maybe() : 0; }\n",
    ),
    Row(
        "weak-library-asked",
        "a library looks whether it is there",
        (LIB.format("-O2 value.c"), PROGRAM.format("")),
        _with(WEAK + "int value(void) { return maybe ? maybe() : 0; }\n"),
    ),
    _alone("weak-no-plt", "a weak function called by its address (-fno-plt)", CALLS, NO_PLT),
    _alone("weak-no-plt-asked", "the same, behind a look whether it is there", ASKED, NO_PLT),
    _alone(
        "weak-no-plt-exits",
        "the same, and the look ends the program",
        "#include <stdlib.h>\n"
        + WEAK
        + "int main(void) { if (!maybe) exit(0); return maybe(); }\n",
        NO_PLT,
    ),
    Row(
        "weak-no-plt-library",
        "a library calls it so",
        (LIB.format(f"{NO_PLT} value.c"), PROGRAM.format("")),
        _with(LIBRARY),
    ),
    Row(
        "weak-no-plt-given",
        "a library calls it so, and the program has it",
        (LIB.format(f"{NO_PLT} value.c"), PROGRAM.format("-rdynamic")),
        _with(LIBRARY, MAIN + "int maybe(void) { return 0; }\n"),
    ),
    _alone("weak-variable", "a weak variable that nobody has, read", READS),
    _alone("weak-variable-written", "written", VARIABLE + "int main(void) { maybe = 3; }\n"),
    _alone(
        "weak-variable-asked",
        "read behind a look whether it is there",
        VARIABLE + "int main(void) { return &maybe ? maybe : 0; }\n",
    ),
    Row(
        "weak-variable-library",
        "a library reads it",
        (LIB.format("-O2 value.c"), PROGRAM.format("")),
        _with(VARIABLE + "int value(void) { return maybe; }\n"),
    ),
    Row(
        "weak-variable-given",
        "a library reads it, and the program has it",
        (LIB.format("-O2 value.c"), PROGRAM.format("-rdynamic")),
        _with(VARIABLE + "int value(void) { return maybe; }\n", MAIN + "int maybe;\n"),
    ),
    Row(
        "weak-variable-lld",
        "a weak variable that nobody has, read, linked by lld",
        ("$CC -O1 main.c -o tree/bin/main",),
        {"main.c": READS},
        compiler="clang19",
    ),
    _alone(
        "weak-listed",
        ".init_array of a program names a weak function that nobody has",
        LISTED + "int main(void) { return 0; }\n",
    ),
    Row(
        "weak-listed-library",
        ".init_array of a library names it",
        files=_with(LISTED + "int value(void) { return 0; }\n"),
    ),
    Row(
        "weak-listed-given",
        "the same, and the program has it",
        (PLAIN[0], PROGRAM.format("-rdynamic")),
        _with(LISTED + "int value(void) { return 0; }\n", MAIN + "void maybe(void) {}\n"),
    ),
    _alone(
        "weak-constructor-of-program",
        "a constructor of the program calls it",
        WEAK + "__attribute__((constructor)) static void start(void) { maybe(); }\n"
        "int main(void) { return 0; }\n",
    ),
)
