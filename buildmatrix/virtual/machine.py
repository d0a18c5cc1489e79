"""One QEMU process: how a board is started, spoken to, recognised and ended."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.virtual import host, process

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.virtual.kinds import Kind

SNAPSHOT = "ready"


def start(
    directory: Path,
    kind: Kind,
    kernel: Path,
    *,
    port: int = 0,
    resume: bool = False,
    plugin: str = "",
) -> int:
    """Switch on the board whose run.qcow2 and board.dtb are in `directory`.

    Returns the loopback port that is the board's 22: `port`, or another where that is taken.
    `resume`: go on from the snapshot in run.qcow2 instead of booting. `plugin` is QEMU's argument
    of that name. Raises DeviceError when QEMU does not start, or cannot go on from there.
    """
    for attempt in range(3):
        chosen = host.free_port(port if attempt == 0 else 0)
        argv = _argv(directory, kind, kernel, port=chosen, resume=resume)
        argv += ("-plugin", plugin) if plugin else ()
        try:
            host.run(argv, cwd=directory, timeout=60)
        except DeviceError as error:  # between our look and QEMU's, another program took the port
            if "host forwarding rule" not in error.details or attempt == 2:
                raise
        else:
            return chosen
    raise AssertionError("the last attempt returns or raises")


def alive(directory: Path) -> bool:
    return process.alive(directory / "pid")


def stop(directory: Path) -> bool:
    """End the board's QEMU, if it runs; True when there was one."""
    return process.stop(directory / "pid")


def remove(directory: Path) -> None:
    stop(directory)


def console(directory: Path) -> str:
    """What the board wrote on its serial line since it was switched on."""
    log = directory / "console.log"
    return log.read_text(errors="replace") if log.is_file() else ""


def snapshot(directory: Path) -> None:
    """Keep memory and devices in run.qcow2, for `resume`."""
    line = f"savevm {SNAPSHOT}\ninfo snapshots"
    say(directory, "monitor", line, until="List of snapshots", deadline=time.monotonic() + 60)


def say(directory: Path, name: str, line: str, *, until: str, deadline: float) -> None:
    """Send a line to the board's `serial` line or to QEMU's `monitor`, and wait for `until`.

    Raises DeviceError when it does not come before `deadline`, in time.monotonic's seconds.
    """
    heard = b""
    with socket.socket(socket.AF_UNIX) as peer, contextlib.ExitStack() as opened:
        # by descriptor, because the path of a socket may have 107 bytes only
        folder = os.open(directory, os.O_RDONLY)
        opened.callback(os.close, folder)
        try:
            peer.connect(f"/proc/self/fd/{folder}/{name}")
            peer.sendall(f"{line}\n".encode())
            while until.encode() not in heard:
                peer.settimeout(max(deadline - time.monotonic(), 0.001))
                block = peer.recv(4096)
                if not block:
                    raise ConnectionResetError("closed")
                heard += block
        except OSError as error:
            raise DeviceError(
                f"no answer on the board's {name} line: {error}",
                where=str(directory / name),
                details=heard.decode(errors="replace"),
            ) from None


def _argv(directory: Path, kind: Kind, kernel: Path, *, port: int, resume: bool) -> tuple[str, ...]:
    """The user network forwards one loopback port inwards and lets nothing out (restrict)."""
    drive = "if=none,id=disk,format=qcow2,file=run.qcow2,cache=unsafe"
    network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"
    return (
        *hardware(kind),
        *("-dtb", "board.dtb", "-kernel", str(kernel / "vmlinuz")),
        *("-initrd", str(kernel / "initrd.gz"), "-append", _command_line(kind)),
        *("-drive", drive, "-device", "virtio-blk-device,drive=disk"),
        *("-netdev", network, "-device", "virtio-net-device,netdev=net", "-display", "none"),
        *("-chardev", "socket,id=line,path=serial,server=on,wait=off,logfile=console.log"),
        *("-serial", "chardev:line", "-monitor", "unix:monitor,server,nowait"),
        *(("-loadvm", SNAPSHOT) if resume else ()),
        *("-pidfile", str(directory / "pid"), "-daemonize"),
    )


def hardware(kind: Kind, machine: str = "virt") -> tuple[str, ...]:
    return (
        *("qemu-system-aarch64", "-M", machine, "-cpu", kind.cpu, "-smp", str(kind.cores)),
        *("-m", str(kind.memory_mib), *kind.arguments),
    )


def _command_line(kind: Kind) -> str:
    """For the kernel, the initrd and board-init."""
    words = {"board.userland": kind.userland, "board.personality": kind.personality}
    ours = (f"{name}={value}" for name, value in words.items() if value)
    return " ".join(["console=ttyAMA0 quiet panic=1", *ours])
