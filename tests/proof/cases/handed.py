"""Functions that the program does not call itself: it hands them to the C library, which does."""

from __future__ import annotations

from tests.proof.case import AARCH64
from tests.proof.cases.row import Row

# Any two arguments; the instruction of the dot products is in no attribute of AArch64's.
NEWER = (
    "#define _GNU_SOURCE\n"
    "static __attribute__((noinline, used)) int newer(const void *a, const void *b) {"
    ' (void)a; (void)b; __asm__ volatile(".inst 0x4e829420" ::: "v0"); return 0; }\n'
)
QSORT = "#include <stdlib.h>\nint v[8] = {3, 1, 2};\n"
SIGNAL = (
    "#include <signal.h>\nstatic void caught(int n) {{ (void)n; newer(0, 0); }}\n"
    "int main(int c, char **v) {{ (void)v; signal(SIGUSR1, caught); return c > {} ? raise(SIGUSR1)"
    " : 0; }}\n"
)
PHDR = (
    "#include <link.h>\n"
    "static int each(struct dl_phdr_info *i, size_t n, void *p) { (void)n; return newer(i, p); }\n"
    "int main(void) { return dl_iterate_phdr(each, 0); }\n"
)
TRACE = (
    "#include <unwind.h>\n"
    "static _Unwind_Reason_Code each(struct _Unwind_Context *c, void *p) {"
    " newer(c, p); return _URC_NO_REASON; }\n"
    "int main(void) { _Unwind_Backtrace(each, 0); return 0; }\n"
)
FORK = (
    "#include <pthread.h>\n#include <unistd.h>\n#include <sys/wait.h>\n"
    "static void before(void) { newer(0, 0); }\n"
    "int main(void) { pthread_atfork(before, 0, 0); pid_t p = fork(); if (!p) _exit(0);"
    " int s; return waitpid(p, &s, 0) != p; }\n"
)
CONTEXT = (
    "#include <ucontext.h>\nstatic ucontext_t here, there;\nstatic char stack[65536];\n"
    "static void other(void) { newer(0, 0); }\n"
    "int main(void) { getcontext(&there); there.uc_stack.ss_sp = stack;"
    " there.uc_stack.ss_size = sizeof stack; there.uc_link = &here;"
    " makecontext(&there, other, 0); return swapcontext(&here, &there); }\n"
)
TASK = "int main(void) {\n#pragma omp parallel\n#pragma omp task\n  newer(0, 0);\n  return 0; }\n"
LOOP = (
    "int main(void) {\n#pragma omp parallel for schedule(dynamic)\n"
    "  for (int i = 0; i < 8; i++) newer(0, 0);\n  return 0; }\n"
)
VIRTUAL = (
    "class Base { public: virtual int run() { return 0; } };\n"
    "class Newer : public Base { public: int run() override { return newer(this, 0); } };\n"
    "Base *make(int c);\nint main(int c, char **) { return make(c)->run(); }\n"
    "__attribute__((noinline)) Base *make(int c) { static Base b; static Newer n;"
    " return c ? &n : &b; }\n"
)
THREAD = (
    "#include <thread>\nclass Work { public: void operator()() { newer(this, 0); } };\n"
    "int main() { std::thread one{Work()}; one.join(); return 0; }\n"
)
PROGRAMS = {
    "qsort": (
        "given to qsort with eight members",
        QSORT + "int main(void) { qsort(v, 8, sizeof *v, newer); return 0; }\n",
    ),
    "qsort-one": (
        "given to qsort with one member: there is nothing to compare",
        QSORT + "int main(void) { qsort(v, 1, sizeof *v, newer); return 0; }\n",
    ),
    "bsearch": (
        "given to bsearch",
        QSORT + "int main(void) { return !bsearch(v, v, 8, sizeof *v, newer); }\n",
    ),
    "headers": ("given to dl_iterate_phdr", PHDR),
    "trace": ("given to _Unwind_Backtrace", TRACE),
    "omp-task": ("a task of OpenMP", TASK),
}
SIGNALS = "whether the signal comes is known when it runs"
TABLES = "it calls by a table of virtual functions"
# What nothing but the run decides: name -> (what it is, its text, why).
UNSURE = {
    "signal-raised": ("given to signal, and raised", SIGNAL.format(0), SIGNALS),
    "signal": ("given to signal, which nobody raises", SIGNAL.format(5), SIGNALS),
    "fork": ("given to pthread_atfork before a fork", FORK, "whether it forks decides its code"),
    "context": (
        "given to makecontext",
        CONTEXT,
        "whether it changes to the context decides its code",
    ),
    "omp-loop": ("a loop of OpenMP that is handed out", LOOP, "which turns are a thread's own"),
    "virtual": ("a virtual function", VIRTUAL, TABLES),
    "thread-cpp": ("in a std::thread", THREAD, TABLES),
}


def _row(name: str, what: str, text: str, why: str = "") -> Row:
    compiler = "$CXX -pthread" if "class" in text else "$CC"
    flags = "-fopenmp -O2" if name.startswith("omp") else "-O2 -funwind-tables"
    return Row(
        f"handed-{name}",
        what,
        (f"{compiler} {flags} main.c -o tree/bin/main",),
        {"main.c": NEWER + text},
        (AARCH64,),
        undecidable=why,
    )


ROWS = (
    *(_row(name, *row) for name, row in PROGRAMS.items()),
    *(_row(name, *row) for name, row in UNSURE.items()),
)
