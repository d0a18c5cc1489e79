"""What the loader calls by a list, and tables that it reads and that were taken out of the file."""

from __future__ import annotations

from tests.proof.case import AARCH64
from tests.proof.cases.row import ALONE, PLAIN, WITH, Row
from tests.proof.cases.symbols import LIB, MAIN, PROGRAM

ENTRY = '__attribute__((section("{}"), used)) void *odd = {};\nint value(void) {{ return 0; }}\n'
POINTERS = (
    "static int a, b;\nint *all[64] = {&a, &b, &a, &b, &a, &b};\n"
    "int main(void) { return all[3] != &b; }\n"
)
ENTRIES = {"zero": "0", "data": "&cell", "ones": "(void *)-1"}

ROWS = (
    *(
        Row(
            f"list{section.replace('_', '-').replace('.', '-')}-{name}",
            f"{section} of a library holds {value}",
            files={**WITH, "value.c": "int cell = 3;\n" + ENTRY.format(section, value)},
        )
        for section in (".init_array", ".fini_array")
        for name, value in ENTRIES.items()
    ),
    Row(
        "list-preinit",
        ".preinit_array of a program holds 0",
        ("$CC main.c -o tree/bin/main",),
        {"main.c": ENTRY.format(".preinit_array", "0") + "int main(void) { return 0; }\n"},
    ),
    Row(
        "list-init-is-data",
        "DT_INIT of a library is a variable",
        (LIB.format("value.c -Wl,-init,cell"), PROGRAM.format("")),
        {"value.c": "int cell = 5;\nint value(void) { return 0; }\n", "main.c": MAIN},
    ),
    Row(
        "list-init-unaligned",
        "DT_INIT of a library lies in the middle of an instruction",
        (LIB.format("value.c -Wl,--defsym,odd=value+2 -Wl,-init,odd"), PROGRAM.format("")),
        machines=(AARCH64,),
    ),
    Row(
        "list-init-taken-out",
        ".init_array of a library is taken out: where relocations say all, it is written anew",
        (*PLAIN, "$TRIPLE-objcopy -R .init_array tree/lib/libvalue.so"),
    ),
    *(
        Row(
            f"taken-out-{name}",
            f"{section} of the {path.partition('/')[0]} folder's file is taken out",
            (*PLAIN, f"$TRIPLE-objcopy -R {section} tree/{path}"),
        )
        for name, section, path in (
            ("versions", ".gnu.version_r", "bin/main"),
            ("symbols", ".dynsym", "lib/libvalue.so"),
            ("relocations", ".rela.dyn -R .rel.dyn", "lib/libvalue.so"),
            ("hash", ".gnu.hash", "lib/libvalue.so"),
        )
    ),
    Row(
        "list-without-headers",
        "a library without section headers, whose constructors the loader finds all the same",
        (*PLAIN, "$TRIPLE-objcopy --strip-section-headers tree/lib/libvalue.so"),
        compiler="gcc14",
    ),
    Row(
        "static-pie-relr",
        "packed relative relocations in a static program, which does its own",
        ("$CC -static-pie -fPIE main.c -Wl,-z,pack-relative-relocs -o tree/bin/main",),
        {"main.c": POINTERS},
        (AARCH64,),
        compiler="gcc14",
    ),
    Row(
        "static-without-headers",
        "a static program without section headers",
        (
            "$CC -static main.c -o tree/bin/main",
            "$TRIPLE-objcopy --strip-section-headers tree/bin/main",
        ),
        ALONE,
        compiler="gcc14",
    ),
    Row(
        "static-assembly",
        "a static program of assembly alone: 32-bit, its header says nothing of floats",
        ("$CC -nostdlib -static start.S -o tree/bin/main",),
        {"start.S": "$START"},
    ),
    Row(
        "static-room",
        "a static program whose variables lie behind the end of the file",
        ("$CC -nostdlib -static start.S room.c -o tree/bin/main",),
        {"start.S": "$START", "room.c": "char room[1 << 20];\n"},
    ),
    Row(
        "stub-of-nothing",
        "the relocation of a stub was made none: bound lazily, the loader refuses it",
        ("$CC main.c -Wl,-z,lazy -Wl,--unresolved-symbols=ignore-all -o tree/bin/main",),
        {
            "main.c": "void nobody(void);\n"
            "int main(int argc, char **argv) { (void)argv; if (argc > 9) nobody(); return 0; }\n"
        },
        compiler="clang19",
    ),
)
