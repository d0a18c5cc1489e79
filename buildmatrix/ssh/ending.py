"""A command that is past its deadline is ended on the board, before the link is cut."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from buildmatrix.agent.program import joined

if TYPE_CHECKING:
    import paramiko

SECONDS = 4.0  # for all of it: who does not answer now will not


def marked(script: str, mark: str) -> str:
    """The script with a mark in its command line, and in the environment of what it starts."""
    return f"export BUILDMATRIX_CALL={mark};{script}"


def end(transport: paramiko.Transport, mark: str) -> None:
    """End, over a session beside it, what the script with this mark started and has not detached.

    Raises what paramiko raises where there is no second session, or nobody answers.
    """
    halves = shlex.join((mark[:8], mark[8:]))
    script = f"set -- {halves};{joined('end')}"
    channel = transport.open_session(timeout=SECONDS)
    channel.settimeout(SECONDS)
    channel.exec_command(f"exec sh -c {shlex.quote(script)}")
    channel.recv(1)  # it prints nothing: this is its end
