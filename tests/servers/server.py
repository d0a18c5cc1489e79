"""One SSH server of a root file system, with one shell as login shell and as /bin/sh."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests import dropbear, sshd
from tests.servers import roots

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTER = Path(__file__).with_name("enter.sh")
ROW = "/run/row"  # where a server sees the row's own files
OPENSSH = f"""\
HostKey {ROW}/host
AuthorizedKeysFile {ROW}/authorized_keys
PidFile {ROW}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


@dataclass(frozen=True, slots=True)
class Server:
    """What is served: `program` (sshd or dropbear) of a suite, on all of its tools or on none."""

    name: str
    program: str
    suite: str
    bare: bool = False  # busybox and dropbear alone
    shells: tuple[str, ...] = roots.SHELLS


@dataclass(frozen=True, slots=True)
class Door:
    """Where a started server answers, and with which host key."""

    port: int
    host_key: str
    version: str  # as it says of itself to who connects


SERVERS = (
    *(Server(f"OpenSSH, {suite}", "sshd", suite) for suite in ("bookworm", "trixie", "sid")),
    *(Server(f"dropbear, {suite}", "dropbear", suite) for suite in ("bookworm", "trixie", "sid")),
    *(
        Server(f"dropbear and busybox alone, {suite}", "dropbear", suite, True, ("ash",))
        for suite in ("bookworm", "trixie", "sid")
    ),
)


@contextmanager
def served(server: Server, shell: str, shelf: Path, row: Path, public: str) -> Iterator[Door]:
    """The server, with all that it started gone at the end. `row` is a folder of this row's own;
    `public` is the key that is let in. Raises AssertionError with its log when it does not start.
    """
    root = (roots.bare if server.bare else roots.root)(shelf, server.suite)
    host_key = _prepare(row, server, shell, public)
    program = "busybox" if shell == "ash" else shell
    port = sshd.free_port()
    # With this process goes unshare, and with it process 1 of the namespace, which takes the rest.
    argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork"]
    argv += ["--kill-child", "sh", str(ENTER), str(root), program, str(row)]
    with (row / "log").open("wb") as log:
        process = subprocess.Popen([*argv, *_command(server, port)], stdout=log, stderr=log)
    try:
        yield Door(port, host_key, _banner(port, process, row / "log"))
    finally:
        process.kill()
        process.wait(10)


def _prepare(row: Path, server: Server, shell: str, public: str) -> str:
    """Users, keys and settings of a row; the fingerprint of its host key."""
    home = row / "home"
    (home / ".ssh").mkdir(parents=True)
    (row / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n"
        "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        f"pi:x:1000:1000:,,,:/home/pi:/bin/{shell}\n"
    )
    for path in (row / "authorized_keys", home / ".ssh/authorized_keys"):
        path.write_text(public + "\n")
    (row / "sshd_config").write_text(OPENSSH)
    for path in (home, home / ".ssh", home / ".ssh/authorized_keys"):
        shutil.chown(path, 1000, 1000)
        path.chmod(0o700 if path.is_dir() else 0o600)
    if server.program == "sshd":
        return sshd.fingerprint_of(sshd.make_key(row / "host"))
    return dropbear.host_key(row / "host")


def _command(server: Server, port: int) -> list[str]:
    if server.program == "sshd":
        listen = ["-o", "ListenAddress=127.0.0.1", "-o", f"Port={port}"]
        return ["/usr/sbin/sshd", "-D", "-e", "-f", f"{ROW}/sshd_config", *listen]
    files = ["-r", f"{ROW}/host", "-P", f"{ROW}/pid"]
    return ["/usr/sbin/dropbear", "-F", "-E", "-s", *files, "-p", f"127.0.0.1:{port}"]


def _banner(port: int, process: subprocess.Popen[bytes], log: Path) -> str:
    """The first line of the server, once its pid file says that it listens."""
    end = time.monotonic() + 60
    while not log.with_name("pid").exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as peer:
        return peer.makefile("rb").readline().decode(errors="replace").strip().split("-", 2)[2]


def possible() -> str:
    """Why no server can be started here; empty: they can."""
    if os.getuid() != 0:
        return "root makes the mount namespaces of the servers; this is another user"
    return ""
