"""The board's image: armhf root file system, arm64 kernel, initrd, device trees.

No root, no binfmt, no Docker, no image registry: apt-get in private directories, dpkg-deb,
fakeroot, mke2fs. About 10 s with a near mirror, 210 MB kept.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.protocols import Finished, Started
from buildmatrix.virtual import host, initrd

if TYPE_CHECKING:
    from buildmatrix.protocols import Reporter

DATA = Path(__file__).parent
SUITE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
KERNEL = "linux-image-cloud-arm64"  # virtio and the PMU, a third of the full kernel's size
DISK_SIZE = "2G"  # sparse
MODEL = "Raspberry Pi 3 Model B Rev 1.2"
CORES = (1, 4)
# Neither libstdc++6 nor libgomp1: a bundle must bring everything but libc.
PACKAGES = """
  base-files base-passwd bash coreutils dash debianutils diffutils findutils grep gzip hostname
  init-system-helpers iproute2 libc-bin login mawk mount ncurses-base openssh-server
  openssh-sftp-server passwd procps sed tar util-linux
"""
APT_CONF = """\
APT::Architecture "armhf"; APT::Architectures {{ "armhf"; "arm64"; }};
APT::Install-Recommends "false"; APT::Sandbox::User ""; Acquire::Languages "none";
Dir::State "{0}"; Dir::State::lists "{0}/lists"; Dir::State::status "{0}/status";
Dir::Cache "{0}/cache"; Dir::Etc "{0}/etc"; Dir::Etc::sourcelist "{0}/etc/sources.list";
Dir::Etc::sourceparts "{0}/etc/none"; Debug::NoLocking "true";
"""


@dataclass(frozen=True, slots=True)
class Image:
    """What boards are booted from; never written to after it was built."""

    directory: Path
    digest: str  # of what made it
    host_key: str  # SHA256:… of the guest's sshd, computed where the key was made

    @property
    def disk(self) -> Path:
        return self.directory / "disk.img"

    @property
    def public_host_key(self) -> str:
        return (self.directory / "host_key.pub").read_text().strip()

    def device_tree(self, cores: int) -> Path:
        return self.directory / f"virt{cores}.dtb"


def image(state: Path, *, mirror: str, reporter: Reporter) -> Image:
    """The image for this version of the recipe, built when `state` has none yet.

    Raises DeviceError when a host program is missing or a build step fails.
    """
    host.require()
    if not KEYRING.is_file():
        raise DeviceError(
            "Debian's archive keyring is missing, packages cannot be verified",
            where=str(KEYRING),
            hint="apt-get install debian-archive-keyring",
        )
    digest = recipe_digest()
    directory = state.absolute() / "virtual" / f"image-{digest}"
    with host.locked(directory.parent / "image.lock"):
        if not directory.exists():
            _build(directory, mirror, reporter)
    return Image(directory, digest, fingerprint(directory / "host_key.pub"))


def recipe_digest() -> str:
    """Hash of everything that decides the image but the mirror's present package versions."""
    parts = [path.read_bytes() for path in sorted(DATA.glob("*.sh"))]
    parts += [(DATA / name).read_bytes() for name in ("rootfs.py", "initrd.py")]
    parts.append(host.run(["qemu-system-aarch64", "--version"]))  # the device trees are its own
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def fingerprint(public_key: Path) -> str:
    """OpenSSH's SHA256 form of a public key file."""
    blob = base64.b64decode(public_key.read_text().split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _build(directory: Path, mirror: str, reporter: Reporter) -> None:
    reporter.emit(Started("virtual-image", "build the virtual board's image"))
    began = time.monotonic()
    for left_over in directory.parent.glob(
        "building-*"
    ):  # a build that was killed; we hold the lock
        shutil.rmtree(left_over)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix="building-") as name:
        work, out = Path(name), Path(name) / "out"
        out.mkdir(mode=0o700)  # the guest's private host key is in it
        apt = _private_apt(work / "apt", mirror)
        _kernel(work, out, apt)
        _device_trees(out)
        _root(work, out, apt)
        out.rename(directory)
    reporter.emit(Finished("virtual-image", "done", time.monotonic() - began, str(directory)))


def _private_apt(directory: Path, mirror: str) -> dict[str, str]:
    """Package lists in a directory of our own; the environment that makes apt use it."""
    for name in ("lists/partial", "cache/archives/partial", "etc/none"):
        (directory / name).mkdir(parents=True)
    (directory / "status").touch()
    source = f"deb [signed-by={KEYRING}] {mirror} {SUITE} main\n"
    (directory / "etc" / "sources.list").write_text(source)
    (directory / "apt.conf").write_text(APT_CONF.format(directory))
    apt = {"APT_CONFIG": str(directory / "apt.conf")}
    host.run(["apt-get", "-qq", "update"], settings=apt)
    return apt


def _kernel(work: Path, out: Path, apt: dict[str, str]) -> None:
    """The meta package names the real one; neither is installed, only unpacked."""
    depends = host.run(["apt-cache", "depends", f"{KERNEL}:arm64"], settings=apt).decode()
    real = next(line.split()[-1] for line in depends.splitlines() if "Depends:" in line)
    debs, tree = work / "arm64", work / "kernel"
    debs.mkdir()
    host.run(["apt-get", "-qq", "download", real, "busybox-static:arm64"], cwd=debs, settings=apt)
    for deb in sorted(debs.glob("*.deb")):
        host.run(["dpkg-deb", "-x", str(deb), str(tree)])
    (vmlinuz,) = (tree / "boot").glob("vmlinuz-*")
    shutil.copy(vmlinuz, out / "vmlinuz")
    busybox = tree / "bin" / "busybox"
    initrd.write(tree, busybox, out / "initrd.gz", scratch=work / "initrd")


def _device_trees(out: Path) -> None:
    """QEMU's own tree under the Pi's name; linux,dummy-virt stays, so that nobody is deceived."""
    for cores in CORES:
        tree = f"virt{cores}.dtb"
        machine = ["-M", f"virt,dumpdtb={tree}", "-cpu", "cortex-a53", "-smp", str(cores)]
        host.run(
            ["qemu-system-aarch64", *machine, "-m", "1024", "-display", "none", "-nic", "none"],
            cwd=out,
        )
        boards = ["raspberrypi,3-model-b", "brcm,bcm2837", "linux,dummy-virt"]
        host.run(["fdtput", "-t", "s", tree, "/", "model", MODEL], cwd=out)
        host.run(["fdtput", "-t", "s", tree, "/", "compatible", *boards], cwd=out)


def _root(work: Path, out: Path, apt: dict[str, str]) -> None:
    host.run(["apt-get", "-qq", "-y", "-d", "install", *PACKAGES.split()], settings=apt)
    key, debs = out / "host_key", work / "apt" / "cache" / "archives"
    host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "board", "-f", str(key)])
    paths = [debs, DATA, key, work / "root", out / "disk.img"]
    argv = ["fakeroot", "sh", str(DATA / "assemble.sh"), *map(str, paths), DISK_SIZE]
    host.run(argv)
    packages = sorted(path.name for path in [*debs.glob("*.deb"), *(work / "arm64").glob("*.deb")])
    (out / "packages.txt").write_text("\n".join(packages) + "\n")
