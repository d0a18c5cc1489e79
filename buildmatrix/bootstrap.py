"""A base root file system without an image registry: debootstrap from a Debian mirror."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable


def debootstrap(
    suite: str, mirror: str, tar: Path, on_line: Callable[[str], None], *, authority: str = ""
) -> None:
    """Write a minimal root file system of a Debian suite, as a tar. Needs root.

    `authority` is a file or a folder of CA certificates for a mirror of HTTPS; the base then has
    the packages that it has from one of HTTP. Proxies are those of this process. Raises BuildError
    with what debootstrap said last.
    """
    if shutil.which("debootstrap") is None:
        raise BuildError(
            "no image registry answers and debootstrap is not installed",
            hint="apt-get install debootstrap",
        )
    if os.geteuid() != 0:
        raise BuildError(
            "no image registry answers, and debootstrap needs root",
            # In a state folder of root's own: what root makes in a user's nobody else can change.
            hint="the base image is the engine's, for every user; as root, once: "
            f"`inv toolchains --rebuild --only '*-{suite}' --state /var/tmp/buildmatrix`",
        )
    with tempfile.TemporaryDirectory(prefix="debootstrap-", dir=tar.parent) as folder:
        root = Path(folder) / "root"
        # It would add that package to the base of each mirror by HTTPS, for apt to trust the world.
        without = ["--exclude=ca-certificates"] if authority else []
        argv = ["debootstrap", "--variant=minbase", *without, suite, str(root), mirror]
        said = _stream([*_trusting(Path(folder), authority), *argv], on_line)
        if said is not None:
            raise BuildError(f"debootstrap of {suite} failed", details=said)
        said = _stream(["tar", "-C", str(root), "--numeric-owner", "-cf", str(tar), "."], on_line)
        if said is not None:
            raise BuildError("packing the base failed", details=said)


def _trusting(folder: Path, authority: str) -> list[str]:
    """What has wget trust these certificates, by which debootstrap fetches: it reads none of the
    variables that name them. Its settings go into `folder`."""
    if not authority:
        return []
    settings = folder / "wgetrc"
    key = "ca_directory" if Path(authority).is_dir() else "ca_certificate"
    settings.write_text(f"{key} = {authority}\n")
    return ["env", f"WGETRC={settings}"]


def _stream(argv: list[str], on_line: Callable[[str], None]) -> str | None:
    """Run a program line by line; None when it succeeded, else its last lines."""
    lines: list[str] = []
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip())
                on_line(line.rstrip())
        except BaseException:
            process.kill()
            raise
    return None if process.returncode == 0 else "\n".join(lines[-15:])
