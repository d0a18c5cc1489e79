"""Processes that outlive the command that started them, known by their pid files."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator


def alive(pidfile: Path) -> bool:
    with _opened(pidfile) as process:
        return process is not None


def stop(pidfile: Path) -> bool:
    """End it, if it runs; True when it did."""
    with _opened(pidfile) as process:
        if process is None:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], 5.0)[0]:
                return True
    raise DeviceError("a process does not end", where=str(pidfile))


@contextlib.contextmanager
def _opened(pidfile: Path) -> Iterator[int | None]:
    """A pidfd of the process, or None.

    A pid file may outlive its process and the number be given to another, so the command line
    must name our pid file; the pidfd, opened first, cannot change its owner afterwards.
    """
    with contextlib.ExitStack() as stack:
        try:
            pid = int(pidfile.read_text())
            process = os.pidfd_open(pid)
            stack.callback(os.close, process)
            argv = _argv(pid, process)
        except (OSError, ValueError):
            yield None
            return
        ours = os.fsencode(pidfile) in argv.split(b"\0")
        yield process if ours else None


def _argv(pid: int, process: int) -> bytes:
    """Empty for one that has ended; its ports are free only then, so wait while it is ending."""
    argv = b""
    for _ in range(100):
        argv = Path("/proc", str(pid), "cmdline").read_bytes()
        if argv or select.select([process], [], [], 0.05)[0]:
            break
    return argv
