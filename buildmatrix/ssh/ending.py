"""A command that is past its deadline is ended on the board, before the link is cut."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

from buildmatrix.agent.program import joined

if TYPE_CHECKING:
    import paramiko

SECONDS = 6.0  # for all of it: who does not answer now will not


def marked(script: str, mark: str) -> str:
    """The script with a mark in its command line, and in the environment of what it starts."""
    return f"export BUILDMATRIX_CALL={mark};{script}"


def end(transport: paramiko.Transport, mark: str) -> None:
    """End, over a session beside it, what the script with this mark started and has not detached.

    Raises what paramiko raises where there is no second session, or nobody answers.
    """
    pattern = f"[{mark[0]}]{mark[1:]}"
    script = f"set -- {shlex.quote(pattern)};{joined('end')}"
    latest = time.monotonic() + SECONDS
    channel = transport.open_session(timeout=SECONDS)
    channel.settimeout(max(0.1, latest - time.monotonic()))
    channel.exec_command(f"exec sh -c {shlex.quote(script)}")
    channel.settimeout(max(0.1, latest - time.monotonic()))
    channel.recv(1)  # it prints nothing: this is its end
