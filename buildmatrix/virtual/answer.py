"""From power-on to a board that can be used. Deadlines are in time.monotonic's seconds."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.virtual import container, host, machine, power

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from buildmatrix.nouns import BoardAddress

UP, READY = "board: up", "board: ready"  # what guest-init.sh says


def greeted(directory: Path) -> bool:
    """Whether the machine was told whose key opens it since it was switched on.

    It keeps the key when it reboots. Its serial line must not be used again, for it may be about to
    reboot: what comes in between leaves QEMU 7.2's PL011 deaf for as long as the machine is on.
    """
    return READY in machine.console(directory).splitlines()


def await_boot(directory: Path, deadline: float) -> None:
    """Return once the machine's sshd listens and it obeys its serial line."""
    while UP not in machine.console(directory).splitlines():
        _check(directory, deadline)
        time.sleep(0.05)


def greet(directory: Path, deadline: float) -> None:
    """Tell a machine that is up whose key opens it, and what time it is."""
    line = f"board {host.client_key(directory)} {time.time():.0f}"
    try:
        machine.say(directory, "serial", line, until=READY, deadline=deadline)
    except DeviceError:
        _let_end(directory)
        _check(directory, deadline)
        raise


def await_told(directory: Path, board: BoardAddress, deadline: float) -> None:
    """Return once a machine that was greeted before knows what time it is: its clock stood still
    whenever it did."""
    root = replace(board, user="root")
    await_answer(directory, root, deadline, lambda: f"date -s @{time.time():.0f}")


def await_answer(
    directory: Path,
    board: BoardAddress,
    deadline: float,
    command: Callable[[], str] = lambda: "true",
) -> None:
    """Return once `command` ran on the board.

    A try that got no answer is followed by one that may take longer: this machine may be busy. One
    that was refused is not, for a board that starts refuses any number.
    """
    patience = 10
    while True:
        _check(directory, deadline)
        began = time.monotonic()
        with contextlib.suppress(DeviceError):
            argv = (*_ssh(directory, board, patience // 2), command())
            host.run(argv, timeout=min(max(deadline - time.monotonic(), 0.1), patience))
            return
        time.sleep(0.05)
        if time.monotonic() - began >= patience // 2:
            patience *= 2


def _let_end(directory: Path) -> None:
    """A machine that goes off closes its lines a moment before its process ends."""
    patience = time.monotonic() + 5
    while power.of(directory).alive(directory) and time.monotonic() < patience:
        time.sleep(0.05)


def _check(directory: Path, deadline: float) -> None:
    name, board = directory.name, power.of(directory)
    if not board.alive(directory):
        console = board.console(directory)
        foreign = "xec format error" in console
        raise DeviceError(
            f"virtual board {name} went off",
            details="\n".join(console.splitlines()[-10:]),
            hint=container.REGISTER if foreign else "",
        )
    if time.monotonic() > deadline:
        raise DeviceError(
            f"virtual board {name} did not answer in time",
            where=str(directory),
            details="\n".join(board.console(directory).splitlines()[-10:]),
            hint=f"`inv device down --name {name}`, then up again",
        )


def _ssh(directory: Path, board: BoardAddress, patience: int) -> tuple[str, ...]:
    """The system's ssh, with nothing of the user's configuration, and the host key verified."""
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{directory / "known_hosts"}"',
        "GlobalKnownHostsFile": "none",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "ConnectTimeout": str(patience),  # seconds, key exchange included
        # the default's post-quantum half takes an emulated core a third of a second
        "KexAlgorithms": "curve25519-sha256",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    where = ["-p", str(board.port), "-i", board.identity_file, f"{board.user}@{board.host}"]
    return ("ssh", "-F", "none", *flags, *where)
