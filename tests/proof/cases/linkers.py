"""How a program is linked: linker, kind of file, stripped or not, with or without LTO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM, Case
from tests.proof.cases.instructions import FEATURES32, FEATURES64, MAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

NEWER = {ARM: ("vrint", FEATURES32), AARCH64: ("lse", FEATURES64)}
BASE = {ARM: "-march=armv7-a -mfpu=vfpv3-d16", AARCH64: "-march=armv8-a"}
KINDS = {
    "static": "-static",
    "static-pie": "-static-pie",
    "no-pie": "-no-pie",
    "stripped": "-s",
    "sections": "-ffunction-sections -Wl,--gc-sections",
    "now": "-Wl,-z,now,-z,relro",
    "sysv": "-Wl,--hash-style=sysv",
    "separate": "-Wl,-z,separate-code",
}
PLAIN = "int use(int x) { return x * 3; }\n"


def cases() -> Iterator[Case]:
    for machine in (ARM, AARCH64):
        feature, table = NEWER[machine]
        flags, source = table[feature]
        for kind, link in KINDS.items():
            if (machine, kind) == (ARM, "static-pie"):
                continue  # glibc has no rcrt1.o for 32-bit ARM
            compiler = "gcc14" if kind in ("static-pie", "sections") else "gcc12"
            yield _case(machine, f"{kind}-newer", compiler, flags, source, link)
            yield _case(machine, f"{kind}-plain", compiler, BASE[machine], PLAIN, link)
        for linker in ("gold", "mold", "lld-14", "lld-19"):
            compiler = {"lld-14": "clang14", "lld-19": "clang19"}.get(linker, "gcc14")
            link = "" if linker.startswith("lld") else f"-fuse-ld={linker}"
            yield _case(machine, f"{linker}-newer", compiler, flags, source, link)
            yield _case(machine, f"{linker}-plain", compiler, BASE[machine], PLAIN, link)
        yield _reversed(machine, "gcc14", flags, source)
        yield _reversed(machine, "clang19", flags, source)
        for compiler in ("gcc12", "clang19"):
            yield _whole(machine, compiler, flags, source)
    yield from _lies()


def _case(machine: str, name: str, compiler: str, flags: str, source: str, link: str) -> Case:
    return Case(
        f"{machine}-link-{name}",
        machine,
        compiler,
        f"linked with {link or 'the compiler default'}, {name.rsplit('-', 1)[1]}",
        {"use.c": source, "main.c": MAIN},
        (
            f"$CC -O2 {flags} {'-fPIE' if 'static-pie' in link else ''} -c use.c",
            f"$CC -O2 {BASE[machine]} {'-fPIE' if 'static-pie' in link else ''} -c main.c",
            f"$CC main.o use.o {link} -o tree/bin/main",
        ),
    )


def _reversed(machine: str, compiler: str, flags: str, source: str) -> Case:
    """The newer object comes first, so that a linker that keeps the first tags keeps its."""
    return Case(
        f"{machine}-link-first-{compiler}",
        machine,
        compiler,
        "the newer object first on the link line",
        {"use.c": source, "main.c": MAIN},
        (
            f"$CC -O2 {flags} -c use.c",
            f"$CC -O2 {BASE[machine]} -c main.c",
            "$CC use.o main.o -o tree/bin/main",
        ),
    )


def _whole(machine: str, compiler: str, flags: str, source: str) -> Case:
    return Case(
        f"{machine}-link-lto-{compiler}",
        machine,
        compiler,
        "-flto over all of it, for the newer processor",
        {"use.c": source, "main.c": MAIN},
        (f"$CC -O2 {flags} -flto use.c main.c -o tree/bin/main",),
    )


def _lies() -> Iterator[Case]:
    """Code for a newer processor that says nothing in the attributes, and the reverse."""
    attribute = (
        '__attribute__((target("arch=armv8-a,fpu=neon-fp-armv8"), noinline)) int use(int x) {'
        " volatile float r = __builtin_floorf((float)x); return (int)r; }\n"
    )
    assembly = (
        "\t.syntax unified\n\t.arch armv7-a\n\t.fpu vfpv3-d16\n\t.text\n\t.arm\n\t.globl use\n"
        "\t.type use,%function\nuse:\n\tvmov s0, r0\n\t.fpu fp-armv8\n\tvrintm.f32 s0, s0\n"
        "\t.fpu vfpv3-d16\n\tvmov r0, s0\n\tbx lr\n\t.size use, .-use\n"
        '\t.eabi_attribute 10, 4\n\t.section .note.GNU-stack,"",%progbits\n'
    )
    base = BASE[ARM]
    yield Case(
        "arm-lie-target-attribute",
        ARM,
        "gcc12",
        "a function with a target attribute for ARMv8 in an object for ARMv7",
        {"use.c": attribute, "main.c": MAIN},
        (f"$CC -O2 -ffast-math {base} use.c main.c -o tree/bin/main",),
    )
    for suffix, strip in (("", ""), ("-stripped", " -s")):
        yield Case(
            f"arm-lie-assembly{suffix}",
            ARM,
            "gcc12",
            "assembly that switches the FPU for one instruction and back",
            {"use.S": assembly, "main.c": MAIN},
            (f"$CC -O2 {base} use.S main.c{strip} -o tree/bin/main",),
        )
    yield Case(
        "arm-lie-declared-only",
        ARM,
        "gcc12",
        "declares ARMv8 and has none of its instructions",
        {"use.c": PLAIN, "main.c": MAIN},
        (
            "$CC -O2 -march=armv8-a -mfpu=neon-fp-armv8 -c use.c",
            f"$CC -O2 {base} use.o main.c -o tree/bin/main",
        ),
    )
    yield Case(
        "arm-lie-inline-asm-data",
        ARM,
        "gcc12",
        "the bytes of an ARMv8 instruction as a literal in the text, executed by nobody",
        {
            "use.c": '__asm__(".text\\n.word 0xeefb0a40\\n.word 0xfebb0a40\\n");\n' + PLAIN,
            "main.c": MAIN,
        },
        (f"$CC -O2 -marm {base} use.c main.c -o tree/bin/main",),
    )
