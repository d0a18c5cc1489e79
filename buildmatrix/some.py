"""Many names in one sentence: the first few, and how many more there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def some(names: Sequence[str], most: int, *, total: int = 0, between: str = ", ") -> str:
    """At most `most` of the names in words; of `total`, where not all of them are known.

    >>> some(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    rest = max(total, len(names)) - most
    return between.join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
