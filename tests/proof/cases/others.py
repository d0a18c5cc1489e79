"""Odds and ends of linking: versions that are hidden, and marks that nobody asks for."""

from __future__ import annotations

from tests.proof.case import AARCH64
from tests.proof.cases.row import ALONE, Row, built_later
from tests.proof.cases.symbols import LIB, PROGRAM

HIDDEN = (
    "int first(void) { return 0; }\nint old(void) { return 0; }\n"
    '__asm__(".symver old, value@VN");\n'
)
MAP = "V1 { global: first; local: *; };\nV2 { } V1;\n"
CALLS = "int value(void);\nint main(void) { return value(); }\n"


def _hidden(number: int, what: str) -> Row:
    return Row(
        f"version-hidden-{number}",
        what,
        (
            LIB.format("plain.c"),
            PROGRAM.format(""),
            built_later("old.c", "-Wl,--version-script,two.map"),
        ),
        {
            "plain.c": "int value(void) { return 0; }\n",
            "old.c": HIDDEN.replace("VN", f"V{number}"),
            "two.map": MAP,
            "main.c": CALLS,
        },
    )


# A stand-in for the C library, with names that no board's has, or a board's no longer.
STAND_IN = {
    "old.c": "void *__libc_dlopen_mode(const char *n, int f) { return 0; }\n"
    "int invented(void) { return 0; }\n",
    "old.map": "GLIBC_PRIVATE { global: __libc_dlopen_mode; };\n"
    "GLIBC_2.17 { global: invented; };\n",
}
ON_STAND_IN = (
    "$CC -shared -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script,old.map old.c -o old.so",
    LIB.format("value.c ./old.so -Wl,-z,lazy"),
    PROGRAM.format("-Wl,--allow-shlib-undefined"),
)
SVE = '__asm__ volatile(".arch armv8.2-a+sve\\n\\tptrue p0.b"); return 0;'


def _asks_stand_in(declared: str, call: str) -> dict[str, str]:
    other = f"{declared}\nint other(void) {{ return {call} != 0; }}\n"
    return {**STAND_IN, "value.c": f"{other}int value(void) {{ return 0; }}\n", "main.c": CALLS}


ROWS = (
    _hidden(1, "a name without version, of which the library has the first version, hidden"),
    _hidden(2, "the same of the second version: nothing without version binds to it"),
    Row(
        "name-private",
        "a name that glibc keeps to itself, and has lost since 2.34",
        ON_STAND_IN,
        _asks_stand_in("void *__libc_dlopen_mode(const char *, int);", '__libc_dlopen_mode("", 1)'),
    ),
    Row(
        "name-invented",
        "a name that glibc never had, of a version that it has",
        ON_STAND_IN,
        _asks_stand_in("int invented(void);", "invented()"),
    ),
    Row(
        "called-back",
        "a library calls a function of the program, by its name, which needs SVE",
        (LIB.format("value.c"), PROGRAM.format("-rdynamic -Wl,--allow-shlib-undefined")),
        {
            "value.c": "int back(void);\nint value(void) { return back(); }\n",
            "main.c": CALLS + f"int back(void) {{ {SVE} }}\n",
        },
        (AARCH64,),
    ),
    Row(
        "marked-gcs",
        "marked for guarded control stacks, which neither the kernel nor glibc asks for",
        ("$CC main.c -Wl,-z,gcs=always -o tree/bin/main",),
        ALONE,
        (AARCH64,),
        "gcc14",
    ),
)
