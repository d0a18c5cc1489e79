"""Waiting until a board that was switched on can be used."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.virtual import host, machine

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.model import SshTarget


def await_answer(directory: Path, target: SshTarget, timeout: float) -> None:
    """Return once `true` ran on the board; the port is open long before sshd is."""
    deadline = time.monotonic() + timeout
    argv = _ssh(directory, target)
    while (left := deadline - time.monotonic()) > 0:
        if not machine.alive(directory):
            raise DeviceError(f"virtual board {target.name} went off", details=_last(directory))
        if "board: sshd starts" in machine.console(directory):
            with contextlib.suppress(DeviceError):
                host.run(argv, timeout=min(left, 10))
                return
        time.sleep(0.05)
    raise DeviceError(
        f"virtual board {target.name} did not answer within {timeout:g} s",
        where=str(directory / "console.log"),
        details=_last(directory),
        hint=f"inv device down --name {target.name}, then up again",
    )


def _ssh(directory: Path, target: SshTarget) -> tuple[str, ...]:
    """The system's ssh, with nothing of the user's configuration, and the host key verified."""
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{directory / "known_hosts"}"',
        "GlobalKnownHostsFile": "none",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "ConnectTimeout": "5",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    where = ["-p", str(target.port), "-i", target.identity_file, f"{target.user}@{target.host}"]
    return ("ssh", "-F", "none", *flags, *where, "true")


def _last(directory: Path) -> str:
    return "\n".join(machine.console(directory).splitlines()[-10:])
