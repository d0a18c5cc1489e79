"""Kinds 9 to 20: what glibc's loader does with a tree."""

from __future__ import annotations

from tests.kinds.kind import PI2, PI3, PI5, Kind
from tests.kinds.processor import ZERO

UP = "-Wl,-rpath,'$ORIGIN'"
OLD = "-Wl,--disable-new-dtags"
CHAIN = {
    "low.c": "int low(void) { return 0; }\n",
    "mid.c": "int low(void);\nint mid(void) { return low(); }\n",
    "main.c": "int mid(void);\nint main(void) { return mid(); }\n",
}
LOW = "$CC -shared -fPIC low.c -Wl,-soname,liblow.so -o tree/liblow.so"
MID = "$CC -shared -fPIC mid.c -Ltree -llow {} -Wl,-soname,libmid.so -o tree/libmid.so"
MAIN = "$CC main.c -Ltree -lmid -Wl,-rpath-link,tree {} -o tree/main"


def _absent(name: str) -> dict[str, str]:
    return {
        "mid.c": f"int {name}(void *);\nint mid(void *p) {{ return {name}(p); }}\n",
        "main.c": "int mid(void *);\nint main(void) { return mid(0); }\n",
    }


ALONE = "$CC -shared -fPIC mid.c -Wl,-soname,libmid.so -o tree/libmid.so"
LOOSE = f"$CC main.c -Ltree -lmid {UP} -Wl,--unresolved-symbols=ignore-all -o tree/main"
# A library of some name whose versions end where the script says.
VERSIONED = "$CC -shared -fPIC low.c -Wl,-soname,{0} -Wl,--version-script,{1} -o {2}/{0}"
TWO = "ONE { global: other; }; TWO { global: low; } ONE;\n"
ONE = "ONE { global: low; };\n"
LOWER = {"low.c": "int other(void) { return 0; }\nint low(void) { return 0; }\n"}


def _version(number: int, soname: str, name: str, newest: str) -> Kind:
    """A program that needs a version of a library of which the tree's own copy ends before."""
    older = newest.rpartition(".")[0] + ".1"
    scripts = {
        "new.map": TWO.replace("ONE", older).replace("TWO", newest),
        "old.map": ONE.replace("ONE", older),
    }
    stem = soname.removeprefix("lib").partition(".so")[0]
    return Kind(
        number, name, PI3,
        {**LOWER, **scripts, "main.c": CHAIN["main.c"].replace("mid", "low")},
        ("mkdir new", VERSIONED.format(soname, "new.map", "new"),
         f"ln -s {soname} new/lib{stem}.so",
         f"$CC main.c -Lnew -l{stem} {UP} -o tree/main",
         VERSIONED.format(soname, "old.map", "tree")),
        errors="BM131 BM143", says=newest,
    )  # fmt: skip


OLDER = "\t.text\n\t.globl low\n\t.type low,%function\nlow:\n\t{0}\n\t.size low, .-low\n"
RETURNS = {PI2: ".arm\n\tmov r0, #0\n\tbx lr", PI3: "mov w0, #0\n\tret"}
TIME = "#include <time.h>\nint {0}(struct timespec *t) {{ return clock_gettime(0, t); }}\n"

LOADER = (
    Kind(9, "runpath-is-not-inherited", PI3, CHAIN,
         (LOW, MID.format(""), MAIN.format(UP)), errors="BM152", says="liblow.so"),
    Kind(9, "no-path-at-all", PI2, CHAIN, (LOW, MID.format(""), MAIN.format("")), errors="BM152"),
    Kind(9, "rpath-is-inherited", PI2, CHAIN, (LOW, MID.format(""), MAIN.format(f"{UP} {OLD}"))),
    Kind(9, "a-runpath-of-its-own", PI3, CHAIN, (LOW, MID.format(UP), MAIN.format(UP))),
    Kind(10, "soname-without-a-file", PI3, CHAIN,
         (LOW, MID.format(UP).replace("libmid.so ", "libmid.so.1 "), MAIN.format(UP)),
         errors="BM152", says="libmid.so.1"),
    Kind(10, "soname-with-a-link", PI3, CHAIN,
         (LOW, MID.format(UP).replace("libmid.so ", "libmid.so.1 "), MAIN.format(UP),
          "ln -s libmid.so tree/libmid.so.1")),
    Kind(11, "nobody-offers-an-atomic", PI2, _absent("__atomic_load_8"), (ALONE, LOOSE),
         errors="BM143", says="__atomic_load_8"),
    Kind(11, "nobody-offers-a-blas", PI3, _absent("cblas_sgemm"), (ALONE, LOOSE),
         errors="BM143", says="cblas_sgemm"),
    Kind(11, "a-weak-name-that-nobody-offers", PI3,
         {**CHAIN, "mid.c": "__attribute__((weak)) int low(void);\n"
                            "int mid(void) { return low ? low() : 0; }\n"}, (ALONE, LOOSE)),
    _version(12, "libstdc++.so.6", "libstdcxx-of-the-tree", "GLIBCXX_3.4.32"),
    _version(12, "libgomp.so.1", "libgomp-of-the-tree", "GOMP_5.9"),
    _version(12, "libany.so.3", "any-library-of-the-tree", "ANY_2.0"),
    Kind(13, "needed-by-a-path", PI3, CHAIN,
         (LOW.replace("-Wl,-soname,liblow.so ", ""),
          "$CC -shared -fPIC mid.c $PWD/tree/liblow.so -Wl,-soname,libmid.so -o tree/libmid.so",
          MAIN.format(UP)), errors="BM146", says="liblow.so"),
    Kind(13, "a-soname-mends-it", PI3, CHAIN,
         (LOW, "$CC -shared -fPIC mid.c $PWD/tree/liblow.so -Wl,-soname,libmid.so "
               f"{UP} -o tree/libmid.so", MAIN.format(UP))),
    *(
        Kind(14, name, board, {"main.c": ZERO},
             (f"$CC main.c -Wl,--dynamic-linker,{path} -o tree/main",), errors="BM145")
        for name, board, path in (
            ("soft-float-loader", PI2, "/lib/ld-linux.so.3"),
            ("loader-elsewhere", PI3, "/opt/x/ld-linux-aarch64.so.1"),
            ("musl-loader", PI3, "/lib/ld-musl-aarch64.so.1"),
            ("android-loader", PI3, "/system/bin/linker64"),
        )
    ),
    Kind(16, "pages-of-4-kib", PI5, {"low.c": CHAIN["low.c"]},
         (LOW.replace("-Wl,", "-Wl,-z,max-page-size=4096,"),), errors="BM162"),
    Kind(16, "pages-of-64-kib", PI5, {"low.c": CHAIN["low.c"]}, (LOW,)),
    Kind(17, "no-word-of-the-stack", PI3, {"low.s": OLDER.format(RETURNS[PI3])},
         ("$AS low.s -o low.o", "$LD -shared low.o -soname liblow.so -o tree/liblow.so")),
    Kind(17, "no-word-of-the-stack-32", PI2, {"low.s": OLDER.format(RETURNS[PI2])},
         ("$CC -shared low.s -Wl,-soname,liblow.so -o tree/liblow.so",), warnings="BM160"),
    Kind(18, "assembly-alone", PI2, {"low.s": OLDER.format(RETURNS[PI2])},
         ("$AS low.s -o low.o", "$LD -shared -z noexecstack low.o -o tree/liblow.so"),
         errors="BM104"),
    Kind(18, "assembly-that-says-it", PI2,
         {"low.s": "\t.eabi_attribute Tag_ABI_VFP_args, 1\n" + OLDER.format(RETURNS[PI2])},
         ("$AS low.s -o low.o", "$LD -shared -z noexecstack low.o -o tree/liblow.so")),
    Kind(19, "libatomic-of-the-board", PI2, _absent("__atomic_load_8"),
         (ALONE.replace("mid.c", "mid.c -Wl,--no-as-needed -latomic"), LOOSE)),
    Kind(20, "two-widths-of-time", PI2,
         {"low.c": TIME.format("low"), "mid.c": "int low();\n" + TIME.format("mid2")
          + "int mid(void) { return low(); }\n", "main.c": CHAIN["main.c"]},
         (LOW, MID.format(UP).replace("mid.c", "-D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64 mid.c"),
          MAIN.format(UP)), warnings="BM133"),
    Kind(20, "one-width-of-time", PI2,
         {"low.c": TIME.format("low"), "mid.c": "int low();\n" + TIME.format("mid2")
          + "int mid(void) { return low(); }\n", "main.c": CHAIN["main.c"]},
         (LOW, MID.format(UP), MAIN.format(UP))),
)  # fmt: skip
