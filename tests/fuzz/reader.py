"""One thing that is fuzzed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reader:
    """`read` takes any bytes and an empty folder, and does all that follows from reading them.

    All that it may raise is BuildmatrixError. `seeds` gives inputs that it reads without one.
    """

    name: str
    seeds: Callable[[], tuple[bytes, ...]]
    read: Callable[[bytes, Path], object]


def text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")
