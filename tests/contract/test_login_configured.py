"""What an ssh configuration says of keys, agents, certificates and names, by real log-ins."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.nouns import BoardAddress
from buildmatrix.ssh import connect
from tests.sshd import USER, Servers, make_key, public, servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["servers"]


class Place:
    """A home with a configuration, and a server that is `board` in it."""

    def __init__(self, home: Path, servers: Servers, *settings: str) -> None:
        self.home, self.server = home, servers.start(*settings)
        self.known = home / "known hosts"
        self.known.write_text(self.server.known)

    def log_in(self, *lines: str) -> bytes:
        """Of the board: as whom, where `lines` stand first in its block."""
        own = (
            "HostName 127.0.0.1",
            f"Port {self.server.port}",
            f"User {USER}",
            'UserKnownHostsFile "${HOME}/known hosts"',
        )
        config = self.home / "config"
        config.write_text("\n".join(("Host board", *lines, *own)) + "\n")
        board = BoardAddress("board", "board")
        with connect(board, timeout=20, known_hosts=None, config=config) as ssh:
            return ssh.run("id -un", timeout=20).stdout.strip()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def agent(home: Path, servers: Servers) -> Iterator[Path]:
    """The socket of an agent that has the key which the servers take."""
    path = home / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)
    subprocess.run(
        ["ssh-add", "-q", servers.identity], env={"SSH_AUTH_SOCK": str(path)}, check=True
    )
    yield path
    process.terminate()
    process.wait(10)


def test_a_key_file_is_named_with_tokens_and_variables(home: Path, servers: Servers) -> None:
    servers.identity.rename(home / "key of board")
    place = Place(home, servers)
    assert place.log_in('IdentityFile "${HOME}/key of %n"') == USER.encode()
    assert place.log_in('IdentityFile "%d/key of %n" # mine') == USER.encode()
    with pytest.raises(DeviceError, match="was refused"):
        place.log_in("IdentityFile none")


def test_an_agent_that_is_named_is_asked_and_none_is_none(
    home: Path, servers: Servers, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(home, servers)
    with pytest.raises(DeviceError, match="was refused"):
        place.log_in()
    assert place.log_in(f"IdentityAgent {agent}") == USER.encode()
    monkeypatch.setenv("MY_AGENT", str(agent))
    assert place.log_in("IdentityAgent $MY_AGENT") == USER.encode()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    assert place.log_in() == USER.encode()
    with pytest.raises(DeviceError, match="was refused"):
        place.log_in("IdentityAgent none")


def test_a_certificate_lets_a_key_in_that_no_server_knows(home: Path, servers: Servers) -> None:
    authority, key = make_key(home / "authority"), make_key(home / "key")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", USER, f"{key}.pub"]
    subprocess.run(sign, check=True)
    place = Place(home, servers, f"TrustedUserCAKeys {authority}.pub")
    certificate = (home / "key-cert.pub").rename(home / "elsewhere-cert.pub")
    with pytest.raises(DeviceError, match="was refused"):
        place.log_in(f"IdentityFile {key}")
    named = (f"IdentityFile {key}", f"CertificateFile {certificate}")
    assert place.log_in(*named) == USER.encode()


def test_a_host_key_is_looked_for_under_the_alias(home: Path, servers: Servers) -> None:
    place = Place(home, servers)
    place.known.write_text(f"the-board {public(place.server.host_keys[0])}\n")
    key = f"IdentityFile {servers.identity}"
    assert place.log_in(key, "HostKeyAlias the-board") == USER.encode()
    with pytest.raises(DeviceError, match="host key of board is not known"):
        place.log_in(key, "HostKeyAlias another-board")
    with pytest.raises(DeviceError, match="host key of board is not known"):
        place.log_in(key)


def test_an_address_of_the_other_family_is_not_tried(home: Path, servers: Servers) -> None:
    place = Place(home, servers)
    key = f"IdentityFile {servers.identity}"
    assert place.log_in(key, "AddressFamily inet") == USER.encode()
    with pytest.raises((DeviceError, LinkLost)) as refused:
        place.log_in(key, "AddressFamily inet6")
    assert "127.0.0.1" in str(refused.value)
