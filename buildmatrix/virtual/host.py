"""This machine's programs and locks, as the virtual board needs them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

from buildmatrix import scratch
from buildmatrix.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # not in an ordinary user's PATH
PACKAGES = {  # program -> the Debian package it comes in
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-img": "qemu-utils",
    "fakeroot": "fakeroot",
    "fdtput": "device-tree-compiler",
    "depmod": "kmod",
    "cpio": "cpio",
    "mke2fs": "e2fsprogs",
    "apt-get": "apt",
    "apt-cache": "apt",
    "apt-config": "apt",
    "dpkg-deb": "dpkg",
    "tar": "tar",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}


def find(program: str) -> str:
    """Full path of a program, or empty."""
    return shutil.which(program) or shutil.which(program, path=SBIN) or ""


def require(programs: Mapping[str, str] = PACKAGES) -> None:
    """Raise DeviceError with the line that installs what is missing."""
    missing = [program for program in programs if not find(program)]
    if missing:
        packages = " ".join(sorted({programs[program] for program in missing}))
        raise DeviceError(
            f"the virtual board needs {', '.join(missing)}, not found on this machine",
            hint=f"apt-get install --no-install-recommends {packages}",
        )


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    settings: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 600,
) -> bytes:
    """Standard output of a program; DeviceError with its last words when it fails.

    It gets a process group of its own, and on Ctrl-C or at the deadline the whole group ends:
    fakeroot's daemon outlives a kill of fakeroot alone.
    `settings` are added to the environment.
    """
    added = [f"{name}={value}" for name, value in (settings or {}).items()]
    with subprocess.Popen(
        ["env", "LC_ALL=C", *added, find(argv[0]) or argv[0], *argv[1:]],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except BaseException as error:
            _end_group(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise DeviceError(f"{argv[0]} did not end within {timeout:g} s") from None
            raise
    if process.returncode != 0:
        last = b"\n".join((err or out).splitlines()[-15:]).decode(errors="replace")
        raise DeviceError(f"{argv[0]} failed with status {process.returncode}", details=last)
    return out


def free_port(wanted: int) -> int:
    """`wanted` on the loopback, or another where that is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client_key(directory: Path) -> str:
    """The public half of the key pair that opens the board of `directory`, base64."""
    return (directory / "id_ed25519.pub").read_text().split()[1]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """SIGINT first, because fakeroot's trap on it ends its daemon; then SIGKILL."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the kernel lets go of it when the holder dies.

    The holder may remove the file: who waited for it begins again with a new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch.make_way(path)
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                yield
                return
