"""What a board says it is, and whether a bundle may go there.

`agent/probe.sh` asks everything in one round trip; `answer` reads what it printed, `hardware` the
lines about processors, clocks and temperatures, `gate` judges, `chosen` numbers processors. All but
`probe` and `sonames` is pure.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from buildmatrix.agent import call
from buildmatrix.device.answer import parse
from buildmatrix.device.chosen import numbered
from buildmatrix.device.gate import FPU_NEEDS, explained, meant_for, unfit
from buildmatrix.errors import DeviceError

if TYPE_CHECKING:
    from buildmatrix.nouns import DeviceInfo
    from buildmatrix.protocols import Connection

QUESTION = "probe"  # as agent.ask takes it; `parse` reads the answer, other lines apart
# Seconds for an answer. A virtual Pi beside six busy processes took 34 for what takes it 5 alone;
# a link that has gone dead is noticed by its own limit.
PATIENCE = 120.0

__all__ = [
    "FPU_NEEDS",
    "QUESTION",
    "explained",
    "meant_for",
    "numbered",
    "parse",
    "probe",
    "sonames",
    "unfit",
]


def probe(connection: Connection, name: str, *, timeout: float = PATIENCE) -> DeviceInfo:
    """Ask the board `name`; LinkLost when it does not answer, DeviceError when no Linux does."""
    result = call(connection, QUESTION, timeout=timeout, mode="look")
    return parse(name, result.stdout.decode(errors="replace"), now=time.time())


def sonames(connection: Connection, name: str, *, timeout: float = PATIENCE) -> tuple[str, ...]:
    """The shared libraries in the folders of the board's loader; DeviceError for half a list."""
    answer = call(connection, "sonames", timeout=timeout, mode="look").stdout
    *names, end = answer.decode(errors="replace").split() or [""]
    if end != "end":
        raise DeviceError(f"{name} did not say to the end which libraries it has", details=end)
    return tuple(names)
