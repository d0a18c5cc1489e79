"""What the two ends have to agree on: their version, and what a worker offers."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = Path(__file__).parent.parent
EXTENSION = "buildmatrix"  # under which a Dask worker has its station
ANY = "buildmatrix"  # a resource of every worker that was started for us, of whatever version


@functools.cache
def version() -> str:
    """The version of this program to the last byte of its code: what is made must be the same."""
    sums = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in (".py", ".cpp", ".h", ".j2", ".sh") and path.is_file():
            sums.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode())
            sums.update(path.read_bytes())
    return f"{__version__}+{sums.hexdigest()[:12]}"


def slots() -> str:
    """The resource of which each compile takes one; only workers of this version have it."""
    return f"buildmatrix compiles, {version()}"


def memory() -> str:
    """The resource of MiB that compiles may use."""
    return f"buildmatrix MiB, {version()}"


def claim(memory_mib: int) -> Mapping[str, float]:
    """What a compile takes of a worker."""
    return {slots(): 1, memory(): memory_mib}


def offer(compiles: int, memory_mib: int) -> Mapping[str, float]:
    """What a worker has. Dask gives a task only to workers that have all that it takes, so one of
    another version gets none of ours."""
    return {ANY: 1, slots(): compiles, memory(): memory_mib}
