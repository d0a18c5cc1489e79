"""A function of the program, or of a library before it, in the place of the library's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM
from tests.proof.cases.places import BASE, NEWER
from tests.proof.cases.row import Row
from tests.proof.cases.symbols import LIB, PROGRAM, UP

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = (
    '__attribute__((noinline)) int helper(int x) { __asm__ volatile(""); return x; }\n'
    "int value(void) { return helper(0) == 99; }\n"
)
POINTED = (
    "int helper(int x) { return x; }\n"
    "static int (*const table[])(int) = {helper};\n"
    "int value(void) { return table[0](0) == 99; }\n"
)
BY_POINTER = "whether a function is called whose address is in a table, its code decides"
BY_NAME = "whether anybody asks for the function by its name when it runs (dlsym), its code decides"
MAIN = "int value(void);\nint main(void) { return value(); }\n"


def _newer(machine: str) -> str:
    """The same function for a newer processor."""
    return NEWER[machine].replace("SPOT", "static") + "int helper(int x) { return newer(x); }\n"


def _rows() -> Iterator[Row]:
    for machine in (ARM, AARCH64):
        base, newer = f"-O2 {BASE[machine]}", _newer(machine)
        two = (
            f"$CC {base} -shared -fPIC newer.c -Wl,-soname,libnewer.so -o tree/lib/libnewer.so",
            LIB.format(f"{base} value.c"),
            f"$CC {base} main.c -Ltree/lib -Wl,--no-as-needed -lnewer -lvalue {UP}"
            " -o tree/bin/main",
        )
        after = (*two[:2], two[2].replace("-lnewer -lvalue", "-lvalue -lnewer"))
        of_program = {"value.c": PLAIN, "main.c": newer + MAIN}
        of_library = {"value.c": PLAIN, "newer.c": newer, "main.c": MAIN}
        alone = (LIB.format(f"{base} value.c"), PROGRAM.format(base))
        for name, what, steps, files in (
            ("program", "the program's takes the place of the library's own", alone, of_program),
            (
                "pointer",
                "the same, called by a pointer in the library's data",
                alone,
                {**of_program, "value.c": POINTED},
            ),
            ("library", "a library before it has the function", two, of_library),
            ("library-behind", "a library behind it has the function", after, of_library),
            (
                "symbolic",
                "the program has the function, and the library calls its own",
                (LIB.format(f"{base} -Wl,-Bsymbolic value.c"), PROGRAM.format(base)),
                of_program,
            ),
        ):
            hangs = BY_NAME if machine == ARM and name in ("library-behind", "symbolic") else ""
            hangs = hangs or (BY_POINTER if name == "pointer" else "")
            yield Row(f"interposed-{name}", what, steps, files, (machine,), undecidable=hangs)


ROWS = tuple(_rows())
