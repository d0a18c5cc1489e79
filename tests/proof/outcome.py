"""What became of a program: read from its exit status and from what was said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    STARTS = "starts"  # starts and ends with 0
    LOADER = "loader"  # the loader or the kernel refuses it in words
    ILLEGAL = "illegal instruction"
    OTHER = "other"  # another signal, or another exit code


@dataclass(frozen=True, slots=True)
class Outcome:
    kind: Kind
    words: str = ""  # the last line that was said

    @property
    def started(self) -> bool:
        return self.kind is Kind.STARTS


SIGILL = 4
# What glibc's loader, the kernel through a shell, and QEMU in the kernel's place say.
REFUSALS = re.compile(
    r"error while loading shared libraries|symbol lookup error|version `.*' not found|"
    r"relocation error|cannot open shared object|Could not open|Invalid ELF image|"
    r"Exec format error|not found|Inconsistency detected by ld.so|undefined symbol|"
    r"cannot enable executable stack|static TLS|cannot be dlopen|file too short|"
    r"invalid ELF header|Permission denied|Error mapping file"
)


def read(status: int, output: str) -> Outcome:
    """The outcome of an exit status as subprocess has it: negative is minus the signal.

    A shell's 128 + signal is read alike.
    """
    signal = -status if status < 0 else status - 128 if status > 128 else 0
    lines = [line for line in output.strip().splitlines() if line.strip()]
    last = next((line for line in lines if REFUSALS.search(line)), lines[-1] if lines else "")
    if status == 0:
        return Outcome(Kind.STARTS)
    if signal == SIGILL:
        return Outcome(Kind.ILLEGAL)
    if REFUSALS.search(output):
        return Outcome(Kind.LOADER, last[:300])
    return Outcome(Kind.OTHER, f"status {status}" + (f": {last[:200]}" if last else ""))
