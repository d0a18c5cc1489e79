"""One QEMU process: how a board is started, recognised and ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.virtual import host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.virtual.rootfs import Image


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of virtual board."""

    cores: int
    arguments: tuple[str, ...] = ()


# Under -icount the guest's PMU counts instructions exactly, also with many threads, because one
# virtual core schedules them the same way each time; guest time becomes 1 ns an instruction.
KINDS = {
    "pi3": Kind(cores=4),
    "pi3-counted": Kind(cores=1, arguments=("-icount", "shift=0,sleep=on")),
}


def start(directory: Path, *, image: Image, kind: Kind, port: int, client_key: str) -> int:
    """Boot the board whose files are in `directory`; the loopback port where sshd will answer.

    `port` is what one would like to have; a taken one is replaced. `client_key` is the base64
    part of an ed25519 public key. Raises DeviceError when QEMU does not start.
    """
    for attempt in range(3):
        chosen = _free_port(port if attempt == 0 else 0)
        argv = _argv(directory, image=image, kind=kind, port=chosen, client_key=client_key)
        try:
            host.run(argv, cwd=directory, timeout=60)
        except DeviceError as error:  # between our look and QEMU's, another program took the port
            if "host forwarding rule" not in error.details or attempt == 2:
                raise
        else:
            return chosen
    raise AssertionError("the last attempt returns or raises")


def alive(directory: Path) -> bool:
    with _process(directory) as process:
        return process is not None


def stop(directory: Path) -> bool:
    """End the board's QEMU, if it runs; True when there was one."""
    with _process(directory) as process:
        if process is None:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], 5.0)[0]:
                return True
    raise DeviceError("QEMU does not end", where=str(directory / "pid"))


def console(directory: Path) -> str:
    """What the board wrote on its serial line since it was switched on."""
    log = directory / "console.log"
    return log.read_text(errors="replace") if log.is_file() else ""


def _argv(
    directory: Path, *, image: Image, kind: Kind, port: int, client_key: str
) -> tuple[str, ...]:
    """The user network forwards one loopback port inwards and lets nothing out (restrict)."""
    drive = "if=none,id=disk,format=qcow2,file=run.qcow2,cache=unsafe"
    network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"
    return (
        *("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "1024"),
        *("-smp", str(kind.cores), *kind.arguments),
        *("-dtb", str(image.device_tree(kind.cores))),
        *("-kernel", str(image.directory / "vmlinuz")),
        *("-initrd", str(image.directory / "initrd.gz")),
        *("-append", f"console=ttyAMA0 quiet panic=1 board.key={client_key}"),
        *("-drive", drive, "-device", "virtio-blk-device,drive=disk"),
        *("-netdev", network, "-device", "virtio-net-device,netdev=net"),
        # relative, because the path of a socket may have 107 bytes only
        *("-display", "none", "-serial", "file:console.log", "-monitor", "unix:mon,server,nowait"),
        *("-pidfile", str(directory / "pid"), "-daemonize"),
    )


@contextlib.contextmanager
def _process(directory: Path) -> Iterator[int | None]:
    """A pidfd of this board's QEMU, or None.

    A pid file may outlive its process and the number be given to another, so the command line
    must name our pid file; the pidfd, opened first, cannot change its owner afterwards.
    """
    pidfile = directory / "pid"
    with contextlib.ExitStack() as stack:
        try:
            pid = int(pidfile.read_text())
            process = os.pidfd_open(pid)
            stack.callback(os.close, process)
            argv = Path("/proc", str(pid), "cmdline").read_bytes()
        except (OSError, ValueError):
            yield None
            return
        ours = os.fsencode(pidfile) in argv.split(b"\0")
        yield process if ours else None


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
