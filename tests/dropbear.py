"""A dropbear of a test's own on loopback, with a home folder of its own.

dropbear reads keys from the home folder that /etc/passwd names and nowhere else (before 2024.86),
so it runs in a mount namespace where that file is another one.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from buildmatrix.nouns import BoardAddress
from tests.sshd import free_port, make_key, public

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Dropbear:
    target: BoardAddress
    home: Path
    log: Path


@pytest.fixture
def dropbear(tmp_path: Path) -> Iterator[Dropbear]:
    """One server, whose sessions run in /bin/sh."""
    with serving(tmp_path) as server:
        yield server


@contextlib.contextmanager
def serving(place: Path, shell: str = "/bin/sh") -> Iterator[Dropbear]:
    """A server with its files and its home in `place`, whose sessions run in `shell`."""
    folder, home = place / "dropbear", place / "home"
    for private in (folder, home, home / ".ssh"):
        private.mkdir(mode=0o700, exist_ok=True)
    identity, key, log = make_key(folder / "id"), folder / "host", folder / "log"
    (home / ".ssh/authorized_keys").write_text(public(identity) + "\n")
    fingerprint = host_key(key)
    script = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'
    server = [_found("dropbear"), "-F", "-E", "-s", "-r", str(key), "-P", str(folder / "pid")]
    rights = ["--mount"] if os.getuid() == 0 else ["--mount", "--map-root-user"]
    passwd = _passwd(folder, home, shell)
    argv = ["unshare", *rights, "sh", "-c", script, "sh", str(passwd), *server]
    port, process = _served(argv, log)
    board = BoardAddress("peer", "127.0.0.1", port, "root", fingerprint, str(identity))
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {_public(key)}\n")
    try:
        yield Dropbear(board, home, log)
    finally:
        process.terminate()
        process.wait(10)


def host_key(path: Path) -> str:
    """Make a host key as dropbear keeps it; its fingerprint."""
    subprocess.check_output([_found("dropbearkey"), "-t", "ed25519", "-f", path])
    digest = hashlib.sha256(base64.b64decode(_public(path).split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _public(path: Path) -> str:
    """type and key of a host key, as in known_hosts."""
    shown = subprocess.check_output([_found("dropbearkey"), "-y", "-f", path], text=True)
    (line,) = (line for line in shown.splitlines() if line.startswith("ssh-ed25519"))
    return " ".join(line.split()[:2])


def _found(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert path, f"{program} is not installed (dropbear-bin); scripts/test installs it"
    return path


def _passwd(folder: Path, home: Path, shell: str) -> Path:
    """This machine's users, root with another home and shell."""
    file = folder / "passwd"
    others = [e for e in pwd.getpwall() if e.pw_name != "root"]
    lines = [f"root:x:0:0:root:{home}:{shell}"]
    lines += [f"{e.pw_name}:x:{e.pw_uid}:{e.pw_gid}::{e.pw_dir}:{e.pw_shell}" for e in others]
    file.write_text("\n".join(lines) + "\n")
    return file


def _served(argv: list[str], log: Path) -> tuple[int, subprocess.Popen[bytes]]:
    """A port and the server that listens there: another one when somebody was quicker."""
    for _ in range(5):
        port = free_port()
        with log.open("wb") as lines:
            process = subprocess.Popen([*argv, "-p", f"127.0.0.1:{port}"], stderr=lines)
        if _listens(process, log):
            return port, process
    raise AssertionError(log.read_text())


def _listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    """It writes its pid when it listens; on a port that is taken somebody else would answer."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if log.with_name("pid").exists():
            return True
        if process.poll() is not None:
            assert "Address already in use" in log.read_text(), log.read_text()
            return False
        time.sleep(0.01)
    raise AssertionError(log.read_text())
