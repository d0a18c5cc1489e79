"""A board's file system: Debian's packages of one architecture, unpacked into an ext4 image.

No root, no binfmt, no Docker, no image registry: apt-get in private directories, dpkg-deb,
fakeroot, mke2fs. About 10 s with a near mirror, 180 MB kept.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.virtual import apt, cache, host

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from buildmatrix.protocols import Reporter
    from buildmatrix.virtual.cache import Used

HERE = Path(__file__).parent
DISK_SIZE = "2G"  # sparse
# Neither libstdc++6 nor libgomp1: a bundle must bring everything but libc.
PACKAGES = """
  base-files base-passwd bash coreutils dash debianutils diffutils findutils grep gzip hostname
  init-system-helpers iproute2 libc-bin login mawk mount ncurses-base openssh-server
  openssh-sftp-server passwd procps sed tar util-linux
"""
BUSYBOX = {
    "armhf": "busybox-static",
    "arm64": "",
    "amd64": "",
}  # becomes a second root, see assemble.sh


def root(
    shelf: Path, architecture: str, *, mirror: str, used: Used, reporter: Reporter
) -> AbstractContextManager[Path]:
    """A directory with disk.img, host_key, host_key.pub and packages.txt; see `cache.made`."""
    recipe = cache.digest(
        architecture,
        *(HERE / name for name in ("apt.py", "rootfs.py", "assemble.sh", "guest-init.sh")),
    )

    def build(scratch: Path, out: Path) -> None:
        debian = apt.Apt(scratch / "apt", mirror=mirror, architecture=architecture)
        debs = debian.with_dependencies(f"{PACKAGES} {BUSYBOX[architecture]}".split())
        key = out / "host_key"
        host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "board", "-f", str(key)])
        paths = [HERE / "assemble.sh", debs, HERE, key, scratch / "root", out / "disk.img"]
        host.run(["fakeroot", "sh", *map(str, paths), DISK_SIZE])
        (out / "packages.txt").write_text(apt.listing(debs))

    where, title = shelf / f"root-{architecture}-{recipe}", "make the virtual boards' disk"
    return cache.made(where, build, title=title, used=used, reporter=reporter)


def fingerprint(public_key: Path) -> str:
    """OpenSSH's SHA256 form of a public key file."""
    blob = base64.b64decode(public_key.read_text().split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
