"""A board's file system: Debian's packages of one architecture, unpacked into an ext4 image.

No root, no binfmt, no Docker, no image registry: apt-get in private directories, dpkg-deb,
fakeroot, mke2fs. About 10 s with a near mirror, 180 MB kept.
"""

from __future__ import annotations

import base64
import hashlib
import struct
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
SMALL = {  # become further roots, see assemble.sh
    "armhf": "busybox-static dropbear-bin musl",
    "arm64": "",
    "amd64": "",
}


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
        debs = debian.with_dependencies(f"{PACKAGES} {SMALL[architecture]}".split())
        key = out / "host_key"
        host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "board", "-f", str(key)])
        key.with_name(f"{key.name}.dropbear").write_bytes(for_dropbear(key.read_text()))
        paths = [HERE / "assemble.sh", debs, HERE, key, scratch / "root", out / "disk.img"]
        host.run(["fakeroot", "sh", *map(str, paths), DISK_SIZE])
        (out / "packages.txt").write_text(apt.listing(debs))

    where, title = shelf / f"root-{architecture}-{recipe}", "make the virtual boards' disk"
    return cache.made(where, build, title=title, used=used, reporter=reporter)


def for_dropbear(openssh: str) -> bytes:
    """An ed25519 key of OpenSSH's form without a passphrase as dropbear keeps its host key.

    openssh-key-v1 ends with the type, the public half, the private one and the public one again,
    the comment and padding (OpenSSH's PROTOCOL.key); dropbear has type, private and public half.
    """
    lines = [line for line in openssh.splitlines() if not line.startswith("-")]
    name = b"ssh-ed25519"
    head = struct.pack(">I", len(name)) + name
    rest = base64.b64decode("".join(lines)).rpartition(head)[2]
    halves = rest[4 + 32 + 4 :][:64]  # behind the public half, each after its length
    return head + struct.pack(">I", len(halves)) + halves


def fingerprint(public_key: Path) -> str:
    """OpenSSH's SHA256 form of a public key file."""
    blob = base64.b64decode(public_key.read_text().split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
