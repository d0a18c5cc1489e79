"""ARM programs on this machine's kernel, for as long as some test wants them."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BINFMT = Path("/proc/sys/fs/binfmt_misc")
QEMU = Path("/usr/lib/binfmt.d/qemu-arm.conf")


@pytest.fixture
def arm_programs() -> Iterator[None]:
    """The kernel runs ARM programs; what this host had not before, the last user undoes.

    The kernel is one for all test processes: each holds a shared lock while it uses this.
    """
    done = Path(tempfile.gettempdir(), "buildmatrix-test-binfmt")  # what was done, line by line
    with done.open("a+") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        if not (BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], check=True)
            users.write("mounted\n")
        if not (BINFMT / "qemu-arm").exists():
            (BINFMT / "register").write_bytes(QEMU.read_bytes())
            users.write("registered\n")
        users.flush()
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield
        finally:
            _undo(users.fileno(), done)


def _undo(lock: int, done: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another process uses it, and will undo it
    steps = done.read_text().split()
    done.write_text("")
    if "registered" in steps:
        (BINFMT / "qemu-arm").write_text("-1")
    if "mounted" in steps:
        subprocess.run(["umount", BINFMT], check=True)
