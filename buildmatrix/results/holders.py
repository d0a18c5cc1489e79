"""Who has the results file locked, as the kernel tells it (proc_locks(5))."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LOCKS, COMMANDS = Path("/proc/locks"), "/proc/{}/cmdline"
BESIDE = ("", "-wal", "-shm", "-journal")  # SQLite's files; the writer's lock may be on any


def holders(path: Path) -> str:
    """'process 1234 (inv bench --collect)', several after each other; 'another process' where the
    kernel does not say, as for one of another machine."""
    inodes = set()
    for suffix in BESIDE:
        with contextlib.suppress(OSError):
            inodes.add(path.with_name(path.name + suffix).stat().st_ino)
    try:
        rows = [line.split() for line in LOCKS.read_text().splitlines()]
    except OSError:
        rows = []
    # ID: KIND ADVISORY ACCESS PID MAJOR:MINOR:INODE FIRST LAST; one that waits has '->' as KIND.
    locks = [row for row in rows if len(row) == 8 and row[1] == "POSIX" and row[3] == "WRITE"]
    pids = {row[4] for row in locks if int(row[5].rpartition(":")[2]) in inodes}
    named = [_named(pid) for pid in sorted(pids - {str(os.getpid())})]
    return " and ".join(named) or "another process"


def _named(pid: str) -> str:
    try:
        words = Path(COMMANDS.format(pid)).read_text(errors="replace").split("\0")
    except OSError:
        return f"process {pid}"
    return f"process {pid} ({' '.join(words).strip()[:80]})"
