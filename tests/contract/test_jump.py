"""Over real jump hosts on loopback, as ssh_config says: verified, bounded, named when they fail."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.nouns import BoardAddress
from buildmatrix.ssh import connect, fingerprint
from buildmatrix.ssh.packing import Packing
from tests.sshd import USER, Servers, Sshd, fingerprint_of, make_key, public, servers

if TYPE_CHECKING:
    from collections.abc import Callable

    from buildmatrix.ssh import SshConnection

__all__ = ["servers"]

BOARD = BoardAddress("pi3", "board", port=0, user="")
PATIENT = 150  # seconds: three servers' logins on a machine with other work took over 30


class Lab:
    """A board behind two jump hosts: `ssh board` would do."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.servers = servers
        self.first, self.second, self.board = (servers.start() for _ in range(3))
        self.known_hosts = folder / "known_hosts"
        self.config = folder / "config"
        self.knows(self.first, self.second, self.board)
        self.leads()

    def knows(self, *known: Sshd) -> None:
        self.known_hosts.write_text("".join(server.known for server in known))

    def leads(self, to: int = 0, extra: str = "") -> None:
        hosts = {"first": self.first.port, "second": self.second.port}
        lines = [f"Host {name}\nPort {port}" for name, port in hosts.items()]
        lines += [f"Host board\nPort {to or self.board.port}\nProxyJump first,second"]
        every = f"Host *\nHostName 127.0.0.1\nUser {USER}\nIdentityFile {self.servers.identity}"
        self.config.write_text("\n".join([extra, *lines, every]))

    def connect(
        self, timeout: float = PATIENT, pins: dict[str, str] | None = None
    ) -> SshConnection:
        return connect(
            BOARD, timeout=timeout, known_hosts=self.known_hosts, config=self.config, pins=pins
        )

    def sessions(self) -> list[int]:
        return [server.sessions() for server in (self.first, self.second, self.board)]

    def fault(self) -> DeviceError:
        with pytest.raises(DeviceError) as caught:
            self.connect()
        assert caught.value.hint
        until(lambda: self.sessions() == [0, 0, 0])  # nothing of the chain is left over
        return caught.value


def until(true: Callable[[], bool]) -> None:
    for _ in range(6000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError


def ended(server: Sshd) -> None:
    """What it serves now is gone from one moment to the next; it serves what comes later."""
    pid = server.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        for process in (*Path(f"/proc/{child}/task/{child}/children").read_text().split(), child):
            os.kill(int(process), signal.SIGKILL)
    until(lambda: server.sessions() == 0)


@pytest.fixture
def lab(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return Lab(servers, tmp_path)


def test_two_jump_hosts(lab: Lab) -> None:
    data = bytes(range(256)) * 4096
    with lab.connect() as board:
        assert lab.sessions() == [1, 1, 1]
        assert board.run("cat", timeout=PATIENT, stdin=[data]).stdout == data
        port = board.run('set -- $SSH_CONNECTION; echo "$4"', timeout=PATIENT).stdout
        assert int(port) == lab.board.port
    until(lambda: lab.sessions() == [0, 0, 0])  # closing closes the chain


def test_a_jump_host_carries_what_is_packed_already(lab: Lab) -> None:
    """Packed a second time it would be no smaller, and cost the jump host."""
    with lab.connect() as board:
        kinds = [isinstance(transport, Packing) for transport in board._chain._transports]
        assert board.packed is not None
    assert kinds == [False, False, True]


def test_ssh_itself_agrees(lab: Lab) -> None:
    """The same configuration leads OpenSSH's client to the same place."""
    # in the file, not by -o, because its jump hosts read that too
    lab.config.write_text(lab.config.read_text() + f"\nUserKnownHostsFile {lab.known_hosts}\n")
    argv = ["ssh", "-F", str(lab.config), "-o", "BatchMode=yes", "board", "echo $SSH_CONNECTION"]
    theirs = subprocess.check_output(argv, text=True)
    with lab.connect() as board:
        ours = board.run("echo $SSH_CONNECTION", timeout=PATIENT).stdout.decode()
    assert theirs.split()[3] == ours.split()[3] == str(lab.board.port)


def test_fingerprint_behind_jump_hosts(lab: Lab) -> None:
    """Nobody has to know the board's key to look at it; the jump hosts' must be known."""
    lab.knows(lab.first, lab.second)
    shown = fingerprint("board", timeout=PATIENT, known_hosts=lab.known_hosts, config=lab.config)
    assert shown == ("ssh-ed25519", lab.board.pin)
    lab.knows(lab.first)
    with pytest.raises(DeviceError, match="not known") as caught:
        fingerprint("board", timeout=PATIENT, known_hosts=lab.known_hosts, config=lab.config)
    assert caught.value.where == f"jump host 127.0.0.1:{lab.second.port}"


def test_pins_will_do_for_every_host(lab: Lab) -> None:
    lab.knows()
    everywhere = (lab.first, lab.second, lab.board)
    lab.connect(pins={f"127.0.0.1:{server.port}": server.pin for server in everywhere}).close()


@pytest.mark.parametrize("changed", ["first", "second", "board"])
def test_a_changed_key_is_named_with_its_host(lab: Lab, tmp_path: Path, changed: str) -> None:
    server: Sshd = getattr(lab, changed)
    stranger = make_key(tmp_path / "stranger")
    known = lab.known_hosts.read_text().replace(server.known, "")
    lab.known_hosts.write_text(f"{known}[127.0.0.1]:{server.port} {public(stranger)}\n")
    fault = lab.fault()
    assert not isinstance(fault, LinkLost)
    assert f"known_hosts has ssh-ed25519 {fingerprint_of(stranger)}" in fault.brief
    assert f"offered now is ssh-ed25519 {server.pin}" in fault.brief
    assert str(fault.where).startswith("jump host") == (changed != "board")
    assert f"127.0.0.1:{server.port}" in str(fault.where)
    assert f"inv device trust --host {changed}`" in fault.hint


def test_a_jump_host_that_is_off(lab: Lab) -> None:
    lab.servers.stop(lab.first)
    with pytest.raises(LinkLost, match="refused") as caught:
        lab.connect()
    assert caught.value.where == f"jump host 127.0.0.1:{lab.first.port}"


def test_a_jump_host_that_refuses_us(lab: Lab) -> None:
    lab.servers.folder.joinpath("authorized1").write_text("")
    fault = lab.fault()
    assert "refused" in fault.brief
    assert fault.where == f"jump host 127.0.0.1:{lab.second.port}"


def test_a_jump_host_that_does_not_forward(lab: Lab) -> None:
    lab.second = lab.servers.start("AllowTcpForwarding no")
    lab.knows(lab.first, lab.second, lab.board)
    lab.leads()
    fault = lab.fault()
    assert not isinstance(fault, LinkLost)
    assert "does not forward" in fault.brief
    assert fault.where == f"127.0.0.1:{lab.board.port} via 127.0.0.1:{lab.second.port}"


def test_a_board_that_is_off(lab: Lab) -> None:
    lab.servers.stop(lab.board)
    lab.board = lab.servers.start()
    lab.leads(to=lab.servers.running[2].port)
    fault = lab.fault()
    assert isinstance(fault, LinkLost)
    assert "the jump host cannot reach it" in fault.brief


def test_one_deadline_for_the_chain(lab: Lab) -> None:
    """The board's port is open, but nobody speaks there."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        lab.leads(to=mute.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(LinkLost, match="no answer within 2 s"):
            lab.connect(timeout=2)
        assert time.monotonic() - began < PATIENT
    until(lambda: lab.sessions() == [0, 0, 0])


def test_a_jump_host_that_goes_away_is_a_lost_link(lab: Lab) -> None:
    with lab.connect() as board:
        children = f"/proc/{lab.first.process.pid}/task/{lab.first.process.pid}/children"
        script = f"sleep 0.2; kill $(cat {children}); sleep {2 * PATIENT}"
        with pytest.raises(LinkLost, match="the link to jump host") as caught:
            board.run(script, timeout=PATIENT)
        assert f"jump host 127.0.0.1:{lab.first.port} ended" in caught.value.brief
        assert "jump host" in caught.value.hint


def test_a_jump_host_that_went_between_two_commands_is_named(lab: Lab) -> None:
    with lab.connect() as board:
        assert board.run("echo here", timeout=PATIENT).stdout == b"here\n"
        ended(lab.second)
        for _ in range(2):  # found out, and known from before
            with pytest.raises(LinkLost, match=f"jump host 127.0.0.1:{lab.second.port}"):
                board.run("echo here", timeout=PATIENT)


def test_a_board_that_ends_the_session_is_not_called_a_jump_host(lab: Lab) -> None:
    with lab.connect() as board:
        ended(lab.board)
        with pytest.raises(LinkLost) as caught:
            board.run("echo here", timeout=PATIENT)
    assert "jump host" not in caught.value.brief


TYPES = ("rsa", "ed25519", "ecdsa")


@pytest.fixture
def three(servers: Servers) -> Sshd:
    """A server that has three keys, and lists RSA first."""
    return servers.start(host_keys=TYPES)


@pytest.mark.parametrize("number", range(3), ids=TYPES)
def test_whichever_key_is_pinned_or_known_is_found(
    servers: Servers, three: Sshd, tmp_path: Path, number: int
) -> None:
    """A server shows one key of several: the one that we ask for."""
    key = three.host_keys[number]
    target = three.target(servers.identity, host_key=fingerprint_of(key))
    connect(target, timeout=PATIENT, known_hosts=None).close()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{three.port} {public(key)}\n")
    target = three.target(servers.identity, host_key="")
    connect(target, timeout=PATIENT, known_hosts=known_hosts).close()


def test_a_pin_that_none_of_them_has(servers: Servers, three: Sshd, tmp_path: Path) -> None:
    other = fingerprint_of(make_key(tmp_path / "stranger"))
    target = three.target(servers.identity, host_key=other)
    with pytest.raises(DeviceError, match="host key changed") as caught:
        connect(target, timeout=PATIENT, known_hosts=None)
    assert f"pinned is {other}, offered now is ssh-ed25519" in caught.value.brief


@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "known"])
def test_a_revoked_key_is_refused(servers: Servers, tmp_path: Path, pinned: bool) -> None:
    server = servers.start()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"{server.known}@revoked * {public(server.host_keys[0])}\n")
    target = server.target(servers.identity, host_key=server.pin if pinned else "")
    with pytest.raises(DeviceError, match="revoked"):
        connect(target, timeout=PATIENT, known_hosts=known_hosts)


def test_hashed_known_hosts(servers: Servers, tmp_path: Path) -> None:
    server = servers.start()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(server.known)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known_hosts], check=True, capture_output=True)
    assert "127.0.0.1" not in known_hosts.read_text()
    connect(
        server.target(servers.identity, host_key=""), timeout=PATIENT, known_hosts=known_hosts
    ).close()


def test_the_time_that_a_later_host_has_is_its_own(lab: Lab) -> None:
    """ConnectTimeout of a board behind jump hosts, from its door to its first word."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        lab.leads(to=mute.getsockname()[1], extra="Host board\nConnectTimeout 2")
        began = time.monotonic()
        with pytest.raises(LinkLost, match="not as an SSH server"):
            lab.connect(timeout=10 * PATIENT)
        assert time.monotonic() - began < PATIENT
