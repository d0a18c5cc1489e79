"""A slow link to a board, as fast and as late as the one that people have."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from buildmatrix.errors import UsageError
from buildmatrix.virtual import host, process

FORM = re.compile(r"([1-9]\d{0,3})(kbit|mbit)/(\d{1,4})ms")
BITS = {"kbit": 1e3, "mbit": 1e6}
RELAY = Path(__file__).with_name("relay.py")
PIDFILE = "relay.pid"


@dataclass(frozen=True, slots=True)
class Link:
    """Each way has the whole rate; half of the round trip is each way's delay."""

    rate: float  # bytes a second
    round_trip: float  # seconds


def parse(text: str) -> Link | None:
    """`20mbit/20ms`: rate and round trip; None for no text. Raises UsageError."""
    if not text:
        return None
    match = FORM.fullmatch(text)
    if not match:
        raise UsageError(
            f"{text!r} is no link", hint="write rate and round trip, as 500kbit/80ms or 20mbit/20ms"
        )
    return Link(int(match[1]) * BITS[match[2]] / 8, int(match[3]) / 1000)


def lay(directory: Path, link: Link, to: int, *, port: int = 0) -> int:
    """Start a relay to the loopback's port `to`; the one where it listens, `port` if free."""
    chosen = host.free_port(port)
    pidfile, delay = directory / PIDFILE, link.round_trip / 2
    words = (pidfile, chosen, to, link.rate, delay)
    host.run([sys.executable, "-I", str(RELAY), *map(str, words)], timeout=60)
    return chosen


def cut(directory: Path) -> None:
    """End the relay, if there is one, and all connections through it."""
    process.stop(directory / PIDFILE)


def laid(directory: Path) -> bool:
    return process.alive(directory / PIDFILE)
