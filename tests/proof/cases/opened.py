"""What a program opens at run time (dlopen) by a name in its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.cases.kinds import NEVER
from tests.proof.cases.row import Row
from tests.proof.cases.symbols import LIB, MAIN, PROGRAM, UP, VALUE

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENS = (
    "#include <dlfcn.h>\n#include <stdio.h>\n"
    'int main(void) { void *l = dlopen("libvalue.so", MODE);'
    ' if (!l) { puts(dlerror()); return 3; } return ((int (*)(void))dlsym(l, "value"))(); }\n'
)
OPENER = f"$CC main.c -ldl {UP} {{}} -o tree/bin/main"
LEAF = "$CC -shared -fPIC leaf.c -Wl,-soname,libleaf.so -o tree/lib/libleaf.so"
ON_LEAF = LIB.format("value.c -Ltree/lib -lleaf")
PAIR = {
    "leaf.c": "int leaf(void) { return 0; }\n",
    "value.c": "int leaf(void);\nint value(void) { return leaf(); }\n",
}
WHETHER = (
    "whether a program goes on without what it names to open, or opens it by another name,"
    " its code decides"
)


def _opens(library: str, mode: str = "RTLD_NOW") -> Mapping[str, str]:
    return {"value.c": library, "main.c": OPENS.replace("MODE", mode)}


PIE = "$CC -pie -fPIE -rdynamic value.c main.c -ldl -Wl,-soname,libvalue.so -o tree/lib/libvalue.so"

ROWS = (
    Row(
        "needed-program",
        "the library that is needed is a program, which may lie anywhere, today",
        (LIB.format("value.c"), PROGRAM.format(""), PIE),
    ),
    Row(
        "opened-program",
        "the library that is opened is such a program",
        (PIE, OPENER.format("")),
        _opens(VALUE),
    ),
    Row(
        "opened-lacks",
        "a library without a path of its own, opened, lacks a name",
        (LIB.format("value.c -Wl,-z,lazy"), OPENER.format("")),
        _opens(NEVER),
    ),
    Row(
        "opened-lacks-lazy",
        "the same with RTLD_LAZY: not started once all names are bound",
        (LIB.format("value.c -Wl,-z,lazy"), OPENER.format("")),
        _opens(NEVER, "RTLD_LAZY"),
    ),
    Row(
        "opened-given",
        "the program offers the name that the opened library lacks",
        (LIB.format("value.c"), OPENER.format("-rdynamic")),
        {**_opens(NEVER), "main.c": _opens("")["main.c"] + "int nobody(void) { return 0; }\n"},
    ),
    Row(
        "opened-needs",
        "the opened library needs another one, which the program's RUNPATH does not lead it to",
        (LEAF, ON_LEAF, OPENER.format("-Wl,--enable-new-dtags")),
        {**PAIR, "main.c": _opens("")["main.c"]},
    ),
    Row(
        "opened-needs-rpath",
        "the same with an RPATH, which holds for what is opened as well",
        (LEAF, ON_LEAF, OPENER.format("-Wl,--disable-new-dtags")),
        {**PAIR, "main.c": _opens("")["main.c"]},
    ),
    Row(
        "opened-elsewhere",
        "the program names a library of the tree to open, and has no path to it",
        (LIB.format("value.c"), "$CC main.c -ldl -o tree/bin/main"),
        {"value.c": VALUE, "main.c": _opens("")["main.c"].replace("puts(dlerror());", "")},
        undecidable=WHETHER,
    ),
    Row(
        "opened-by-library",
        "a library opens another one by its own RUNPATH",
        (
            "$CC -shared -fPIC deep.c -Wl,-soname,libdeep.so -o tree/lib/libdeep.so",
            LIB.format("value.c -ldl -Wl,-rpath,'$ORIGIN'"),
            PROGRAM.format(""),
        ),
        {
            "deep.c": "int deep(void) { return 0; }\n",
            "value.c": OPENS.replace("MODE", "RTLD_NOW")
            .replace("main", "value")
            .replace("libvalue", "libdeep")
            .replace('"value"', '"deep"'),
            "main.c": MAIN,
        },
    ),
    Row(
        "opened-by-static",
        "a static program opens a library of the board: its own glibc must be the board's",
        ("$CC main.c -static -ldl -o tree/bin/main",),
        {
            "main.c": "#include <dlfcn.h>\n"
            'int main(void) { return dlopen("libm.so.6", RTLD_NOW) == 0; }\n'
        },
        undecidable="no static program says which glibc it was linked with",
    ),
)
