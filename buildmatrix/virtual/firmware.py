"""Boards without an operating system: one program in QEMU, whose instructions are counted.

QEMU gives its guest 64 ns for each instruction (-icount), and the boards' timer counts every 40 ns
of them, so a difference of two readings is a number of instructions, exact to one. The processor's
own cycle counter (CYCCNT) reads 0 there. Instructions, not cycles: no cache, no pipeline.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.virtual import host

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "mps2-an386": "Arm's MPS2 with a Cortex-M4, 25 MHz (application note AN386)",
    "mps2-an500": "Arm's MPS2 with a Cortex-M7, 25 MHz (application note AN500)",
}
QEMU = "qemu-system-arm"
SHIFT = 6  # of -icount: 2^6 ns an instruction
TICK = 40  # ns, at 25 MHz
LOOP = 999_999  # instructions of a loop that the program times before all else
ANSWERS, TICKS = "answers.q7", "ticks.u32"  # what the program writes
PATIENCE = 900.0  # seconds; a pass of face-cnn takes about two
EXITS = "70: it faulted; 71: a file was not there; 80 and N: the network's call N was refused"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program left: answers one after the other, and the instructions of each pass."""

    answers: bytes
    instructions: tuple[int, ...]


def version() -> str:
    """QEMU's name and version. Raises DeviceError when it is not there."""
    host.require({QEMU: "qemu-system-arm"})
    first = host.run([QEMU, "--version"], timeout=60).decode().splitlines()[0]
    return f"QEMU {first.partition('version ')[2].split()[0]}"


def run(program: Path, folder: Path, kind: str, *, timeout: float = PATIENCE) -> Ran:
    """Run a program on a board of this kind; it finds its files in `folder`, and writes there.

    Raises DeviceError when it does not end well, or when QEMU does not count its instructions.
    """
    host.require({QEMU: "qemu-system-arm"})
    argv = (
        *(QEMU, "-M", kind, "-kernel", str(program), "-icount", f"shift={SHIFT},sleep=off"),
        *("-display", "none", "-monitor", "none", "-serial", "none"),
        *("-semihosting-config", "enable=on,target=native"),
    )
    try:
        host.run(argv, cwd=folder, timeout=timeout)
    except DeviceError as error:
        raise DeviceError(error.brief, details=error.details, hint=EXITS) from None
    raw = (folder / TICKS).read_bytes()
    loop, nothing, *passes = struct.unpack(f"<{len(raw) // 4}I", raw)
    counted = instructions(loop - nothing)
    if abs(counted - LOOP) > 1:
        raise DeviceError(
            f"{kind}: a loop of {LOOP:,} instructions counts as {counted:,}",
            hint="this QEMU does not keep -icount; 7.2 does",
        )
    figures = tuple(instructions(one - nothing) for one in passes)
    return Ran((folder / ANSWERS).read_bytes(), figures)


def instructions(ticks: int) -> int:
    """What took so many ticks of the boards' timer.

    >>> instructions(1600000)
    1000000
    """
    return round(ticks * TICK / (1 << SHIFT))
