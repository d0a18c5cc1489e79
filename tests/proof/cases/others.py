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


ROWS = (
    _hidden(1, "a name without version, of which the library has the first version, hidden"),
    _hidden(2, "the same of the second version: nothing without version binds to it"),
    Row(
        "marked-gcs",
        "marked for guarded control stacks, which neither the kernel nor glibc asks for",
        ("$CC main.c -Wl,-z,gcs=always -o tree/bin/main",),
        ALONE,
        (AARCH64,),
        "gcc14",
    ),
)
