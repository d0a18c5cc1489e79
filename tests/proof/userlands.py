"""The loaders and C libraries of three Debians, unpacked from their packages, for both ARMs.

Nothing is configured and there is no ld.so.cache: Debian's loader knows its own directories.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.upstreams import debian_mirror
from tests.proof.case import AARCH64, ARM

if TYPE_CHECKING:
    from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ARCHITECTURES = {ARM: "armhf", AARCH64: "arm64"}
SUITES = ("bullseye", "bookworm", "trixie")
LIBRARIES = ("libc6", "libgcc-s1", "libstdc++6", "libgomp1", "libatomic1")


@dataclass(frozen=True, slots=True)
class Archive:
    """One suite of Debian for one architecture, asked by apt with a state of its own."""

    suite: str
    architecture: str
    state: Path

    def fetch(self, packages: tuple[str, ...]) -> list[Path]:
        """Their .deb files. Raises CalledProcessError where the suite does not have one."""
        folder = self.state / "debs"
        if not folder.exists():
            self._configure()
            self._apt("update")
            folder.mkdir()
        missing = [p for p in packages if not list(folder.glob(f"{p}_*.deb"))]
        if missing:
            self._apt("download", *missing)
        return [next(folder.glob(f"{package}_*.deb")) for package in packages]

    def _configure(self) -> None:
        for name in ("lists/partial", "cache/archives/partial", "etc/none"):
            (self.state / name).mkdir(parents=True, exist_ok=True)
        (self.state / "status").touch()
        source = f"deb [signed-by={KEYRING}] {debian_mirror()} {self.suite} main\n"
        (self.state / "etc/sources.list").write_text(source)
        settings = {
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",  # a frozen mirror is as good
            "Dir::State": str(self.state),
            "Dir::State::status": str(self.state / "status"),
            "Dir::Cache": str(self.state / "cache"),
            "Dir::Etc": str(self.state / "etc"),
            "Dir::Etc::parts": str(self.state / "etc/none"),
            "Dir::Etc::sourceparts": str(self.state / "etc/none"),
            "Dir::Etc::preferencesparts": str(self.state / "etc/none"),
        }
        lines = (f'{name} "{value}";\n' for name, value in settings.items())
        (self.state / "apt.conf").write_text("".join(lines))

    def _apt(self, *words: str) -> None:
        folder = self.state / "debs"
        subprocess.run(
            ["apt-get", "-qq", *words],
            check=True,
            cwd=folder if folder.exists() else self.state,
            env={
                "APT_CONFIG": str(self.state / "apt.conf"),
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            },
            stdout=subprocess.DEVNULL,
        )


@dataclass(frozen=True, slots=True)
class Userland:
    """A root folder that holds a loader, its libraries and the cases' trees under /proof."""

    suite: str
    machine: str
    root: Path

    @property
    def name(self) -> str:
        return f"{self.suite}-{ARCHITECTURES[self.machine]}"

    @property
    def libraries(self) -> list[Path]:
        """The shared libraries that a program finds there without being told where."""
        return sorted(p for p in self.root.glob("usr/lib/*-linux-gnu*/*.so.*") if p.is_file())

    def place(self, name: str, tree: Path) -> None:
        """Copy a tree to /proof/NAME; what stood there is gone."""
        target = self.root / "proof" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(tree, target, symlinks=True)


def unpack(cache: Path, suite: str, machine: str) -> Userland:
    """The userland of one suite, fetched and unpacked the first time."""
    architecture = ARCHITECTURES[machine]
    root = cache / f"root-{suite}-{architecture}"
    userland = Userland(suite, machine, root)
    if not (root / "ready").exists():
        shutil.rmtree(root, ignore_errors=True)
        (root / "usr/lib").mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")
        for folder in ("proof", "proc"):
            (root / folder).mkdir()
        archive = Archive(suite, architecture, cache / f"apt-{suite}-{architecture}")
        for package in archive.fetch(LIBRARIES):
            extract(package, root)
        (root / "ready").touch()
    return userland


def extract(package: Path, root: Path) -> None:
    """Unpack a .deb's files into `root`; its links to folders (lib -> usr/lib) stay."""
    command = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink'
    subprocess.run(["bash", "-euo", "pipefail", "-c", command, "-", package, root], check=True)
