"""A board without a board: virtual Raspberry Pis under QEMU, as an ordinary user.

Each has the real one's cores, memory and model string, a Debian userland and an sshd that takes
keys only. It fails like a Pi: out of memory, wrong instruction set, power cut. It says of itself
that it is emulated.
"""

from __future__ import annotations

from buildmatrix.virtual.board import down, up
from buildmatrix.virtual.kinds import KINDS, Kind
from buildmatrix.virtual.record import Board, boards

__all__ = ["KINDS", "Board", "Kind", "boards", "down", "up"]
