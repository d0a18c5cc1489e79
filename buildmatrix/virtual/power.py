"""On or off, whatever holds the board: a QEMU machine, or a container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from buildmatrix.virtual import container, machine

if TYPE_CHECKING:
    from pathlib import Path


class Power(Protocol):
    """What the modules `machine` and `container` both are."""

    def alive(self, directory: Path) -> bool: ...
    def stop(self, directory: Path) -> bool:
        """Pull the plug, the disk stays; True when it was on."""

    def remove(self, directory: Path) -> None:
        """Off, and nothing is left outside of the directory."""

    def console(self, directory: Path) -> str:
        """What the board said since it was switched on."""


def of(directory: Path) -> Power:
    if (directory / container.MARK).exists():
        return container
    return machine
