"""A Debian kernel for boards: vmlinuz and a small initrd, unpacked and never installed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.virtual import apt, cache, host, initrd

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from buildmatrix.protocols import Reporter
    from buildmatrix.virtual.cache import Used

HERE = Path(__file__).parent


def kernel(
    shelf: Path, package: str, *, mirror: str, used: Used, reporter: Reporter
) -> AbstractContextManager[Path]:
    """A directory with vmlinuz, initrd.gz and packages.txt; see `cache.made`."""
    name, _, architecture = package.partition(":")
    flavour = name.removeprefix("linux-image-")
    recipe = cache.digest(package, HERE / "apt.py", HERE / "kernel.py", HERE / "initrd.py")

    def build(scratch: Path, out: Path) -> None:
        debian = apt.Apt(scratch / "apt", mirror=mirror, architecture=architecture)
        debs, tree = scratch / "debs", scratch / "tree"
        debian.alone([debian.meant_by(package), f"busybox-static:{architecture}"], debs)
        for deb in sorted(debs.glob("*.deb")):
            host.run(["dpkg-deb", "-x", str(deb), str(tree)])
        (vmlinuz,) = (tree / "boot").glob("vmlinuz-*")
        shutil.copy(vmlinuz, out / "vmlinuz")
        initrd.write(tree, tree / "bin/busybox", out / "initrd.gz", scratch=scratch / "initrd")
        (out / "packages.txt").write_text(apt.listing(debs))

    where, title = shelf / f"kernel-{flavour}-{recipe}", "fetch the virtual boards' kernel"
    return cache.made(where, build, title=title, used=used, reporter=reporter)
