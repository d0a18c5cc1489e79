"""Debian packages of another architecture, without touching this machine's apt and dpkg."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError
from buildmatrix.virtual import host

if TYPE_CHECKING:
    from collections.abc import Sequence

SUITE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
REACHED = ("Acquire::http", "Acquire::https")
CONF = """\
APT::Architecture "{1}"; APT::Architectures {{ "{1}"; }};
APT::Install-Recommends "false"; APT::Sandbox::User ""; Acquire::Languages "none";
Dir::State "{0}"; Dir::State::lists "{0}/lists"; Dir::State::status "{0}/status";
Dir::Cache "{0}/cache"; Dir::Etc "{0}/etc"; Dir::Etc::sourcelist "{0}/etc/sources.list";
Dir::Etc::sourceparts "{0}/etc/none"; Debug::NoLocking "true";
"""


class Apt:
    """Package lists in a directory of our own, verified with the host's archive keyring.

    A mirror is reached as this machine's own apt reaches one: proxy, certificates. `settings` are
    further lines of apt.conf(5).
    """

    def __init__(
        self,
        directory: Path,
        *,
        mirror: str,
        architecture: str,
        suite: str = SUITE,
        settings: str = "",
    ) -> None:
        if not KEYRING.is_file():
            raise DeviceError(
                "Debian's archive keyring is missing, packages cannot be verified",
                where=str(KEYRING),
                hint="apt-get install debian-archive-keyring",
            )
        for name in ("lists/partial", "cache/archives/partial", "etc/none"):
            (directory / name).mkdir(parents=True)
        (directory / "status").touch()
        source = f"deb [signed-by={KEYRING}] {mirror} {suite} main\n"
        (directory / "etc" / "sources.list").write_text(source)
        conf = _own_settings() + CONF.format(directory, architecture) + settings
        (directory / "apt.conf").write_text(conf)
        self._settings = {"APT_CONFIG": str(directory / "apt.conf")}
        self._archives = directory / "cache" / "archives"
        self._run("apt-get", "-qq", "update")

    def with_dependencies(self, packages: Sequence[str]) -> Path:
        """Fetch the packages and all that they need; the folder with the .deb files."""
        self._run("apt-get", "-qq", "-y", "-d", "install", *packages)
        return self._archives

    def alone(self, packages: Sequence[str], folder: Path) -> None:
        """Fetch just these into `folder`."""
        folder.mkdir()
        self._run("apt-get", "-qq", "download", *packages, cwd=folder)

    def meant_by(self, meta: str) -> str:
        """The package that a meta package names first."""
        lines = self._run("apt-cache", "depends", meta).decode().splitlines()
        return next(line.split()[-1] for line in lines if "Depends:" in line)

    def _run(self, *argv: str, cwd: Path | None = None) -> bytes:
        return host.run(argv, cwd=cwd, settings=self._settings)


def _own_settings() -> str:
    """How /etc/apt says that mirrors are reached, as lines of apt.conf(5)."""
    trees = (host.run(["apt-config", "dump", tree]).decode() for tree in REACHED)
    lines = (line for tree in trees for line in tree.splitlines(keepends=True))
    return "".join(line for line in lines if not line.endswith(' "";\n'))  # heads of trees


def listing(folder: Path) -> str:
    """Names of the .deb files, one a line."""
    return "".join(f"{path.name}\n" for path in sorted(folder.glob("*.deb")))
