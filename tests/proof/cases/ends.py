"""Runs that end in a trap, where no processor goes on, and those that only look like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM
from tests.proof.cases.row import Row
from tests.proof.cases.symbols import LIB, MAIN, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAP = "__builtin_trap();"
HANDLED = (
    "#include <signal.h>\n#include <unistd.h>\n"
    "static void caught(int n) { (void)n; _exit(0); }\n"
    "int main(void) { signal(SIGILL, caught); signal(SIGTRAP, caught); __builtin_trap(); }\n"
)
ANOTHER = (
    "#include <stdlib.h>\n__attribute__((noinline)) static void leave(void) { exit(0); }\n"
    "int main(void) { leave(); __builtin_trap(); }\n"
)
POINTED = (
    "#include <stdlib.h>\nvoid (*volatile leave)(int) = exit;\n"
    "int main(void) { leave(0); __builtin_trap(); }\n"
)
WITHOUT_NAMES = "whether a function without a name comes back, its calls of the kernel decide"
BYHAND = {
    AARCH64: {"udf": ".inst 0", "brk": "brk #1", "hlt": "hlt #1"},
    ARM: {"udf": "udf #0", "bkpt": "bkpt #0", "udf-arm": "udf #0", "bkpt-arm": "bkpt #0"},
}
# name -> (what it is, main.c)
PROGRAMS = {
    "main": ("main is a trap alone", f"int main(void) {{ {TRAP} }}\n"),
    "said": (
        "main says something and then comes to a trap",
        f'#include <stdio.h>\nint main(void) {{ puts("so far"); {TRAP} }}\n',
    ),
    "called": (
        "main calls a function that is a trap",
        "__attribute__((noinline, noclone)) static int stop(int x) {"
        f' __asm__ volatile("" : "+r"(x)); {TRAP} }}\n'
        "int main(int argc, char **argv) { (void)argv; return stop(argc); }\n",
    ),
    "either": (
        "both ways through main end in a trap",
        "#include <stdio.h>\nint main(int argc, char **argv) { if (argc > 5) puts(argv[1]);"
        f' else puts("none"); {TRAP} }}\n',
    ),
    "constructor": (
        "a constructor of the program is a trap",
        f"__attribute__((constructor)) static void early(void) {{ {TRAP} }}\n"
        "int main(void) { return 0; }\n",
    ),
    "destructor": (
        "a destructor of the program is a trap",
        f"__attribute__((destructor)) static void late(void) {{ {TRAP} }}\n"
        "int main(void) { return 0; }\n",
    ),
    "abort": (
        "main aborts",
        "#include <stdlib.h>\nint main(void) { abort(); }\n",
    ),
    "behind": (
        "a trap behind a branch that is not taken",
        f"int main(int argc, char **argv) {{ (void)argv; if (argc > 5) {TRAP} return 0; }}\n",
    ),
    "exited": (
        "a trap behind a call of exit",
        f"#include <stdlib.h>\nint main(void) {{ exit(0); {TRAP} }}\n",
    ),
    "left": ("a trap behind a function of its own that leaves", ANOTHER),
    "pointed": ("a trap behind a call by a pointer, which leaves", POINTED),
    "handled": ("a trap whose signal it catches", HANDLED),
    "idle": (
        "a trap in a function that nobody calls",
        f"void never(void) {{ {TRAP} }}\nint main(void) {{ return 0; }}\n",
    ),
}


def _rows() -> Iterator[Row]:
    for name, (what, text) in PROGRAMS.items():
        files = {"main.c": text}
        yield Row(f"trap-{name}", what, ("$CC -O1 main.c -o tree/bin/main",), files)
        if name in ("main", "exited", "left"):
            steps = ("$CC -O0 main.c -o tree/bin/main",)
            yield Row(f"trap-{name}", f"{what}, -O0", steps, files, compiler="clang19")
        if name in ("main", "said", "left"):
            steps = ("$CC -O1 -s -static main.c -o tree/bin/main",)
            hangs = WITHOUT_NAMES if name == "said" else ""
            static = f"{what}, static and stripped"
            yield Row(f"trap-{name}-static", static, steps, files, undecidable=hangs)
    for machine, lines in BYHAND.items():
        for name, line in lines.items():
            options = "-marm" if name.endswith("arm") else ""
            yield Row(
                f"trap-by-hand-{name}",
                f"main has {line}, and a return behind it",
                (f"$CC -O1 {options} main.c -o tree/bin/main",),
                {"main.c": f'int main(void) {{ __asm__ volatile("{line}"); return 0; }}\n'},
                (machine,),
            )
    yield Row(
        "trap-library-constructor",
        "a library's constructor that is a trap",
        (LIB.format("-O1 value.c"), PROGRAM.format("")),
        {
            "value.c": f"__attribute__((constructor)) static void early(void) {{ {TRAP} }}\n"
            "int value(void) { return 0; }\n",
            "main.c": MAIN,
        },
    )


ROWS = tuple(_rows())
