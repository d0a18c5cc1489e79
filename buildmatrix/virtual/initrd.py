"""A small initrd: busybox and the few kernel modules that find the disk and the network.

Debian's own would be made by running armhf code, for minutes; this one takes half a second.
"""

from __future__ import annotations

import gzip
import re
import shutil
from typing import TYPE_CHECKING

from buildmatrix.virtual import host

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MODULES = (
    "virtio_mmio",
    "virtio_blk",
    "virtio_net",
    "crc32c_generic",
    "ext4",
    "sch_netem",  # loss, for root's tc on the board
    "sch_tbf",
)
INIT = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for m in {modules}; do $b insmod /m/$m; done
n=0
while [ ! -b /dev/vda ] && [ $n -lt 100 ]; do $b sleep 0.1; n=$((n+1)); done
$b mount -t ext4 -o noatime /dev/vda /mnt || echo "board: no root file system"
root=/mnt
libs=usr/lib/arm-linux-gnueabihf
for word in $($b cat /proc/cmdline); do
  case $word in board.userland=debian) continue ;; board.userland=*) ;; *) continue ;; esac
  root=/tiny
  $b mount --bind /mnt/usr/lib/board/${{word#*=}} $root
  [ ! -d $root/$libs ] || $b mount --bind /mnt/$libs $root/$libs
  $b chroot $root /usr/bin/busybox --install -s
done
for d in proc sys dev; do $b mount --move /$d $root/$d; done
exec $b switch_root $root /usr/lib/board/init
"""


def load_order(dependencies: str, softdeps: str, wanted: Iterable[str]) -> tuple[str, ...]:
    """Paths of the wanted modules, each after what it needs.

    `dependencies` and `softdeps` are the texts of modules.dep and modules.softdep. The variants
    for the crypto extension are left out: a Pi has none, and a failing insmod costs seconds.
    """
    needs = {}
    for line in dependencies.splitlines():
        path, _, rest = line.partition(":")
        needs[_name(path)] = (*reversed(rest.split()), path)
    before = dict(re.findall(r"^softdep (\S+) pre: (.*)$", softdeps, re.MULTILINE))
    order: dict[str, None] = {}

    def add(name: str) -> None:
        for earlier in before.get(name, "").split():
            add(earlier.replace("-", "_"))
        for path in needs.get(name, ()):
            if "arm-ce" not in path:
                order.setdefault(path)

    for name in wanted:
        add(name)
    return tuple(order)


def write(kernel: Path, busybox: Path, out: Path, *, scratch: Path) -> None:
    """Write the gzipped archive `out` from an unpacked kernel package."""
    (modules,) = (kernel / "lib" / "modules").iterdir()
    host.run(["depmod", "-b", str(kernel), modules.name])
    paths = load_order(
        (modules / "modules.dep").read_text(), (modules / "modules.softdep").read_text(), MODULES
    )
    for name in ("bin", "proc", "sys", "dev", "mnt", "tiny", "m"):
        (scratch / name).mkdir(parents=True)
    shutil.copy(busybox, scratch / "bin" / "busybox")
    for path in paths:
        shutil.copy(modules / path, scratch / "m")
    init = scratch / "init"
    init.write_text(INIT.format(modules=" ".join(path.rsplit("/", 1)[-1] for path in paths)))
    init.chmod(0o755)
    names = sorted(str(path.relative_to(scratch)) for path in scratch.rglob("*"))
    archive = host.run(
        ["cpio", "--quiet", "--reproducible", "-o", "-H", "newc", "-R", "0:0"],
        cwd=scratch,
        stdin="\n".join(names).encode(),
    )
    out.write_bytes(gzip.compress(archive, compresslevel=1, mtime=0))


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].partition(".ko")[0].replace("-", "_")
