"""SSH servers of a test's own on loopback: OpenSSH's, and one that takes passwords.

OpenSSH's checks passwords of this machine's users only, which no test may know or set.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL
from paramiko.server import InteractiveQuery

from buildmatrix.nouns import BoardAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = pwd.getpwuid(os.getuid()).pw_name
PRIVILEGE_SEPARATION = Path("/run/sshd")  # sshd(8) as root insists on it


def make_key(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A private key in `path`, and its public half in `path`.pub."""
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(argv, check=True)
    return path


def public(key: Path) -> str:
    """type and key, as in known_hosts and authorized_keys."""
    return " ".join(key.with_name(f"{key.name}.pub").read_text().split()[:2])


def fingerprint_of(key: Path) -> str:
    return subprocess.check_output(["ssh-keygen", "-lf", key], text=True).split()[1]


@dataclass(frozen=True, slots=True)
class Sshd:
    """One server; `known` is its line for known_hosts."""

    port: int
    host_keys: tuple[Path, ...]
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def known(self) -> str:
        return "".join(f"[127.0.0.1]:{self.port} {public(key)}\n" for key in self.host_keys)

    @property
    def pin(self) -> str:
        return fingerprint_of(self.host_keys[0])

    def target(self, identity: Path | None = None, **given: object) -> BoardAddress:
        fields = {"host_key": self.pin, "user": USER, "identity_file": str(identity or "")}
        return BoardAddress("peer", "127.0.0.1", self.port, **{**fields, **given})  # type: ignore[arg-type]

    def sessions(self) -> int:
        """Connections that it serves now: each is a child."""
        pid = self.process.pid
        return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


class Servers:
    """Starts servers that let `identity` in, and stops them by pid."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity = make_key(folder / "identity")
        self.running: list[Sshd] = []

    def start(self, *settings: str, host_keys: tuple[str, ...] = ("ed25519",)) -> Sshd:
        """`settings` are lines of sshd_config(5), `host_keys` types in order."""
        number = len(self.running)
        keys = tuple(
            make_key(self.folder / f"host{number}_{kind}", kind=kind) for kind in host_keys
        )
        authorized = self.folder / f"authorized{number}"
        authorized.write_text(public(self.identity) + "\n")
        config = self.folder / f"sshd_config{number}"
        lines = [
            *settings,  # the first value counts
            "ListenAddress 127.0.0.1",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            f"AuthorizedKeysFile {authorized}",
            *(f"HostKey {key}" for key in keys),
        ]
        config.write_text("\n".join(lines) + "\n")
        log = self.folder / f"sshd{number}.log"
        port, process = _served(["-D", "-f", str(config), "-E", str(log)], log)
        self.running.append(Sshd(port, keys, log, process))
        return self.running[-1]

    def authorize(self, server: Sshd, key: Path) -> None:
        with (self.folder / f"authorized{self.running.index(server)}").open("a") as lines:
            lines.write(public(key) + "\n")

    def stop(self, server: Sshd) -> None:
        server.process.terminate()
        server.process.wait(10)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with serving(tmp_path) as started:
        yield started


@contextlib.contextmanager
def serving(place: Path) -> Iterator[Servers]:
    """Servers with their files in `place`, stopped at the end."""
    if os.getuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    folder = place / "servers"
    folder.mkdir()
    started = Servers(folder)
    try:
        yield started
    finally:
        for server in started.running:
            started.stop(server)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _served(arguments: list[str], log: Path) -> tuple[int, subprocess.Popen[bytes]]:
    """A port and the sshd that listens there: another one when somebody was quicker to take it."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program, "openssh-server is not installed; scripts/test installs it"
    for _ in range(5):
        port = free_port()
        process = subprocess.Popen([program, *arguments, "-o", f"Port={port}"])
        if _listens(process, log):
            return port, process
    raise AssertionError(log.read_text())


def _listens(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Read its log: a connection would count among those that MaxStartups allows."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        ended = process.poll() is not None
        if log.exists() and "Server listening" in log.read_text():
            return True
        if ended:
            assert "Address already in use" in log.read_text(), log.read_text()
            return False
        time.sleep(0.01)
    raise AssertionError(log.read_text())


class PasswordServer(paramiko.ServerInterface):
    """Takes one password, by the method named: password or keyboard-interactive."""

    def __init__(self, folder: Path, password: str, method: str) -> None:
        self.host_key = make_key(folder / "password_host", kind="ed25519")
        self.password = password
        self.method = method
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def target(self) -> BoardAddress:
        port = self._listener.getsockname()[1]
        pin = fingerprint_of(self.host_key)
        return BoardAddress("peer", "127.0.0.1", port, user="pi", host_key=pin)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                transport = paramiko.Transport(self._listener.accept()[0])
                self._transports.append(transport)
                transport.add_server_key(paramiko.PKey.from_path(self.host_key))
                transport.start_server(threading.Event(), self)

    def get_allowed_auths(self, username: str) -> str:
        return f"publickey,{self.method}"

    def check_auth_password(self, username: str, password: str) -> int:
        return self._verdict(password)

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        return InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self._verdict(*responses)

    def _verdict(self, password: str) -> int:
        return AUTH_SUCCESSFUL if password == self.password else AUTH_FAILED
