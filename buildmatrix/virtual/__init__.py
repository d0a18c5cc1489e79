"""A board without a board: a virtual Raspberry Pi 3 under QEMU, as an ordinary user.

It has four Cortex-A53, 1 GB, a 32-bit Debian userland and an sshd that takes keys only. It fails
like a Pi: out of memory, wrong instruction set, power cut. It says of itself that it is emulated.
"""

from __future__ import annotations

from buildmatrix.virtual.board import Board, boards, down, up
from buildmatrix.virtual.machine import KINDS
from buildmatrix.virtual.rootfs import Image, image

__all__ = ["KINDS", "Board", "Image", "boards", "down", "image", "up"]
