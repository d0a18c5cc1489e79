"""Reads the board's answer to the question what it has into bundles, files and sizes.

A board is not trusted: a line that has not exactly a known form is left out, and an answer without
its last line counts as no answer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from buildmatrix.agent import CELL, DIGEST
from buildmatrix.errors import DeviceError

Lines = Mapping[str, list[tuple[str, ...]]]  # verb -> what its lines say

LINK = rf"(?:{CELL.pattern})(?:\.previous)?"
FORMS = {
    "have": re.compile(r"([0-9a-f]{64}(?:\.x)?)"),
    "size": re.compile(r"([0-9]{1,15}) (\S+/[0-9a-f]{64}(?:\.x)?)"),
    "sum": re.compile(r"([0-9a-f]{64}) [ *](\S+/[0-9a-f]{64}(?:\.x)?)"),
    "corrupt": re.compile(r"([0-9a-f]{64}(?:\.x)?)"),
    "bad": re.compile(r"([0-9a-f]{64}(?:\.x)?)"),
    "missing": re.compile(r"()"),
    "switched": re.compile(rf"({CELL.pattern})"),
    "bundle": re.compile(rf"({DIGEST.pattern})"),
    "removed": re.compile(rf"({DIGEST.pattern})"),
    "held": re.compile(rf"({DIGEST.pattern})"),
    "cell": re.compile(rf"({LINK}) ({DIGEST.pattern})"),
    "switch": re.compile(rf"[0-9]+ ({CELL.pattern}) ({DIGEST.pattern})"),
    "used": re.compile(r"([0-9]{1,15})\s.*"),
    "fresh": re.compile(r"()"),
    "zstd": re.compile(r"()"),
    "busy": re.compile(r"([A-Za-z0-9@._+?-]*)"),
    "end": re.compile(r"()"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of an object: `size` bytes that hash to `sha256`."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a board has, read from the lines of the survey."""

    present: frozenset[str] = frozenset()  # of the objects asked for
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)  # by object's name
    corrupt: tuple[str, ...] = ()  # found damaged and removed
    bundles: frozenset[str] = frozenset()
    links: tuple[tuple[str, str], ...] = ()  # cells/ name -> digest, .previous included
    held: frozenset[str] = frozenset()  # bundles that a benchmark run still needs
    history: tuple[tuple[str, str], ...] = ()  # (cell, digest), oldest first
    used_kib: int = 0  # by everything below the prefix
    fresh: bool = False  # nothing was ever deployed there
    zstd: bool = False  # the board can unpack it
    busy: str = ""  # whose benchmark is at work; 'somebody' when it does not say

    @property
    def active(self) -> Mapping[str, str]:
        return {name: digest for name, digest in self.links if not name.endswith(".previous")}


def read_listing(answer: bytes) -> Listing:
    """Lines of the survey as a value; other lines among them do no harm."""
    lines = read_lines(answer)
    return Listing(
        present=frozenset(name for (name,) in lines["have"]),
        parts=_parts(lines),
        corrupt=tuple(name for (name,) in lines["corrupt"]),
        bundles=frozenset(digest for (digest,) in lines["bundle"]),
        links=tuple((name, digest) for name, digest in lines["cell"]),
        held=frozenset(digest for (digest,) in lines["held"]),
        history=tuple((cell, digest) for cell, digest in lines["switch"]),
        used_kib=max((int(kib) for (kib,) in lines["used"]), default=0),
        fresh=bool(lines["fresh"]),
        zstd=bool(lines["zstd"]),
        busy=next((owner or "somebody" for (owner,) in lines["busy"]), ""),
    )


def refuse_while_measuring(board: str, listing: Listing) -> None:
    """Raise DeviceError while a benchmark runs there: writing to the card would spoil the figures
    of the person who measures."""
    if listing.busy:
        raise DeviceError(
            f"{board} is measuring for {listing.busy}, and a deploy would disturb that",
            hint="wait for its end, `inv device list` shows how far it is; or add --force",
        )


def read_lines(answer: bytes) -> Lines:
    """'verb words' lines grouped by verb. Raises DeviceError for an answer that is not whole."""
    lines: dict[str, list[tuple[str, ...]]] = {verb: [] for verb in FORMS}
    text = answer.decode("ascii", errors="replace")
    for line in text.split("\n"):
        verb, _, words = line.partition(" ")
        if verb in FORMS and (match := FORMS[verb].fullmatch(words)):
            lines[verb].append(match.groups())
    if not lines["end"]:
        raise DeviceError(
            "the board's answer is not one",
            details=ascii(text[:200]),
            hint="check that `ssh` to it starts a POSIX shell that prints nothing by itself",
        )
    return lines


def _parts(lines: Lines) -> Mapping[str, tuple[Part, ...]]:
    sizes = {path: int(size) for size, path in lines["size"]}
    parts: dict[str, list[Part]] = defaultdict(list)
    for sha256, path in lines["sum"]:
        if path in sizes:
            parts[path.rpartition("/")[2]].append(Part(sizes[path], sha256))
    return {name: tuple(found) for name, found in parts.items()}
