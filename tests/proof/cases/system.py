"""Instructions that no program may use, and registers that came with an extension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM
from tests.proof.cases.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

TAB = "\t"
MAIN = "int newer(void);\nint main(void) { newer(); return 0; }\n"
BODIES = {
    AARCH64: "\t.text\n\t.globl newer\n\t.type newer, %function\nnewer:\n"
    "\t{}\n\tmov w0, #0\n\tret\n",
    ARM: "\t.syntax unified\n\t.arm\n\t.text\n\t.globl newer\n\t.type newer, %function\nnewer:\n"
    "\tpush {{r4, lr}}\n\t{}\n\tpop {{r4, pc}}\n",
}
END = '\t.size newer, . - newer\n\t.section .note.GNU-stack, "", %progbits\n'
FLAGS = {AARCH64: "", ARM: "-march=armv7-a+fp"}
KERNELS = {
    AARCH64: {
        "hypervisor": "hvc #0",
        "cycles": "mrs x0, pmccntr_el0",
        "physical-counter": "mrs x0, cntpct_el0",
        "interrupts": "msr daifset, #2",
        "control": "mrs x0, sctlr_el1",
        "level": "mrs x0, currentel",
        "cache": "dc isw, x0",
        "translations": "tlbi vmalle1",
    },
    ARM: {
        "monitor": ".arch_extension sec\n\tsmc #0",
        "cycles": "mrc p15, 0, r0, c9, c13, 0",
        "float-unit": "vmrs r0, mvfr0",
        "control": "mrc p15, 0, r0, c1, c0, 0",
        "iwmmxt": ".cpu iwmmxt\n\twzero wr0",
    },
}
GIVEN = {
    AARCH64: {
        "what-it-is": "mrs x0, midr_el1",
        "virtual-counter": "mrs x0, cntvct_el0",
        "random": ".arch armv8.5-a+rng\n\tmrs x0, rndr",
        "independent-time": ".arch armv8.4-a\n\tmrs x0, dit",
        "speculation": ".arch armv8-a+ssbs\n\tmrs x0, ssbs",
        "streaming": ".arch armv9-a+sme\n\tsmstart",
        "matrix-thread": "mrs x0, s3_3_c13_c0_5",
    },
    ARM: {
        "thread": "mrc p15, 0, r0, c13, c0, 3",
        "barrier": "mov r0, #0\n\tmcr p15, 0, r0, c7, c10, 5",
    },
}


def _rows() -> Iterator[Row]:
    for kind, table in (("kernel's", KERNELS), ("program's", GIVEN)):
        for machine, lines in table.items():
            for name, line in lines.items():
                yield Row(
                    f"system-{name}",
                    f"the {kind} own: {line.split(TAB)[-1]}",
                    (f"$CC {FLAGS[machine]} -O1 main.c newer.S -o tree/bin/main",),
                    {"main.c": MAIN, "newer.S": BODIES[machine].format(line) + END},
                    (machine,),
                    "gcc14",
                )


ROWS = tuple(_rows())
