"""Questions to a board: what is active, what is there of the objects that a push needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from buildmatrix.agent import PREFIX, call
from buildmatrix.deploy.listing import read_listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from buildmatrix.agent import Mode
    from buildmatrix.deploy.listing import Listing
    from buildmatrix.protocols import Connection

Survey = Literal["", "dry", "verify"]

# As agent.ask takes it. It may stand behind another question: `read_listing` skips other lines.
QUESTION = "glance"
SHORT = 120.0  # seconds for a call that only looks
SLOWEST_LINK = 50_000  # bytes a second; slower than this an upload counts as lost
LONG = 900.0  # seconds for a call that hashes or links everything


def glance(connection: Connection, *, prefix: str = PREFIX, mode: Mode = "keep") -> Listing:
    """What stands on a board, objects apart: small, because most deploys find nothing to do."""
    answer = call(connection, QUESTION, prefix=prefix, timeout=SHORT, mode=mode)
    return read_listing(answer.stdout)


def active(connection: Connection, *, prefix: str = PREFIX) -> Mapping[str, str]:
    """The bundle digest that each cell on the board runs now."""
    return glance(connection, prefix=prefix, mode="look").active


def survey(
    connection: Connection,
    names: Sequence[str],
    *,
    prefix: str = PREFIX,
    mode: Survey = "",
) -> Listing:
    """All about a board in one call, with which of the objects named it has, or begun to have.

    What dead pushes left becomes parts. With `verify`, content that is there is hashed and what
    is damaged removed; with `dry` nothing is written.
    """
    dry = mode == "dry"
    answer = call(
        connection,
        "past; survey dry" if dry else f"survey {mode}",
        prefix=prefix,
        timeout=LONG,
        stdin=lambda: as_lines(names),
        mode="look" if dry else "work",
    )
    return read_listing(answer.stdout)


def as_lines(lines: Iterable[str]) -> Iterator[bytes]:
    for line in lines:
        yield f"{line}\n".encode()
