"""A board that has booted and waits for its owner, kept to be copied."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.virtual import cache, host, machine
from buildmatrix.virtual.answer import await_boot

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from buildmatrix.protocols import Reporter
    from buildmatrix.virtual.kinds import Kind

HERE = Path(__file__).parent
BOOT = 300  # seconds that the first boot may take on a busy machine


def path(kind: Kind, root: Path, kernel: Path) -> Path:
    """Where the snapshot is that fits this QEMU, hardware, kernel and disk, and no other."""
    bound = cache.digest(
        host.run(["qemu-system-aarch64", "--version"]).decode(),
        *(repr(kind), str(root), str(kernel), kernel / "packages.txt"),
        *(HERE / script for script in ("snapshot.py", "machine.py")),
    )
    return root / f"{kind.name}-{bound}"


def booted(
    kind: Kind, root: Path, kernel: Path, *, reporter: Reporter
) -> AbstractContextManager[Path]:
    """A directory with board.dtb and run.qcow2, memory and devices in it; see `cache.made`.

    No key opens that board: each copy gets its own, see `answer.greet`.
    """

    def build(scratch: Path, out: Path) -> None:
        device_tree(scratch / "board.dtb", kind)
        overlay(scratch, root)
        try:
            machine.start(scratch, kind, kernel)
            await_boot(scratch, time.monotonic() + BOOT)
            machine.snapshot(scratch)
        finally:
            machine.stop(scratch)
        for file in ("board.dtb", "run.qcow2"):
            shutil.move(scratch / file, out)

    title = f"boot a virtual {kind.name} once, for a snapshot"
    return cache.made(path(kind, root, kernel), build, title=title, reporter=reporter)


def overlay(directory: Path, root: Path) -> None:
    """An empty disk over the root file system's."""
    backing, run = root / "disk.img", directory / "run.qcow2"
    run.unlink(missing_ok=True)
    host.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(backing), "-F", "raw", str(run)])


def device_tree(path: Path, kind: Kind) -> None:
    """QEMU's own tree under the Pi's name; linux,dummy-virt stays, so that nobody is deceived."""
    argv = machine.hardware(kind, f"virt,dumpdtb={path.name}")
    host.run([*argv, "-display", "none", "-nic", "none"], cwd=path.parent)
    names = [*kind.compatible, "linux,dummy-virt"]
    host.run(["fdtput", "-t", "s", str(path), "/", "model", kind.model])
    host.run(["fdtput", "-t", "s", str(path), "/", "compatible", *names])
