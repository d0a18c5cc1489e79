"""Root file systems of Debian suites with servers and shells, unpacked and kept between runs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.upstreams import debian_mirror
from buildmatrix.virtual.apt import Apt

if TYPE_CHECKING:
    from collections.abc import Iterable

SHELLS = ("dash", "ash", "bash", "mksh", "yash", "ksh93")
PACKAGES = """
  openssh-server dropbear-bin dash bash mksh ksh93u+m busybox-static coreutils findutils grep sed
  tar gzip procps hostname base-files base-passwd libc-bin
"""
CLIENT = ("openssh-client",)
OLDER = {"yash": "bookworm"}  # a package that later suites lack -> the suite that it is taken from
# A release file says until when it counts; a mirror may stand still for longer than sid's does.
SETTINGS = 'Acquire::Check-Valid-Until "false";\n'
LIBRARIES = "usr/lib/x86_64-linux-gnu"
LIBC = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1")
FOLDERS = ("dev", "proc", "sys", "run", "tmp", "etc", "home/pi", "root", "var", "usr/bin")


def root(shelf: Path, suite: str) -> Path:
    """The folder `shelf`/SUITE, made when it is missing: every server and shell of that suite."""
    folder = shelf / suite
    if not folder.exists():
        shelf.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=shelf, prefix="making.") as scratch:
            made = Path(scratch) / "root"
            _skeleton(made)
            for deb in _packages(Path(scratch), suite):
                _unpack(deb, made)
            _accounts(made)
            made.rename(folder)
    return folder


def client(shelf: Path, suite: str) -> Path:
    """The folder `shelf`/SUITE-client: OpenSSH's client of that suite and what it needs."""
    folder = shelf / f"{suite}-client"
    if not folder.exists():
        shelf.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=shelf, prefix="making.") as scratch:
            made = Path(scratch) / "root"
            _skeleton(made)
            for deb in sorted(_apt(Path(scratch), suite).with_dependencies(CLIENT).glob("*.deb")):
                _unpack(deb, made)
            made.rename(folder)
    return folder


def program(shelf: Path, suite: str, name: str, folder: Path) -> str:
    """A program in `folder` that is the client's of a suite, with its own libraries and this
    machine's files."""
    root = client(shelf, suite)
    loader = str(root / "usr/lib64/ld-linux-x86-64.so.2")
    argv = [loader, "--library-path", str(root / LIBRARIES), str(root / name)]
    program = folder / Path(name).name
    program.write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
    program.chmod(0o755)
    return str(program)


def bare(shelf: Path, suite: str) -> Path:
    """The folder `shelf`/SUITE-bare: dropbear and busybox alone, and libc for bundles."""
    folder, whole = shelf / f"{suite}-bare", root(shelf, suite)
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=shelf, prefix="making.") as scratch:
            made = Path(scratch) / "root"
            _skeleton(made)
            for name in ("usr/bin/busybox", "usr/sbin/dropbear"):
                shutil.copy(whole / name, made / name)
            listed = _in(whole, "/lib64/ld-linux-x86-64.so.2", "--list", "/usr/sbin/dropbear")
            words = [word for word in listed.split() if word.startswith(f"/{LIBRARIES[4:]}")]
            names = {Path(word).name for word in words} | set(LIBC)
            (made / LIBRARIES).mkdir(parents=True)
            for name in sorted(names):
                shutil.copy(whole / LIBRARIES / name, made / LIBRARIES / name)
            shutil.copy(whole / "lib64/ld-linux-x86-64.so.2", made / "usr/lib64/")
            _in(made, "/usr/bin/busybox", "--install", "-s")
            _accounts(made)
            made.rename(folder)
    return folder


def _in(root: Path, *argv: str) -> str:
    return subprocess.run(
        ["chroot", root, *argv], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _skeleton(root: Path) -> None:
    """Folders, with /usr merged as every suite of today has it."""
    for name in (*FOLDERS, "usr/sbin", "usr/lib", "usr/lib64"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")


def _packages(scratch: Path, suite: str) -> Iterable[Path]:
    for origin in {suite, *OLDER.values()}:
        apt = _apt(scratch, origin)
        older = [name for name, last in OLDER.items() if last == origin]
        if origin == suite:
            yield from sorted(apt.with_dependencies([*PACKAGES.split(), *older]).glob("*.deb"))
        else:
            apt.alone(older, scratch / "older")
            yield from sorted((scratch / "older").glob("*.deb"))


def _apt(scratch: Path, suite: str) -> Apt:
    return Apt(
        scratch / suite,
        mirror=debian_mirror(),
        architecture="amd64",
        suite=suite,
        settings=SETTINGS,
    )


def _unpack(deb: Path, root: Path) -> None:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as content:
        subprocess.run(
            ["tar", "-C", root, "-xpf", "-", "--keep-directory-symlink", "--numeric-owner"],
            stdin=content.stdout,
            check=True,
        )
    assert content.returncode == 0, deb


def _accounts(root: Path) -> None:
    """Users, and an empty /bin/sh, over which a server's namespace mounts the shell it is to be."""
    etc, ash = root / "etc", root / "usr/bin/ash"
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\npi:x:1000:\n")
    (etc / "passwd").touch()
    (etc / "shadow").write_text("root:*:19700::::::\nsshd:*:19700::::::\npi:*:19700::::::\n")
    (etc / "shells").write_text("".join(f"/bin/{shell}\n" for shell in ("sh", *SHELLS)))
    for path in (ash, root / "usr/bin/sh"):
        path.unlink(missing_ok=True)
    ash.symlink_to("busybox")
    (root / "usr/bin/sh").touch(mode=0o755)
    shutil.chown(root / "home/pi", 1000, 1000)
