"""Which part of which file lies at an address of a process: /proc/PID/maps, see proc(5)."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE = re.compile(
    r"(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) ..x. (?P<offset>[0-9a-f]+) \S+ \d+ *(?P<path>.*)"
)


@dataclass(frozen=True, slots=True, order=True)
class Mapping:
    """Code of a process: `path` is of a file, [vdso] and the like, or empty for memory alone."""

    start: int
    end: int
    offset: int  # in the file
    path: str


def parse(text: str) -> tuple[Mapping, ...]:
    """Everything that may be executed, in order of addresses."""
    matches = map(LINE.match, text.splitlines())
    return tuple(
        sorted(
            Mapping(
                int(match["start"], 16),
                int(match["end"], 16),
                int(match["offset"], 16),
                match["path"].removesuffix(" (deleted)"),
            )
            for match in matches
            if match
        )
    )


class Layout:
    """The mappings of one process, asked by address."""

    def __init__(self, mappings: Iterable[Mapping]) -> None:
        self._mappings = sorted(mappings)
        self._starts = [mapping.start for mapping in self._mappings]

    def at(self, address: int) -> Mapping | None:
        """The mapping that holds an address; None where there is no code of the process."""
        place = bisect.bisect_right(self._starts, address) - 1
        if place < 0 or address >= self._mappings[place].end:
            return None
        return self._mappings[place]
