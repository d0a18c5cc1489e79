"""Questions to a board: what is active, what is there of the objects that a push needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from buildmatrix.agent import PREFIX, call, script
from buildmatrix.deploy.listing import read_listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from buildmatrix.deploy.listing import Listing
    from buildmatrix.protocols import Connection

Mode = Literal["", "dry", "verify"]

SHORT = 120.0  # seconds for a call that only looks
LONG = 900.0  # seconds for a call that hashes or links everything


def question(prefix: str = PREFIX) -> str:
    """The program that asks a board for what stands there, bundles and links; it writes nothing.

    Put behind another program it asks both in one call: `read_listing` skips strange lines. It is
    sent at every deploy, so without its comments and indentation, and answers in one write, because
    sshd wraps each.
    """
    line = 'said=$(listing); echo "$said"'
    program = _looking(script(("listing",), line, prefix=prefix), prefix)
    lines = (line.strip() for line in program.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("#"))


def glance(connection: Connection, *, prefix: str = PREFIX) -> Listing:
    """What stands on a board, objects apart: small, because most deploys find nothing to do."""
    return read_listing(call(connection, question(prefix), timeout=SHORT).stdout)


def active(connection: Connection, *, prefix: str = PREFIX) -> Mapping[str, str]:
    """The bundle digest that each cell on the board runs now."""
    return glance(connection, prefix=prefix).active


def survey(
    connection: Connection,
    names: Iterable[str],
    *,
    prefix: str = PREFIX,
    mode: Mode = "",
) -> Listing:
    """All about a board in one call, with which of the objects named it has, or begun to have.

    What dead pushes left becomes parts. With `verify`, content that is there is hashed and what
    is damaged removed; with `dry` nothing is written.
    """
    line = "past; survey dry" if mode == "dry" else f"survey {mode}"
    program = script(("listing", "deploy"), line, prefix=prefix)
    if mode == "dry":
        program = _looking(program, prefix)
    return read_listing(call(connection, program, timeout=LONG, stdin=as_lines(names)).stdout)


def as_lines(lines: Iterable[str]) -> Iterator[bytes]:
    for line in lines:
        yield f"{line}\n".encode()


def _looking(program: str, prefix: str) -> str:
    """No folder is made, and little asked, where nothing was ever deployed."""
    fresh = "echo fresh; command -v zstd > /dev/null && echo zstd; echo end; exit"
    return f'cd && cd "{prefix}" 2> /dev/null || {{ {fresh}; }}\n{program}'
