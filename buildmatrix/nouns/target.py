"""What code is built for: a machine, an instruction set, a floating-point ABI, a libc."""

from __future__ import annotations

import re
from dataclasses import dataclass

# GCC's -mfpu for 32-bit state, each with all of those before it. From neon-fp-armv8 on it is ARMv8
# in 32-bit state (march armv8-a or armv8-a+crc); the Raspberry Pis before the 5 have no crypto.
FPU_RANK = (
    *("", "vfpv2", "vfpv3-d16", "vfpv3", "neon", "neon-vfpv4"),
    *("neon-fp-armv8", "crypto-neon-fp-armv8"),
)


def version_tuple(text: str) -> tuple[int, ...]:
    """Numbers of a dotted version, for ordering: '2.36' < '2.4.1' is False here.

    >>> version_tuple("GLIBC_2.36") > version_tuple("2.4.1")
    True
    """
    return tuple(int(part) for part in re.findall(r"\d+", text))


def is_bare(triple: str) -> bool:
    """Whether what is built for a triple runs without an operating system.

    >>> is_bare("arm-none-eabi"), is_bare("arm-linux-gnueabihf")
    (True, False)
    """
    return triple.endswith("-none-eabi")


@dataclass(frozen=True, slots=True)
class Target:
    """What code is built for. `runs_on` is the partial order: built-for A runs-on B."""

    triple: str  # arm-linux-gnueabihf
    machine: str  # ELF machine as pyelftools names it: EM_ARM, EM_AARCH64
    march: str  # armv7-a
    fpu: str  # neon-vfpv4; one of FPU_RANK
    float_abi: str  # hard
    libc_floor: str  # highest GLIBC_ symbol version allowed: 2.36; empty: no limit
    # All that a named board's processor has beyond the base set, in the words of `isa.features`;
    # None where march and fpu alone say it.
    cpu_features: tuple[str, ...] | None = None

    @property
    def bare(self) -> bool:
        """Whether its programs run without an operating system, as none of a board over SSH does.

        >>> Target("arm-none-eabi", "EM_ARM", "armv7e-m", "", "soft", "").bare
        True
        """
        return is_bare(self.triple)

    @property
    def place(self) -> str:
        """What a board has to be for its programs: an ELF machine, or none that has a system."""
        return "no system" if self.bare else self.machine

    def runs_on(self, other: Target) -> bool:
        """True when code built for this target may run where `other` describes the machine."""
        return (
            self.machine == other.machine
            and self.float_abi == other.float_abi
            and FPU_RANK.index(self.fpu) <= FPU_RANK.index(other.fpu)
            and version_tuple(self.libc_floor) <= version_tuple(other.libc_floor)
        )
