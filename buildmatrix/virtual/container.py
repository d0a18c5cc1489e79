"""The quick form of a board: the same userland in a container, its programs run by qemu-user.

It has the host's kernel and cores and no device tree, and its power cannot be cut; but it needs no
boot. The engine must be on this machine, and the kernel must know how to run ARM programs; those
of the kind `host` are the machine's own.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.protocols import Finished, Started
from buildmatrix.virtual import cache, host

if TYPE_CHECKING:
    from buildmatrix.protocols import Reporter
    from buildmatrix.virtual.kinds import Kind

PROGRAMS = {"docker": "docker.io", "debugfs": "e2fsprogs", "fakeroot": "fakeroot", "tar": "tar"}
REGISTER = (  # F keeps the interpreter open, so that it works in every container
    "as root, once after each start of the host: apt-get install qemu-user-static; "
    "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; "
    "cat /usr/lib/binfmt.d/qemu-arm.conf >/proc/sys/fs/binfmt_misc/register"
)
MARK = "container"  # the file with its name, as `pid` is a machine's
# rdump leaves owners to fakeroot, and the exit status to nobody
EXPORT = """
mkdir root && "$1" -R 'rdump / root' "$2" 2>/dev/null && [ -e root/etc/passwd ] &&
  tar -C root --numeric-owner --exclude ./lost+found -cf root.tar .
"""
INIT = """
for home in /root /home/pi; do echo "ssh-ed25519 $1" >$home/.ssh/authorized_keys; done
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e
"""
# qemu-user shows the host's. That it is emulated must stay readable: `Hardware` says so.
PROCESSOR = """\
processor\t: {0}
model name\t: ARMv8 Processor rev 4 (v8l)
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae crc32
CPU part\t: 0xd03

"""
HARDWARE = "Hardware\t: QEMU user emulation\nModel\t\t: Raspberry Pi 3 userland in a container\n"


def make(directory: Path, kind: Kind, root: Path, reporter: Reporter) -> None:
    """Fill a new board's directory; the engine has `root` as an image afterwards."""
    _image(root, reporter)
    directory.mkdir(parents=True, mode=0o700)
    if kind.root == "amd64":
        return  # the processor is the one that /proc/cpuinfo shows
    processors = "".join(PROCESSOR.format(number) for number in range(os.cpu_count() or 1))
    (directory / "cpuinfo").write_text(processors + HARDWARE)
    kib = 1 << 20
    meminfo = "".join(f"{name}: {kib} kB\n" for name in ("MemTotal", "MemFree", "MemAvailable"))
    (directory / "meminfo").write_text(meminfo)


def start(directory: Path, kind: Kind, root: Path, *, port: int) -> int:
    """Start the container, made when it never was; the loopback port that is its 22."""
    if port:
        _docker("start", _name(directory))
        return port
    chosen = host.free_port(0)
    name = f"buildmatrix-{cache.digest(str(directory.parent))}-{directory.name}"
    (directory / MARK).write_text(name)
    memory = f"{kind.memory_mib}m"
    shown = [
        f"{directory / file}:/proc/{file}:ro"
        for file in ("cpuinfo", "meminfo")
        if (directory / file).is_file()
    ]
    _docker(
        *("run", "--detach", "--init", "--security-opt", "no-new-privileges"),
        *("--name", name, "--hostname", "raspberrypi"),
        *("-p", f"127.0.0.1:{chosen}:22", "--memory", memory, "--memory-swap", memory),
        *(word for path in shown for word in ("-v", path)),
        *(_tag(root), "sh", "-c", INIT, "sh", host.client_key(directory)),
    )
    return chosen


def alive(directory: Path) -> bool:
    with contextlib.suppress(DeviceError):  # no engine answers, so nothing runs in it
        return _listed(directory) != ""
    return False


def stop(directory: Path) -> bool:
    """End its programs; True when it ran. The disk stays."""
    if there := alive(directory):
        _docker("kill", _name(directory))
    return there


def remove(directory: Path) -> None:
    if _listed(directory, "--all"):
        _docker("rm", "--force", "--volumes", _name(directory))


def console(directory: Path) -> str:
    both = 'docker logs "$1" 2>&1'
    return host.run(["sh", "-c", both, "sh", _name(directory)]).decode(errors="replace")


def _listed(directory: Path, *which: str) -> str:
    return _docker("ps", "--quiet", *which, "--filter", f"name=^{_name(directory)}$")


def _name(directory: Path) -> str:
    return (directory / MARK).read_text()


def _image(root: Path, reporter: Reporter) -> None:
    """Copy a root file system into the engine; older ones of this state folder go."""
    host.require(PROGRAMS)
    tag = _tag(root)
    with host.locked(root.with_name("container.lock")):
        if _docker("images", "--quiet", tag):
            return
        reporter.emit(Started("virtual-image-container", f"import {root.name} into Docker"))
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=root.parent, prefix="building.container.") as scratch:
            argv = [host.find("debugfs"), str(root / "disk.img")]
            host.run(["fakeroot", "sh", "-c", EXPORT, "sh", *argv], cwd=Path(scratch))
            _docker("import", str(Path(scratch) / "root.tar"), tag)
        ours = repository(root.parent)
        for old in _docker("images", "--format", "{{.Repository}}:{{.Tag}}", ours).split():
            if old != tag:
                with contextlib.suppress(DeviceError):  # a container has it
                    _docker("rmi", old)
        reporter.emit(Finished("virtual-image-container", "done", time.monotonic() - began, tag))


def repository(shelf: Path) -> str:
    """What the images of a state folder's boards are called in the engine, but for the tag."""
    return f"buildmatrix/board-{cache.digest(str(shelf))}"


def _tag(root: Path) -> str:
    """One repository a state folder; the host key tells two builds of one recipe apart."""
    return f"{repository(root.parent)}:{root.name}.{cache.digest(root / 'host_key.pub')}"


def _docker(*argv: str) -> str:
    return host.run(["docker", *argv]).decode(errors="replace").strip()
