"""The limit that every command over SSH keeps, whoever sends it: dropbear's.

As a program it is buildmatrix under that limit: limited.py build --only X.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import paramiko

from buildmatrix.agent import LONGEST

send = paramiko.Channel.exec_command


def too_long(command: str) -> bool:
    """Whether dropbear would close the link."""
    return len(command.encode()) >= LONGEST


def short(channel: paramiko.Channel, command: str) -> None:
    """Send it. Raises AssertionError where dropbear would close the link."""
    assert not too_long(command), f"a command of {len(command.encode())} bytes: {command[:200]}…"
    send(channel, command)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    paramiko.Channel.exec_command = short  # type: ignore[assignment]
    runpy.run_module("buildmatrix", run_name="__main__", alter_sys=True)
