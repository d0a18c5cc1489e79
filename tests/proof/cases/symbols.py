"""What the loader binds: symbols, their versions, and the libraries that define them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM, Case

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VALUE = "int value(void) { return 0; }\n"
MAIN = "int value(void);\nint main(void) { return value(); }\n"
UP = "-Wl,-rpath,'$ORIGIN/../lib'"
LIB = "$CC -shared -fPIC {} -Wl,-soname,libvalue.so -o tree/lib/libvalue.so"
PROGRAM = f"$CC main.c -Ltree/lib -lvalue {UP} {{}} -o tree/bin/main"
MAP = {
    "one.map": "ONE { global: value; local: *; };\n",
    "two.map": "ONE { };\nTWO { global: value; } ONE;\n",
    "three.map": "THREE { global: value; other; };\n",
}
STREAM = (
    "#include <iostream>\n#include <sstream>\nint main(int argc, char **) { std::ostringstream s;"
    ' s << argc << " "; std::cout << s.str(); return s.str().size() != 2; }\n'
)
OPENMP = (
    "#include <omp.h>\nint main(void) { int sum = 0;\n"
    "#pragma omp parallel for reduction(+ : sum)\n"
    "  for (int i = 0; i < 4; i++) sum += i;\n  return sum != 6; }\n"
)
# Twelve bytes: every compiler calls __atomic_load of libatomic for them.
THREE = {
    "value.c": "struct three { int x[3]; };\nstruct three a;\n"
    "int value(void) { struct three b; __atomic_load(&a, &b, 5); return b.x[0]; }\n",
    "main.c": MAIN,
}
# A library of the board's name that defines one version more than any board.
FUTURE = "GOMP_9.0 { global: GOMP_new_thing; };\n"


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    what: str
    files: Mapping[str, str]
    steps: tuple[str, ...]
    compilers: tuple[str, ...] = ("gcc12",)
    machines: tuple[str, ...] = field(default=(ARM, AARCH64))


def _calls(body: str, extra: str = "") -> Mapping[str, str]:
    return {"value.c": f"{extra}int value(void) {{ {body} }}\n", "main.c": MAIN}


ROWS = (
    Row(
        "undefined-called",
        "the library calls a function that nobody has, and the program calls it",
        _calls("return cblas_sgemm(3);", "int cblas_sgemm(int);\n"),
        (LIB.format("value.c"), PROGRAM.format("-Wl,--unresolved-symbols=ignore-in-shared-libs")),
    ),
    Row(
        "undefined-now",
        "the same, bound when it is loaded",
        _calls("return cblas_sgemm(3);", "int cblas_sgemm(int);\n"),
        (
            LIB.format("value.c -Wl,-z,now"),
            PROGRAM.format("-Wl,--unresolved-symbols=ignore-in-shared-libs"),
        ),
    ),
    Row(
        "undefined-data",
        "the library reads a variable that nobody has",
        _calls("return nobody_has_it;", "extern int nobody_has_it;\n"),
        (LIB.format("value.c"), PROGRAM.format("-Wl,--unresolved-symbols=ignore-in-shared-libs")),
    ),
    Row(
        "undefined-weak",
        "a weak function that nobody has, asked for before it is called",
        _calls("return maybe ? maybe() : 0;", "__attribute__((weak)) int maybe(void);\n"),
        (LIB.format("value.c"), PROGRAM.format("")),
    ),
    Row(
        "undefined-in-program",
        "the library calls back a function of the program",
        {
            "value.c": "int back(void);\nint value(void) { return back(); }\n",
            "main.c": "int value(void);\nint back(void) { return 0; }\n"
            "int main(void) { return value(); }\n",
        },
        (LIB.format("value.c"), PROGRAM.format("-rdynamic")),
    ),
    Row(
        "undefined-in-program-hidden",
        "the same, and the program does not offer it",
        {
            "before.c": VALUE,
            "value.c": "int back(void);\nint value(void) { return back(); }\n",
            "main.c": 'int value(void);\n__attribute__((visibility("hidden"))) int back(void) {'
            " return 0; }\nint main(void) { return back() + value(); }\n",
        },
        (LIB.format("before.c"), PROGRAM.format(""), LIB.format("value.c")),
    ),
    Row(
        "sibling-offers",
        "the library names no library for what another one of the process offers",
        {
            "value.c": "int helper(void);\nint value(void) { return helper(); }\n",
            "helper.c": "int helper(void) { return 0; }\n",
            "main.c": MAIN,
        },
        (
            LIB.format("value.c"),
            "$CC -shared -fPIC helper.c -Wl,-soname,libhelper.so -o tree/lib/libhelper.so",
            PROGRAM.format("-Wl,--no-as-needed -lhelper"),
        ),
    ),
    Row(
        "atomic-8-named",
        "__atomic_load out of libatomic, which the library names",
        THREE,
        (LIB.format("value.c -Wl,--no-as-needed -latomic"), PROGRAM.format("")),
    ),
    Row(
        "atomic-unnamed",
        "the same, and nobody names libatomic",
        THREE,
        (LIB.format("value.c"), PROGRAM.format("-Wl,--unresolved-symbols=ignore-in-shared-libs")),
    ),
    Row(
        "version-there",
        "needs a version that the tree's library defines",
        {"value.c": VALUE, "main.c": MAIN, **MAP},
        (LIB.format("value.c -Wl,--version-script,one.map"), PROGRAM.format("")),
    ),
    Row(
        "version-gone",
        "needs version TWO, and the tree's library ends at ONE",
        {"value.c": VALUE, "main.c": MAIN, **MAP},
        (
            LIB.format("value.c -Wl,--version-script,two.map"),
            PROGRAM.format(""),
            LIB.format("value.c -Wl,--version-script,one.map"),
        ),
    ),
    Row(
        "version-unversioned",
        "needs a version, and the tree's library has no versions at all",
        {"value.c": VALUE, "main.c": MAIN, **MAP},
        (
            LIB.format("value.c -Wl,--version-script,one.map"),
            PROGRAM.format(""),
            LIB.format("value.c"),
        ),
    ),
    Row(
        "version-symbol-gone",
        "the version is defined, and the function is no longer in it",
        {"value.c": VALUE, "other.c": "int other(void) { return 0; }\n", "main.c": MAIN, **MAP},
        (
            LIB.format("value.c other.c -Wl,--version-script,three.map"),
            PROGRAM.format(""),
            LIB.format("other.c -Wl,--version-script,three.map"),
        ),
    ),
    Row(
        "version-newer-too",
        "needs ONE, and the tree's library defines ONE and TWO",
        {
            "value.c": VALUE,
            "value2.c": '__asm__(".symver value_old, value@ONE");\n'
            '__asm__(".symver value_new, value@@TWO");\n'
            "int value_old(void) { return 0; }\nint value_new(void) { return 0; }\n",
            "main.c": MAIN,
            "one.map": "ONE { global: value; };\n",
            "two.map": "ONE { };\nTWO { } ONE;\n",
        },
        (
            LIB.format("value.c -Wl,--version-script,one.map"),
            PROGRAM.format(""),
            LIB.format("value2.c -Wl,--version-script,two.map"),
        ),
    ),
    Row(
        "glibcxx",
        "iostream of this compiler, the board's libstdc++",
        {"main.cc": STREAM},
        ("$CXX -O2 main.cc -o tree/bin/main",),
        ("gcc12", "gcc14", "clang14", "clang19"),
    ),
    Row(
        "glibcxx-static",
        "iostream with -static-libstdc++ -static-libgcc",
        {"main.cc": STREAM},
        ("$CXX -O2 main.cc -static-libstdc++ -static-libgcc -o tree/bin/main",),
        ("gcc12", "gcc14"),
    ),
    Row(
        "glibcxx-bundled",
        "iostream, and the compiler's libstdc++ in the tree",
        {"main.cc": STREAM},
        (
            f"$CXX -O2 main.cc {UP} -o tree/bin/main",
            "cp $(readlink -f $($CXX -print-file-name=libstdc++.so.6)) tree/lib/libstdc++.so.6",
        ),
        ("gcc12", "gcc14"),
    ),
    Row(
        "openmp",
        "OpenMP, the board's libgomp",
        {"main.c": OPENMP},
        ("$CC -O2 -fopenmp main.c -o tree/bin/main",),
        ("gcc12", "gcc14"),
    ),
    Row(
        "openmp-future",
        "needs a version of libgomp that no board has",
        {
            "gomp.c": "int GOMP_new_thing(void) { return 0; }\n",
            "future.map": FUTURE,
            "main.c": "int GOMP_new_thing(void);\nint main(void) { return GOMP_new_thing(); }\n",
        },
        (
            "$CC -shared -fPIC gomp.c -Wl,--version-script,future.map -Wl,-soname,libgomp.so.1"
            " -o libgomp.so",
            "$CC main.c -L. -lgomp -o tree/bin/main",
        ),
    ),
    Row(
        "glibc-2.38",
        "strlcpy, which glibc has since 2.38",
        {
            "main.c": "#include <string.h>\nchar to[9];\nint main(int argc, char **argv) {"
            ' return strlcpy(to, argc > 5 ? argv[1] : "", 9) != 0; }\n'
        },
        ("$CC main.c -o tree/bin/main",),
        ("gcc14", "clang19"),
    ),
    Row(
        "glibc-2.38-weak",
        "strlcpy as a weak reference, called only where it is there",
        {
            "main.c": "#include <string.h>\n"
            "__attribute__((weak)) size_t strlcpy(char *, const char *, size_t);\nchar to[9];\n"
            'int main(void) { return strlcpy ? strlcpy(to, "", 9) != 0 : 0; }\n'
        },
        ("$CC main.c -o tree/bin/main",),
        ("gcc14",),
    ),
    Row(
        "glibc-old",
        "linked for glibc 2.28: starts on every Debian here",
        {
            "main.c": "#include <pthread.h>\n#include <math.h>\n"
            "static void *run(void *p) { return p; }\n"
            "int main(int argc, char **argv) { (void)argv; pthread_t t;"
            " pthread_create(&t, 0, run, 0); pthread_join(t, 0); return exp((double)-argc) > 1; }\n"
        },
        ("$CC.2.28 main.c -lpthread -lm -o tree/bin/main",),
        ("zig",),
    ),
    Row(
        "glibc-2.41",
        "linked by zig for glibc 2.41: needs what Debian 13 has",
        {
            "main.c": "double sinpi(double);\nint main(int argc, char **argv) { (void)argv;"
            " return sinpi((double)argc) > 1; }\n"
        },
        ("$CC.2.41 main.c -lm -o tree/bin/main",),
        ("zig",),
    ),
)


def cases() -> Iterator[Case]:
    for row in ROWS:
        for machine in row.machines:
            for compiler in row.compilers:
                yield Case(
                    f"{machine}-symbol-{row.name}-{compiler}",
                    machine,
                    compiler,
                    row.what,
                    row.files,
                    row.steps,
                )
