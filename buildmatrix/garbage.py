"""Which of the things that a state folder keeps may go: pure, from what is there to what is not.

What the matrix needs now never goes. The rest goes when it was of no use for a time, and, where a
limit is set, the longest unused first until what is left fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY = 24 * 3600.0


class Kind(StrEnum):
    """What is kept, in the words that a listing shows."""

    STORED = "stored work"
    DOWNLOAD = "download"
    COMPILER_CACHE = "compiler cache"
    IMAGE = "engine image"
    BOARD = "virtual board image"
    LAYERS = "layers of a model's file"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that may be made again: where it is known by `name`, `size` in bytes.

    `used` is when it was last of use, in seconds since the epoch; `title` says what it is to a
    person. `needed`: the matrix as it stands now, or a virtual board that is there, counts on it.
    """

    kind: Kind
    name: str
    title: str
    size: int
    used: float
    needed: bool


def garbage(
    items: Iterable[Item], *, now: float, unused_days: float, at_most: int | None = None
) -> tuple[Item, ...]:
    """What goes of `items`: not needed and unused for so many days; then, while more than `at_most`
    bytes are left, the rest of what is not needed, the longest unused first.
    """
    everything = tuple(items)
    spare = sorted((one for one in everything if not one.needed), key=_age)
    oldest = now - unused_days * DAY
    old = [one for one in spare if one.used <= oldest]
    left = sum(one.size for one in everything) - sum(one.size for one in old)
    for one in spare[len(old) :]:
        if at_most is None or left <= at_most:
            break
        old.append(one)
        left -= one.size
    return tuple(old)


def _age(one: Item) -> tuple[float, str, str]:
    return one.used, one.kind, one.name
