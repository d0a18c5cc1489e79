"""Room for thread-local variables: what the loader keeps for libraries that are opened later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.cases.row import Row
from tests.proof.cases.symbols import LIB, MAIN, UP

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENS = (
    "#include <dlfcn.h>\n#include <stdio.h>\nstatic int one(const char *file, const char *name) {\n"
    "  void *library = dlopen(file, RTLD_NOW);\n"
    "  if (!library) { puts(dlerror()); return 3; }\n"
    "  return ((int (*)(void))dlsym(library, name))();\n}\n"
)
ONE = OPENS + 'int main(void) { return one("libvalue.so", "value"); }\n'
TWO = OPENS + (
    'int main(void) { return one("libvalue.so", "value") + one("libother.so", "other"); }\n'
)
OPENER = f"$CC main.c -ldl {UP} -o tree/bin/main"
OTHER = "$CC -shared -fPIC other.c -Wl,-soname,libother.so -o tree/lib/libother.so"
ON_OTHER = LIB.format("value.c -Ltree/lib -lother -Wl,-rpath,'$ORIGIN'")
WHICH = "whether a program opens all that it names, and in which order, its code decides"
TAKES = (
    '__attribute__((tls_model("initial-exec"))) extern __thread int cell[SIZE];\n'
    "int value(void) { return cell[3]; }\n"
)


def _block(size: int, *, name: str = "value", aligned: int = 1) -> str:
    return (
        '__attribute__((tls_model("initial-exec"))) static __thread char '
        f"block[{size}] __attribute__((aligned({aligned})));\n"
        f"int {name}(void) {{ return block[5]; }}\n"
    )


def _imported(size: int) -> Mapping[str, str]:
    taken = TAKES.replace("SIZE", str(size))
    return {"other.c": f"__thread int cell[{size}];\n", "value.c": taken, "main.c": ONE}


ROWS = (
    *(
        Row(
            f"tls-two-{first}-{second}",
            f"two opened libraries of {first} and {second} bytes of static TLS",
            (LIB.format("value.c"), OTHER, OPENER),
            {"value.c": _block(first), "other.c": _block(second, name="other"), "main.c": TWO},
            undecidable=WHICH if first + second > 1664 else "",
        )
        for first, second in ((600, 600), (1000, 1000), (1600, 64))
    ),
    *(
        Row(
            f"tls-one-{size}",
            f"an opened library of {size} bytes of static TLS",
            (LIB.format("value.c"), OPENER),
            {"value.c": _block(size), "main.c": ONE},
        )
        for size in (1600, 1664, 2000)
    ),
    *(
        Row(
            f"tls-aligned-{aligned}",
            f"an opened library whose static TLS is aligned to {aligned} bytes",
            (LIB.format("value.c"), OPENER),
            {"value.c": _block(64, aligned=aligned), "main.c": ONE},
        )
        for aligned in (16, 32, 64, 4096)
    ),
    *(
        Row(
            f"tls-aligned-old-{aligned}",
            f"the same of {aligned} bytes, for older loaders too",
            (LIB.format("value.c"), OPENER),
            {"value.c": _block(64, aligned=aligned), "main.c": ONE},
            compiler="zig",
        )
        for aligned in (32, 64)
    ),
    Row(
        "tls-aligned-as-the-program",
        "the program has variables that are aligned so too",
        (LIB.format("value.c"), OPENER),
        {
            "value.c": _block(64, aligned=64),
            "main.c": ONE.replace("main(void) {", "main(void) { mine[3] = 1;").replace(
                "int main", "static __thread char mine[64] __attribute__((aligned(64)));\nint main"
            ),
        },
    ),
    Row(
        "tls-aligned-needed",
        "a needed library whose static TLS is aligned to 4096 bytes",
        files={"value.c": _block(64, aligned=4096), "main.c": MAIN},
    ),
    Row(
        "tls-taken",
        "an opened library takes another one's 4000 bytes by the initial-exec model",
        (OTHER, ON_OTHER, OPENER),
        _imported(1000),
    ),
    Row(
        "tls-taken-few",
        "the same of 16 bytes",
        (OTHER, ON_OTHER, OPENER),
        _imported(4),
    ),
    Row(
        "tls-dynamic",
        "an opened library with 100000 bytes of thread-local variables that are found when used",
        (LIB.format("value.c"), OPENER),
        {
            "value.c": _block(100000).partition(" ")[2],
            "main.c": ONE,
        },
    ),
)
