"""What the kernel and the loader ask of a file as a whole: interpreter, segments, stack, ABI."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM, Case

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ZERO = "int main(void) { return 0; }\n"
VALUE = "int value(void) { return 0; }\n"
CALLS = "int value(void);\nint main(void) { return value(); }\n"
UP = "-Wl,-rpath,'$ORIGIN/../lib'"
PROGRAM = f"$CC main.c -Ltree/lib -lvalue {UP} -o tree/bin/main"
LIB = "$CC -shared -fPIC value.c -Wl,-soname,libvalue.so {} -o tree/lib/libvalue.so"
OPENS = (
    '#include <dlfcn.h>\nint main(void) { void *l = dlopen("libvalue.so", RTLD_NOW);'
    ' return l ? ((int (*)(void))dlsym(l, "value"))() : 3; }\n'
)
OPENER = "$CC main.c -ldl -Wl,-rpath,'$ORIGIN/../lib' -o tree/bin/main"
# Assembly without a .note.GNU-stack section, so that the linker writes no PT_GNU_STACK or an
# executable one, and without any build attribute of floats.
ASSEMBLY = {
    ARM: "\t.syntax unified\n\t.arch armv7-a\n\t.text\n\t.arm\n\t.globl value\n"
    "\t.type value,%function\nvalue:\n\tmov r0, #0\n\tbx lr\n\t.size value, .-value\n",
    AARCH64: "\t.text\n\t.globl value\n\t.type value,%function\nvalue:\n\tmov w0, #0\n\tret\n"
    "\t.size value, .-value\n",
}
QUIET = '\t.section .note.GNU-stack,"",%progbits\n'
TLS = (
    '__attribute__((tls_model("initial-exec"))) static __thread char block[SIZE];\n'
    "int value(void) { return block[5]; }\n"
)
POINTERS = (
    "int a, b;\nint *all[64] = {&a, &b, &a, &b, &a, &b};\nint main(void) { return all[3] != &b; }\n"
)


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    what: str
    steps: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=lambda: {"main.c": ZERO})
    compiler: str = "gcc12"
    machines: tuple[str, ...] = (ARM, AARCH64)


WITH = {"value.c": VALUE, "main.c": CALLS}
OPENED = {"value.c": VALUE, "main.c": OPENS}
ROWS = (
    Row(
        "interpreter-elsewhere",
        "PT_INTERP of a folder that no board has",
        ("$CC main.c -Wl,--dynamic-linker,/opt/x/ld-linux.so.3 -o tree/bin/main",),
    ),
    Row(
        "interpreter-soft",
        "the soft-float loader's name in a hard-float program",
        ("$CC main.c -Wl,--dynamic-linker,/lib/ld-linux.so.3 -o tree/bin/main",),
        machines=(ARM,),
    ),
    Row(
        "soft-float",
        "a program of the soft-float compiler",
        ("arm-linux-gnueabi-gcc main.c -o tree/bin/main",),
        machines=(ARM,),
    ),
    Row(
        "soft-float-static",
        "a static program of the soft-float compiler: the kernel does not mind",
        ("arm-linux-gnueabi-gcc main.c -static -o tree/bin/main",),
        machines=(ARM,),
    ),
    Row(
        "soft-float-library",
        "a library of the soft-float compiler beside a hard-float program",
        (
            LIB.format(""),
            PROGRAM,
            "arm-linux-gnueabi-gcc -mfloat-abi=soft -shared -fPIC value.c -nostdlib"
            " -Wl,-soname,libvalue.so -o tree/lib/libvalue.so",
        ),
        WITH,
        machines=(ARM,),
    ),
    Row(
        "musl", "zig for musl, dynamic", ("$MUSL -dynamic main.c -o tree/bin/main",), compiler="zig"
    ),
    Row(
        "relr-lld",
        "DT_RELR by lld, without the version that asks for it",
        ("$CC -O2 -pie -fPIE main.c -Wl,--pack-dyn-relocs=relr -o tree/bin/main",),
        {"main.c": POINTERS},
        "clang19",
    ),
    Row(
        "relr-lld-14",
        "the same by lld 14",
        ("$CC -O2 -pie -fPIE main.c -Wl,--pack-dyn-relocs=relr -o tree/bin/main",),
        {"main.c": POINTERS},
        "clang14",
    ),
    Row(
        "relr-ld",
        "DT_RELR by GNU ld, with GLIBC_ABI_DT_RELR",
        ("$CC -O2 -pie -fPIE main.c -Wl,-z,pack-relative-relocs -o tree/bin/main",),
        {"main.c": POINTERS},
        "gcc14",
    ),
    *(
        Row(
            f"align-{size}-{kind}",
            f"{kind} segments aligned to {size} bytes",
            (f"$CC main.c -Wl,-z,max-page-size={size} -o tree/bin/main",)
            if kind == "program"
            else (LIB.format(f"-Wl,-z,max-page-size={size}"), PROGRAM),
            {"main.c": ZERO} if kind == "program" else WITH,
            compiler,
        )
        for size, kind, compiler in (
            (4096, "program", "gcc12"),
            (4096, "library", "gcc12"),
            (4096, "library", "clang19"),
            (16384, "library", "gcc14"),
            (65536, "library", "gcc14"),
            (16384, "program", "clang19"),
        )
        if not (compiler == "clang19" and kind == "library")
    ),
    Row(
        "align-4096-static",
        "a static program with segments aligned to 4096 bytes",
        ("$CC main.c -static -Wl,-z,max-page-size=4096 -o tree/bin/main",),
    ),
    Row(
        "stack-absent",
        "a library without PT_GNU_STACK, needed",
        (
            "$CC -shared -fPIC -nostdlib value.S -Wl,-soname,libvalue.so -o tree/lib/libvalue.so",
            "$STRIPSTACK tree/lib/libvalue.so",
            PROGRAM,
        ),
        {"main.c": CALLS},
    ),
    Row(
        "stack-executable",
        "a needed library that asks for an executable stack",
        (LIB.format("-Wl,-z,execstack"), PROGRAM),
        WITH,
    ),
    Row(
        "stack-executable-opened",
        "a dlopened library that asks for an executable stack: glibc 2.41 refuses",
        (LIB.format("-Wl,-z,execstack"), OPENER),
        OPENED,
    ),
    Row(
        "stack-absent-opened",
        "a dlopened library without PT_GNU_STACK",
        (
            "$CC -shared -fPIC -nostdlib value.S -Wl,-soname,libvalue.so -o tree/lib/libvalue.so",
            "$STRIPSTACK tree/lib/libvalue.so",
            OPENER,
        ),
        {"main.c": OPENS},
    ),
    Row(
        "stack-program",
        "a program that asks for an executable stack",
        ("$CC main.c -Wl,-z,execstack -o tree/bin/main",),
    ),
    Row(
        "assembly-only",
        "a library of assembly alone, linked by ld: no float flag in e_flags",
        (
            "$CC -c value-quiet.S -o value.o",
            "$TRIPLE-ld -shared value.o -soname libvalue.so -o tree/lib/libvalue.so",
            PROGRAM,
        ),
        {"main.c": CALLS},
    ),
    Row(
        "text-relocations",
        "a library compiled without -fPIC",
        (
            "$CC -marm -march=armv6 -mfpu=vfp -O2 -fno-pic -shared value.c"
            " -Wl,-soname,libvalue.so -Wl,-z,notext -o tree/lib/libvalue.so",
            PROGRAM,
        ),
        {"value.c": "int cell;\nint value(void) { return cell; }\n", "main.c": CALLS},
        machines=(ARM,),
    ),
    Row(
        "tls-small",
        "a dlopened library with 64 bytes of static TLS",
        (LIB.format(""), OPENER),
        {"value.c": TLS.replace("SIZE", "64"), "main.c": OPENS},
    ),
    Row(
        "tls-large",
        "a dlopened library with 1 MiB of static TLS: no room is left for it",
        (LIB.format(""), OPENER),
        {"value.c": TLS.replace("SIZE", "1048576"), "main.c": OPENS},
    ),
    Row(
        "tls-large-needed",
        "the same, needed: the loader makes room at the start",
        (LIB.format(""), PROGRAM),
        {"value.c": TLS.replace("SIZE", "1048576"), "main.c": CALLS},
    ),
    Row(
        "nodlopen",
        "a library of -z nodlopen, dlopened",
        (LIB.format("-Wl,-z,nodlopen"), OPENER),
        OPENED,
    ),
    Row(
        "filter-missing",
        "a library that filters one that is not there",
        (LIB.format("-Wl,-F,libabsent.so"), PROGRAM),
        WITH,
    ),
    Row(
        "auxiliary-missing",
        "a library with an auxiliary one that is not there",
        (LIB.format("-Wl,-f,libabsent.so"), PROGRAM),
        WITH,
    ),
    Row(
        "audit-missing",
        "a program that names an auditing library that is not there",
        ("$CC main.c -Wl,--audit,libabsent.so -o tree/bin/main",),
    ),
    Row(
        "truncated",
        "a program cut in its middle",
        ("$CC main.c -o whole", "head -c 3000 whole > tree/bin/main", "chmod 755 tree/bin/main"),
    ),
    Row("other-machine", "a program of the other ARM", ("$OTHER main.c -o tree/bin/main",)),
    Row("x86", "a program of the build machine", ("cp /bin/true tree/bin/main",)),
    Row(
        "no-sections",
        "a program without section headers",
        ("$CC main.c -s -o tree/bin/main", "$TRIPLE-objcopy --strip-section-headers tree/bin/main"),
        compiler="gcc14",
    ),
    Row(
        "debug-zstd",
        "debug information compressed by zstd",
        ("$CC -g -gz=zstd main.c -o tree/bin/main",),
        compiler="gcc14",
    ),
    Row(
        "odd-attribute",
        "an unknown build attribute with a text",
        ("$CC main.c odd.S -o tree/bin/main",),
        {"main.c": ZERO, "odd.S": '\t.eabi_attribute 71, "hi"\n' + QUIET},
        machines=(ARM,),
    ),
)
# Writes PT_NULL over PT_GNU_STACK: p_type 0x6474e551 is in no linker's power to leave out today.
STRIPSTACK = "sed -i 's/\\x51\\xe5\\x74\\x64/\\x00\\x00\\x00\\x00/'"


def cases() -> Iterator[Case]:
    for row in ROWS:
        for machine in row.machines:
            files = dict(row.files)
            if ("value.c" not in files and "value()" in files["main.c"]) or files[
                "main.c"
            ] == OPENS:
                files.setdefault("value.S", ASSEMBLY[machine])
                files.setdefault("value-quiet.S", ASSEMBLY[machine] + QUIET)
            triple = {ARM: "arm-linux-musleabihf", AARCH64: "aarch64-linux-musl"}[machine]
            words = {
                "$STRIPSTACK": STRIPSTACK,
                "$MUSL": f"$ZIG cc -target {triple}",
            }
            steps = row.steps
            for word, text in words.items():
                steps = tuple(step.replace(word, text) for step in steps)
            yield Case(
                f"{machine}-whole-{row.name}-{row.compiler}",
                machine,
                row.compiler,
                row.what,
                files,
                steps,
            )
