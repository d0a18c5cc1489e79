"""A row of the tables of odd trees: one kind of tree, made for one machine or both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.proof.case import AARCH64, ARM, Case
from tests.proof.cases.symbols import LIB, MAIN, PROGRAM, VALUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BOTH = (ARM, AARCH64)
WITH: Mapping[str, str] = {"value.c": VALUE, "main.c": MAIN}
ALONE: Mapping[str, str] = {"main.c": "int main(void) { return 0; }\n"}
PLAIN = (LIB.format("value.c"), PROGRAM.format(""))
START = {
    ARM: "\t.globl _start\n_start:\n\tmov r0, #0\n\tmov r7, #1\n\tsvc #0\n",
    AARCH64: "\t.globl _start\n_start:\n\tmov x0, #0\n\tmov x8, #93\n\tsvc #0\n",
}
LOADERS = {ARM: "ld-linux-armhf.so.3", AARCH64: "ld-linux-aarch64.so.1"}
OLDEST = "$CC.2.28"  # zig's word for the glibc to link for


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    what: str
    steps: tuple[str, ...] = PLAIN
    files: Mapping[str, str] = field(default_factory=lambda: WITH)
    machines: tuple[str, ...] = BOTH
    compiler: str = "gcc12"
    everywhere: bool = False  # started once more in a folder of its own
    undecidable: str = ""


def built_later(source: str, options: str = "") -> str:
    """The library is built anew behind the program's back."""
    return LIB.format(f"{source} {options}")


def cases(rows: Iterable[Row]) -> Iterator[Case]:
    for row in rows:
        for machine in row.machines:
            steps = (step.replace("$LOADER", LOADERS[machine]) for step in row.steps)
            if row.compiler == "zig":
                steps = (step.replace("$CC", OLDEST) for step in steps)
            yield Case(
                f"{machine}-odd-{row.name}-{row.compiler}",
                machine,
                row.compiler,
                row.what,
                {n: text.replace("$START", START[machine]) for n, text in row.files.items()},
                tuple(steps),
                everywhere=row.everywhere,
                undecidable=row.undecidable,
            )
