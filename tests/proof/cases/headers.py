"""Fields of the headers that no linker leaves so, and linkers' options that are seldom given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM
from tests.proof.cases.row import ALONE, PLAIN, Row
from tests.proof.cases.symbols import LIB, PROGRAM, UP

if TYPE_CHECKING:
    from collections.abc import Iterator

POKE = "printf '{}' | dd of=tree/{} bs=1 seek={} conv=notrunc"
# Where e_type, e_phentsize and the first program header lie, and a program header's size.
TYPE, ROW_SIZE, FIRST, SIZE = (
    {ARM: 16, AARCH64: 16},
    {ARM: 42, AARCH64: 54},
    {ARM: 52, AARCH64: 64},
    {ARM: 32, AARCH64: 56},
)
CLASS = {ARM: r"\002", AARCH64: r"\001"}
LIBRARY, START = "lib/libvalue.so", "bin/main"
INNER = {
    "value.c": "int other(void);\nint value(void) { return other(); }\n",
    "other.c": "int value(void);\nint other(void) { return 0; }\nint again(void) {"
    " return value(); }\n",
    "main.c": "int value(void);\nint main(void) { return value(); }\n",
}


def _poked(machine: str) -> Iterator[Row]:
    third = FIRST[machine] + 2 * SIZE[machine]
    for name, what, octal, file, at in (
        ("type-none", "e_type of the library is ET_NONE", r"\000", LIBRARY, TYPE[machine]),
        ("type-object", "e_type of the library is ET_REL", r"\001", LIBRARY, TYPE[machine]),
        ("type-core", "e_type of the library is ET_CORE", r"\004", LIBRARY, TYPE[machine]),
        ("row-size", "e_phentsize of the library is wrong", r"\001", LIBRARY, ROW_SIZE[machine]),
        ("row-size-program", "that of the program", r"\001", START, ROW_SIZE[machine]),
        ("dynamic-gone", "the library has no PT_DYNAMIC", r"\000", LIBRARY, third),
        ("class", "EI_CLASS of the library is the other one", CLASS[machine], LIBRARY, 4),
        ("order", "EI_DATA of the library says big-endian", r"\002", LIBRARY, 5),
        ("osabi-linux", "EI_OSABI of the program is GNU's", r"\003", START, 7),
        ("osabi-other", "EI_OSABI of the program is FreeBSD's", r"\011", START, 7),
    ):
        yield Row(
            f"header-{name}", what, (*PLAIN, POKE.format(octal, file, at)), machines=(machine,)
        )


ROWS = (
    *_poked(ARM),
    *_poked(AARCH64),
    Row(
        "interpreter-without-end",
        "PT_INTERP does not end with a zero byte",
        (
            "$CC main.c -o tree/bin/main",
            "printf /lib/$LOADER > interp",
            "$TRIPLE-objcopy --update-section .interp=interp tree/bin/main",
        ),
        ALONE,
    ),
    Row(
        "needs-around",
        "two libraries need each other",
        (
            f"$CC -shared -fPIC other.c -Wl,-soname,libother.so {UP} -o tree/lib/libother.so",
            LIB.format("value.c -Ltree/lib -Wl,--no-as-needed -lother -Wl,-rpath,'$ORIGIN'"),
            "$CC -shared -fPIC other.c -Wl,-soname,libother.so -Ltree/lib -Wl,--no-as-needed"
            " -lvalue -Wl,-rpath,'$ORIGIN' -o tree/lib/libother.so",
            PROGRAM.format("-Wl,-rpath-link,tree/lib"),
        ),
        INNER,
    ),
    Row(
        "interpose-flag",
        "a library behind the other one that says it interposes (DF_1_INTERPOSE)",
        (
            LIB.format("value.c"),
            "$CC -shared -fPIC other.c -Wl,-soname,libother.so -Wl,-z,interpose"
            " -o tree/lib/libother.so",
            PROGRAM.format("-Wl,--no-as-needed -lother"),
        ),
        {
            "value.c": "int value(void) { return 0; }\n",
            "other.c": "int value(void) { return 7; }\n",
            "main.c": INNER["main.c"],
        },
    ),
    *(
        Row(
            f"dynamic-read-only-{compiler}",
            "the dynamic section of a library may not be written (lld's -z rodynamic)",
            (
                "$CC -nostdlib -shared -fPIC value.c -Wl,-soname,libvalue.so -Wl,-z,rodynamic"
                " -o tree/lib/libvalue.so",
                f"$CC -nostdlib -nostartfiles start.S -Ltree/lib -Wl,--no-as-needed -lvalue {UP}"
                " -o tree/bin/main",
            ),
            {"value.c": "int value(void) { return 0; }\n", "start.S": "$START"},
            compiler=compiler,
        )
        for compiler in ("clang14", "clang19")
    ),
    *(
        Row(
            f"descriptors-{name}",
            f"thread-local variables of a library by descriptors ({options})",
            (LIB.format(f"{options} value.c"), PROGRAM.format("")),
            {
                "value.c": "__thread int cell;\nint value(void) { return cell; }\n",
                "main.c": INNER["main.c"],
            },
            machines,
        )
        for name, options, machines in (
            ("arm", "-mtls-dialect=gnu2", (ARM,)),
            ("traditional", "-mtls-dialect=trad", (AARCH64,)),
            ("usual", "", (ARM, AARCH64)),
        )
    ),
    Row(
        "big-endian",
        "a static program for big-endian processors",
        ("$CC -mbig-endian -nostdlib -static start.S -o tree/bin/main",),
        {"start.S": "$START"},
    ),
    Row(
        "ilp32",
        "a static program of ILP32",
        ("$CC -mabi=ilp32 -nostdlib -static start.S -o tree/bin/main",),
        {"start.S": "$START"},
        (AARCH64,),
    ),
    Row(
        "stack-size",
        "a program that asks for a stack of 64 MiB (glibc does not look)",
        ("$CC main.c -Wl,-z,stack-size=67108864 -o tree/bin/main",),
        ALONE,
    ),
    Row(
        "no-rosegment",
        "read-only data and code in one segment (lld's --no-rosegment)",
        ("$CC main.c -Wl,--no-rosegment -o tree/bin/main",),
        ALONE,
        compiler="clang19",
    ),
    Row(
        "rel-wide",
        "relocations without addends on the machine that has them (lld's -z rel)",
        ("$CC main.c -Wl,-z,rel -o tree/bin/main",),
        {"main.c": "static int a;\nint *p = &a;\nint main(void) { return p != &a; }\n"},
        (AARCH64,),
        compiler="clang19",
    ),
    Row(
        "rela-narrow",
        "relocations with addends on the machine that has none (lld's -z rela)",
        ("$CC main.c -Wl,-z,rela -o tree/bin/main",),
        {"main.c": "static int a;\nint *p = &a;\nint main(void) { return p != &a; }\n"},
        (ARM,),
        compiler="clang19",
    ),
    *(
        Row(
            f"{form}-library",
            f"a library whose relocations, none of stubs, are of the other kind (lld's -z {form})",
            (LIB.format(f"-nostdlib -Wl,-z,{form} value.c"), PROGRAM.format("")),
            {
                "value.c": "static int cell;\nstatic int *volatile place = &cell;\n"
                "int value(void) { return place != &cell; }\n",
                "main.c": INNER["main.c"],
            },
            (machine,),
            compiler="clang19",
        )
        for form, machine in (("rel", AARCH64), ("rela", ARM))
    ),
)
