"""One instruction that the older boards lack, in every place from which code can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

# A function `newer` that needs LSE, or vrint of ARMv8 in 32-bit state, and the bit that tells.
NEWER = {
    AARCH64: (
        "static int cell;\n"
        "__attribute__((noinline)) SPOT int newer(int x) { __asm__ volatile("
        '".arch armv8.1-a\\n\\tldadd %w0, %w0, [%1]" : "+r"(x) : "r"(&cell) : "memory");'
        " return x; }\n"
    ),
    ARM: (
        "__attribute__((noinline)) SPOT int newer(int x) { float f = (float)x; __asm__ volatile("
        '".fpu fp-armv8\\n\\tvrintm.f32 %0, %0" : "+t"(f));'
        " return (int)f; }\n"
    ),
}
# ARM has no bit of its own for ARMv8: crc32 stands for it, as in other people's code.
ASKS = {
    AARCH64: "#include <sys/auxv.h>\n#define HAS ((getauxval(AT_HWCAP) >> 8) & 1)\n",
    ARM: "#include <sys/auxv.h>\n#define HAS ((getauxval(AT_HWCAP2) >> 4) & 1)\n",
}
ALONE = "int main(void) { return 0; }\n"
CPUINFO = (
    "#include <stdio.h>\n#include <string.h>\n"
    "static int has(const char *word) { char line[4096]; int found = 0;\n"
    '  FILE *f = fopen("/proc/cpuinfo", "r"); if (!f) return 0;\n'
    "  while (fgets(line, sizeof line, f)) if (strstr(line, word)) found = 1;\n"
    "  fclose(f); return found; }\n"
)
PROBE = (
    "#include <setjmp.h>\n#include <signal.h>\n"
    "static sigjmp_buf back; static int has;\n"
    "static void ill(int n) { siglongjmp(back, n); }\n"
    "__attribute__((constructor)) static void probe(void) {\n"
    "  struct sigaction now = {0}, old; now.sa_handler = ill; sigaction(SIGILL, &now, &old);\n"
    "  if (sigsetjmp(back, 1) == 0) { newer(3); has = 1; }\n"
    "  sigaction(SIGILL, &old, 0); }\n"
)
TABLE = (
    "static int older(int x) { return x; }\n"
    "struct kernels { int (*run)(int); };\n"
    "static const struct kernels both[2] = {{older}, {newer}};\n"
)
LIBRARY = (
    "int value(int);\nint main(int argc, char **argv) { (void)argv; return value(argc) == 99; }\n"
)
STARTED = "int main(int argc, char **argv) { (void)argv; return use(argc) == 99; }\n"
THREAD = (
    "#include <pthread.h>\nstatic void *run(void *p) { newer(3); return p; }\n"
    "int main(void) { pthread_t t; if (pthread_create(&t, 0, run, 0)) return 3;"
    " return pthread_join(t, 0); }\n"
)

# Programs of one file: name -> (what it is, its text with NEWER before it, link flags).
PROGRAMS = {
    "constructor": (
        "in a constructor",
        "__attribute__((constructor)) static void early(void) { newer(3); }\n" + ALONE,
        "",
    ),
    "destructor": (
        "in a destructor: it starts, and its end is an illegal instruction",
        "__attribute__((destructor)) static void late(void) { newer(3); }\n" + ALONE,
        "",
    ),
    "preinit": (
        "in .preinit_array",
        "static void early(void) { newer(3); }\n"
        '__attribute__((section(".preinit_array"), used)) void (*first)(void) = early;\n' + ALONE,
        "",
    ),
    "init": (
        "in the function of -Wl,-init",
        "void first(void) { newer(3); }\n" + ALONE,
        "-Wl,-init,first",
    ),
    "thread": ("in a thread that main starts", THREAD, "-pthread"),
    "atexit": (
        "in a function given to atexit",
        "#include <stdlib.h>\nstatic void late(void) { newer(3); }\n"
        "int main(void) { return atexit(late); }\n",
        "",
    ),
    "pointer": (
        "called by a pointer out of a table, without asking",
        TABLE + "int which = 1;\nint main(void) { return both[which].run(0); }\n",
        "",
    ),
    "resolver": (
        "in an IFUNC resolver itself",
        "static int older(int x) { return x; }\n"
        "typedef int (*kernel)(int);\n"
        "static kernel choose(void) { newer(3); return older; }\n"
        'int use(int) __attribute__((ifunc("choose")));\n' + STARTED,
        "",
    ),
    "ifunc": (
        "chosen by an IFUNC resolver that asks the CPU",
        "static int older(int x) { return x; }\ntypedef int (*kernel)(int);\n"
        "RESOLVER\n"
        'int use(int) __attribute__((ifunc("choose")));\n' + STARTED,
        "",
    ),
    "getauxval": (
        "behind getauxval",
        "int main(void) { return HAS ? newer(0) : 0; }\n",
        "",
    ),
    "table": (
        "in a table of kernels of which getauxval chooses one in a constructor",
        TABLE + "static int (*run)(int);\n"
        "__attribute__((constructor)) static void choose(void) { run = both[HAS].run; }\n"
        "int main(void) { return run(0); }\n",
        "",
    ),
    "cpuinfo": (
        "behind a look at /proc/cpuinfo",
        CPUINFO + 'int main(void) { return has("WORD") ? newer(0) : 0; }\n',
        "",
    ),
    "probe": (
        "tried in a constructor under a SIGILL handler",
        PROBE + "int main(void) { return has ? newer(0) == 77 : 0; }\n",
        "",
    ),
    "argument": (
        "behind a branch on the number of arguments",
        "int main(int argc, char **argv) {\n"
        "  (void)argv; return argc > 5 ? newer(argc) == 77 : 0; }\n",
        "",
    ),
    "always": (
        "behind a branch that is always taken and asks nobody",
        "int main(int argc, char **argv) {\n"
        "  (void)argv; return argc > 0 ? newer(argc) == 77 : 0; }\n",
        "",
    ),
    "dead": (
        "in a function that nothing calls",
        "__attribute__((used)) static int never(int x) { return newer(x); }\n" + ALONE,
        "",
    ),
    "asked-late": (
        "asks the CPU, but only after it has used it",
        "int main(void) { int x = newer(0); return HAS ? x : 0; }\n",
        "",
    ),
    "asked-elsewhere": (
        "asks the CPU for something else, and uses it in a constructor all the same",
        "__attribute__((constructor)) static void early(void) { newer(3); }\n"
        "int main(void) { return (int)(getauxval(AT_HWCAP) & 0); }\n",
        "",
    ),
}
# Why nothing in the file tells whether a run comes to the instruction: the audit names it all the
# same, and the document counts these on their own.
UNDECIDABLE = {
    "argument": "it branches on the number of arguments, as `always` does, which fails",
    "always": "it branches on the number of arguments, as `argument` does, which starts",
    "pointer": "it calls by an index that a variable holds when it runs",
}
RESOLVERS = {
    AARCH64: "static kernel choose(unsigned long caps) { return (caps >> 8) & 1 ? newer : older; }",
    # An ARM resolver is given AT_HWCAP alone, and a call through the PLT would end in a fault: what
    # it chooses by is VFPv4's bit.
    ARM: "static kernel choose(unsigned long caps) { return (caps >> 16) & 1 ? newer : older; }",
}
VFPV4 = (".fpu fp-armv8\\n\\tvrintm.f32 %0, %0", ".fpu vfpv4\\n\\tvfma.f32 %0, %0, %0")
WORDS = {AARCH64: "atomics", ARM: "crc32"}
STATIC_INITIALISER = (
    "struct table { float cells[4]; int x; table() : x(newer(3)) {} };\n"
    "static table every;\n" + ALONE
)
DLOPEN = (
    "#include <dlfcn.h>\nint main(void) { void *l = dlopen(PATH, RTLD_NOW); if (!l) return 3;\n"
    '  int (*f)(int) = (int (*)(int))dlsym(l, "value"); return f ? CALL : 4; }\n'
)
HERE = '"/proof/%s/lib/libkernel.so"'


def cases() -> Iterator[Case]:
    for machine in (ARM, AARCH64):
        for name, (what, text, flags) in PROGRAMS.items():
            if (machine, name) == (ARM, "table"):
                yield _program(machine, name, "gcc14", what, text, flags + " -marm")
                continue
            yield _program(machine, name, "gcc12", what, text, flags)
        yield _program(machine, "getauxval", "clang19", *PROGRAMS["getauxval"])
        yield _program(machine, "constructor", "clang19", *PROGRAMS["constructor"])
        yield _program(machine, "ifunc", "gcc14", *PROGRAMS["ifunc"])
        for compiler in ("gcc12", "clang19"):
            yield _initialiser(machine, compiler)
        yield from _libraries(machine)
    yield _clones()


def _text(machine: str, text: str, spot: str = "static") -> str:
    parts = ASKS[machine] + NEWER[machine].replace("SPOT", spot) + text
    if machine == ARM and "RESOLVER" in text:
        parts = parts.replace(*VFPV4)
    return parts.replace("RESOLVER", RESOLVERS[machine]).replace("WORD", WORDS[machine])


BASE = {ARM: "-march=armv7-a -mfpu=vfpv3-d16", AARCH64: "-mno-outline-atomics"}


def _program(machine: str, name: str, compiler: str, what: str, text: str, flags: str) -> Case:
    return Case(
        f"{machine}-in-{name}-{compiler}",
        machine,
        compiler,
        what,
        {"main.c": _text(machine, text)},
        (f"$CC -O2 {BASE[machine]} main.c {flags} -o tree/bin/main",),
        undecidable=UNDECIDABLE.get(name, ""),
    )


def _initialiser(machine: str, compiler: str) -> Case:
    return Case(
        f"{machine}-in-static-initialiser-{compiler}",
        machine,
        compiler,
        "in the initialiser of a static object of C++",
        {"main.cc": _text(machine, STATIC_INITIALISER)},
        (f"$CXX -O2 {BASE[machine]} main.cc -o tree/bin/main",),
    )


def _libraries(machine: str) -> Iterator[Case]:
    """The instruction in a library: called at once, never, asked for, or loaded by dlopen."""
    straight = _text(machine, "int value(int x) { return newer(x); }\n")
    asked = _text(machine, "int value(int x) { return HAS ? newer(x) : x; }\n")
    early = _text(
        machine,
        "__attribute__((constructor)) static void early(void) { newer(3); }\n"
        "int value(int x) { return x; }\n",
    )
    rows = (
        ("library-called", "exported by a library, and called", straight, LIBRARY, ""),
        ("library-asks", "exported by a library that asks the CPU first", asked, LIBRARY, ""),
        ("library-constructor", "in a library's constructor", early, LIBRARY, ""),
        (
            "library-hidden",
            "in a hidden function of a library that nothing calls",
            _text(
                machine,
                '__attribute__((used, visibility("hidden")))\n'
                "int never(int x) { return newer(x); }\n"
                "int value(int x) { return x; }\n",
            ),
            LIBRARY,
            "-s",
        ),
    )
    for name, what, library, program, flags in rows:
        yield Case(
            f"{machine}-in-{name}",
            machine,
            "gcc12",
            what,
            {"kernel.c": library, "main.c": program},
            (
                f"$CC -O2 {BASE[machine]} {flags} -shared -fPIC -Wl,-soname,libkernel.so kernel.c"
                " -o tree/lib/libkernel.so",
                f"$CC -O2 {BASE[machine]} main.c -Ltree/lib -lkernel"
                " -Wl,-rpath,'$ORIGIN/../lib' -o tree/bin/main",
            ),
        )
    yield _beside_a_player(machine, straight)
    dlopened = (
        ("dlopen-constructor", "in the constructor of a library that is dlopened", early, "f(0)"),
        ("dlopen-called", "in a function got by dlsym", straight, "f(0)"),
        ("dlopen-asks", "in a dlopened library that asks the CPU", asked, "f(0)"),
    )
    for name, what, library, call in dlopened:
        program = DLOPEN.replace("PATH", '"libkernel.so"').replace("CALL", call)
        yield Case(
            f"{machine}-in-{name}",
            machine,
            "gcc12",
            what,
            {"kernel.c": library, "main.c": program},
            (
                f"$CC -O2 {BASE[machine]} -shared -fPIC -Wl,-soname,libkernel.so kernel.c"
                " -o tree/lib/libkernel.so",
                f"$CC -O2 {BASE[machine]} main.c -ldl"
                " -Wl,--disable-new-dtags,-rpath,'$ORIGIN/../lib' -o tree/bin/main",
            ),
        )


def _beside_a_player(machine: str, library: str) -> Case:
    """Who asks and opens others is in the tree, and answers for what it names alone."""
    return Case(
        f"{machine}-in-library-beside-a-player",
        machine,
        "gcc12",
        "exported by a library, and called; another program asks the CPU and opens another library",
        {
            "kernel.c": library,
            "main.c": LIBRARY,
            "player.c": ASKS[machine] + "#include <dlfcn.h>\n"
            'int main(void) { return HAS ? !dlopen("libcodec.so", RTLD_NOW) : 0; }\n',
        },
        (
            f"$CC -O2 {BASE[machine]} -shared -fPIC -Wl,-soname,libkernel.so kernel.c"
            " -o tree/lib/libkernel.so",
            f"$CC -O2 {BASE[machine]} main.c -Ltree/lib -lkernel"
            " -Wl,-rpath,'$ORIGIN/../lib' -o tree/bin/main",
            f"$CC -O2 {BASE[machine]} player.c -ldl -o tree/bin/player",
        ),
    )


def _clones() -> Case:
    return Case(
        "aarch64-in-clones-gcc14",
        AARCH64,
        "gcc14",
        "made in two versions by target_clones, of which libgcc's resolver chooses",
        {
            "main.c": "float cells[64];\n"
            '__attribute__((target_clones("default", "sve"))) int use(int x) {\n'
            "  for (int i = 0; i < 64; i++) cells[i] = cells[i] * (float)x + 2.5f;\n"
            "  return (int)cells[3]; }\n" + STARTED
        },
        ("$CC -O3 main.c -o tree/bin/main",),
    )
