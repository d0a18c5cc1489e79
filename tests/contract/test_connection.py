"""What protocols.Connection promises: held by the fake, by SSH to OpenSSH and dropbear here and to
the virtual board."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.nouns import BoardAddress
from buildmatrix.ssh import connect, feeding, fingerprint
from buildmatrix.ssh.failures import NoSuchHost
from tests.dropbear import dropbear
from tests.fakes import LocalShell
from tests.sshd import Servers, fingerprint_of, make_key, public, servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.protocols import Connection
    from tests.dropbear import Dropbear

__all__ = ["dropbear", "servers"]

EVERY_BYTE = bytes(range(256))
SILENT = 40  # seconds for which a host or a resolver says nothing
BOARD = pytest.param("board", marks=pytest.mark.board)


def address(server: str, request: pytest.FixtureRequest) -> BoardAddress:
    """Of the server of that name; known_hosts stands beside the key that it lets in."""
    if server == "board":
        board: BoardAddress = request.getfixturevalue("board")
        return board
    if server == "dropbear":
        small: Dropbear = request.getfixturevalue("dropbear")
        return small.target
    here: Servers = request.getfixturevalue("servers")
    started = here.start()
    here.identity.with_name("known_hosts").write_text(started.known)
    return started.target(here.identity)


@pytest.fixture(params=["sshd", "dropbear", BOARD])
def peer(request: pytest.FixtureRequest) -> BoardAddress:
    return address(request.param, request)


@pytest.fixture(params=["local", "sshd", "dropbear", BOARD])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    if request.param == "local":
        yield LocalShell(tmp_path)
    else:
        with connect(address(request.param, request), timeout=30, known_hosts=None) as ssh:
            yield ssh


def test_status_and_streams_stay_apart(connection: Connection) -> None:
    result = connection.run("echo out; echo err >&2; exit 7", timeout=30)
    assert (result.status, result.stdout, result.stderr) == (7, b"out\n", b"err\n")


def test_the_script_reaches_sh_as_it_is(connection: Connection) -> None:
    script = """x='it'\\''s "one" $HOME'; printf '%s' "$x"; cat <<'END'\n`no` \\n\nEND\n"""
    assert connection.run(script, timeout=30).stdout == b'it\'s "one" $HOME`no` \\n\n'


def test_home_is_the_board_s(connection: Connection) -> None:
    assert connection.run('cd && [ "$PWD" = "$HOME" ] && [ -w . ]', timeout=30).status == 0


def test_every_byte_passes(connection: Connection) -> None:
    chunks = [EVERY_BYTE, b"", EVERY_BYTE]
    assert connection.run("cat", timeout=30, stdin=chunks).stdout == EVERY_BYTE * 2
    assert connection.run("cat >&2", timeout=30, stdin=chunks).stderr == EVERY_BYTE * 2


def test_no_stdin_is_end_of_file(connection: Connection) -> None:
    assert connection.run("cat; echo done", timeout=30).stdout == b"done\n"


def test_much_data_both_ways_at_once(connection: Connection) -> None:
    """More than any buffer on all three streams: whoever waits for one of them hangs."""
    block, count = EVERY_BYTE * 4096, 8
    script = "cat; head -c 8388608 /dev/zero >&2"
    result = connection.run(script, timeout=120, stdin=itertools.repeat(block, count))
    assert result.stdout == block * count
    assert result.stderr == bytes(8 << 20)


def test_stderr_first(connection: Connection) -> None:
    result = connection.run("head -c 8388608 /dev/zero >&2; echo done", timeout=120)
    assert (len(result.stderr), result.stdout) == (8 << 20, b"done\n")


def test_a_command_may_leave_its_input_unread(connection: Connection) -> None:
    endless = itertools.repeat(bytes(1 << 16))
    assert connection.run("head -c 3; exit 4", timeout=30, stdin=endless).status == 4


def test_death_by_signal_is_minus_one(connection: Connection) -> None:
    assert connection.run("echo out; kill -9 $$", timeout=30).status == -1


def test_the_deadline_is_one(connection: Connection) -> None:
    """A command that says nothing is ended where it runs, or given up."""
    began = time.monotonic()
    with pytest.raises(LinkLost, match="no answer within 2 s"):
        connection.run("exec sleep 120", timeout=2)
    assert 2 <= time.monotonic() - began < 60, "long before the command would have ended"


def running(board: Connection, command: str) -> bool:
    """Whether a process on the board has exactly this command line."""
    look = "for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done 2> /dev/null"
    lines = board.run(look, timeout=300).stdout.decode(errors="replace").splitlines()
    return f"{command} " in lines


class TestSsh:
    """What only a network has."""

    def test_a_command_past_its_deadline_is_ended_there(self, peer: BoardAddress) -> None:
        for number, script in enumerate(("sleep {0} & exec sleep {0}", "(sleep {0}); true")):
            long = f"{number + 1}{os.getpid()}"
            with (
                connect(peer, timeout=30, known_hosts=None) as ssh,
                pytest.raises(LinkLost, match="no answer within 2 s"),
            ):
                ssh.run(script.format(long), timeout=2)
            with connect(peer, timeout=150, known_hosts=None) as ssh:
                tries = 30  # what ends it may be given up too, on a busy board, and go on
                while running(ssh, f"sleep {long}") and (tries := tries - 1):
                    time.sleep(1)
            assert tries, "it is left running"

    def test_output_does_not_move_the_deadline(self, peer: BoardAddress) -> None:
        with connect(peer, timeout=30, known_hosts=None) as ssh:
            began = time.monotonic()
            with pytest.raises(LinkLost, match="no answer within 2 s"):
                ssh.run("for i in $(seq 1200); do echo alive; sleep 0.1; done", timeout=2)
            with pytest.raises(LinkLost, match="closed"):
                ssh.run("true", timeout=2)
            assert time.monotonic() - began < 60, "long before the command would have ended"

    def test_a_server_that_stands_still(self, peer: BoardAddress) -> None:
        """It takes no more input, so whoever sends waits too."""
        script = "(sleep 60; kill -9 $PPID) >/dev/null 2>&1 </dev/null & kill -STOP $PPID; cat"
        ssh = connect(peer, timeout=30, known_hosts=None)
        began = time.monotonic()
        with ssh, pytest.raises(LinkLost, match="no answer within 2 s"):
            ssh.run(script, timeout=2, stdin=itertools.repeat(bytes(1 << 16)))
        assert time.monotonic() - began < 45, "before the server is ended"

    def test_input_that_cannot_be_had_ends_the_command(self, peer: BoardAddress) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"first"
            raise FileNotFoundError("the second chunk")

        with connect(peer, timeout=30, known_hosts=None) as ssh:
            with pytest.raises(FileNotFoundError, match="second"):
                ssh.run("cat; sleep 60", timeout=30, stdin=chunks())
            assert ssh.run("echo still here", timeout=30).stdout == b"still here\n"

    def test_no_more_is_under_way_than_the_command_reads(self, peer: BoardAddress) -> None:
        """What waits on the board is copied there again and again; see feeding.WINDOW."""
        size, made = 16 << 10, 0

        def chunks() -> Iterator[bytes]:
            nonlocal made
            for _ in range(512):  # 8 MiB
                made += 1
                yield bytes(size)

        with connect(peer, timeout=30, known_hosts=None) as connection:
            seen: list[int] = []
            result = connection.converse(
                "echo; sleep 2; echo; exec wc -c",
                timeout=60,
                stdin=chunks(),
                heard=lambda _: seen.append(made * size),
            )
        assert result.stdout.split() == [b"8388608"]
        # of the two lines the second comes when nothing was read; some are made ahead of the link
        assert seen[1] <= feeding.WINDOW + (feeding.AHEAD + 8) * size

    def test_the_pin_is_what_the_board_offers(self, peer: BoardAddress) -> None:
        """The pin was computed where the key was made; this is the wire's view of it."""
        assert fingerprint(peer.host, peer.port, timeout=30) == ("ssh-ed25519", peer.host_key)

    def test_an_unknown_key_is_refused_with_the_line_that_pins_it(self, peer: BoardAddress) -> None:
        with pytest.raises(DeviceError, match="not known") as caught:
            connect(replace(peer, host_key=""), timeout=30, known_hosts=None)
        assert not isinstance(caught.value, LinkLost)
        assert f'host_key: "{peer.host_key}"' in caught.value.hint
        line = f"`inv device trust --host {peer.user}@{peer.host}:{peer.port}`"
        assert line in caught.value.hint

    def test_known_hosts_will_do(self, peer: BoardAddress) -> None:
        known_hosts = Path(peer.identity_file).with_name("known_hosts")
        with connect(replace(peer, host_key=""), timeout=30, known_hosts=known_hosts) as ssh:
            assert ssh.run("echo in", timeout=30).stdout == b"in\n"

    def test_known_hosts_that_cannot_be_read(self, peer: BoardAddress, tmp_path: Path) -> None:
        with pytest.raises(DeviceError, match="cannot be read: Is a directory") as caught:
            connect(peer, timeout=30, known_hosts=tmp_path)
        assert (type(caught.value), caught.value.where) == (DeviceError, str(tmp_path))

    def test_a_changed_key_names_both(
        self, peer: BoardAddress, tmp_path: Path, stranger: Path
    ) -> None:
        """Neither way in reaches authentication: the client's key is wrong too, and not named."""
        other = fingerprint_of(stranger)
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(f"[{peer.host}]:{peer.port} {public(stranger)}")
        target = replace(peer, identity_file=str(stranger))
        for pin in (other, ""):
            with pytest.raises(DeviceError, match="host key changed") as caught:
                connect(replace(target, host_key=pin), timeout=30, known_hosts=known_hosts)
            assert not isinstance(caught.value, LinkLost)
            assert other in caught.value.brief
            assert peer.host_key in caught.value.brief

    def test_a_pin_wins_over_known_hosts(
        self, peer: BoardAddress, tmp_path: Path, stranger: Path
    ) -> None:
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(f"[{peer.host}]:{peer.port} {public(stranger)}")
        connect(peer, timeout=30, known_hosts=known_hosts).close()

    def test_a_wrong_client_key_is_permanent(self, peer: BoardAddress, stranger: Path) -> None:
        with pytest.raises(DeviceError, match="refused") as caught:
            connect(replace(peer, identity_file=str(stranger)), timeout=30, known_hosts=None)
        assert not isinstance(caught.value, LinkLost)
        assert "authorized_keys" in caught.value.hint

    def test_a_missing_client_key_is_permanent(self, peer: BoardAddress, tmp_path: Path) -> None:
        with pytest.raises(DeviceError, match="missing") as caught:
            connect(replace(peer, identity_file=str(tmp_path / "no")), timeout=5, known_hosts=None)
        assert not isinstance(caught.value, LinkLost)


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A private key that no board knows; its public half stands beside it."""
    return make_key(tmp_path / "stranger")


@pytest.fixture
def mute(request: pytest.FixtureRequest) -> Iterator[BoardAddress]:
    """A host that greets with the parameter and then says nothing."""

    def greet() -> None:
        peer, _ = server.accept()
        peer.sendall(request.param)
        stop.wait(SILENT)
        peer.close()

    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet)
        thread.start()
        yield BoardAddress("mute", "127.0.0.1", server.getsockname()[1], host_key="SHA256:x")
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "mute", [b"", b"SSH-2.0-silent\r\n", b"SSH-2.0-noise\r\n" + bytes(5000)], indirect=True
)
def test_a_host_that_says_nothing_useful_is_a_lost_link(mute: BoardAddress) -> None:
    began = time.monotonic()
    with pytest.raises(LinkLost, match=r"lost|no answer"):
        connect(mute, timeout=1, known_hosts=None)
    assert time.monotonic() - began < SILENT / 2


@pytest.mark.parametrize(
    "mute", [b"Not allowed at this time\r\n" * 200, b"x" * 200 + b"\r\n" * 1000], indirect=True
)
def test_a_host_that_talks_and_is_no_ssh_server_is_called_that(mute: BoardAddress) -> None:
    with pytest.raises(LinkLost, match="not as an SSH server does") as caught:
        connect(mute, timeout=20, known_hosts=None)
    assert "PerSourcePenalties" in caught.value.hint


def test_nothing_listens() -> None:
    with socket.socket() as reserved:  # bound: nobody else can listen there meanwhile
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(LinkLost, match="refused"):
            connect(BoardAddress("off", "127.0.0.1", port), timeout=10, known_hosts=None)
        with pytest.raises(LinkLost, match="refused"):
            fingerprint("127.0.0.1", port, timeout=10)


@pytest.mark.parametrize(
    ("code", "host", "kind"),
    [
        (socket.EAI_NONAME, "nowhere.example", NoSuchHost),
        (socket.EAI_NONAME, "pi3.local", LinkLost),  # it may be starting
        (socket.EAI_AGAIN, "nowhere.example", LinkLost),
    ],
)
def test_names(monkeypatch: pytest.MonkeyPatch, code: int, host: str, kind: type) -> None:
    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "as the resolver says")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(DeviceError, match="as the resolver says") as caught:
        connect(BoardAddress("far", host), timeout=5, known_hosts=None)
    assert type(caught.value) is kind


def test_a_name_that_cannot_be_one() -> None:
    with pytest.raises(DeviceError, match="no host name"):
        connect(BoardAddress("long", "x" * 64), timeout=5, known_hosts=None)


def test_a_resolver_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*_: object, **__: object) -> None:
        released.wait(SILENT)
        raise socket.gaierror(socket.EAI_AGAIN, "at last")

    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    began = time.monotonic()
    with pytest.raises(LinkLost, match="no answer within 1 s"):
        connect(BoardAddress("far", "nowhere.example"), timeout=1, known_hosts=None)
    assert time.monotonic() - began < SILENT / 2
    released.set()


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EHOSTUNREACH, "No route"), (errno.ENETUNREACH, "unreachable")],
)
def test_no_way_there(monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "create_connection", fails)
    with pytest.raises(LinkLost, match=said) as caught:
        connect(BoardAddress("far", "10.0.0.1"), timeout=5, known_hosts=None)
    assert "in its network" in caught.value.hint


def test_no_common_algorithm(servers: Servers) -> None:
    server = servers.start("KexAlgorithms sntrup761x25519-sha512@openssh.com")
    with pytest.raises(DeviceError, match="no common SSH algorithm") as caught:
        connect(server.target(), timeout=10, known_hosts=None)
    assert not isinstance(caught.value, LinkLost)


def test_a_server_that_lets_in_and_opens_no_session(servers: Servers) -> None:
    server = servers.start("MaxSessions 0")
    with (
        connect(server.target(servers.identity), timeout=10, known_hosts=None) as ssh,
        pytest.raises(DeviceError, match="no session is opened") as caught,
    ):
        ssh.run("true", timeout=10)
    assert not isinstance(caught.value, LinkLost)
    assert "MaxSessions" in caught.value.hint


def test_a_server_that_is_full(servers: Servers) -> None:
    server = servers.start("MaxStartups 1")
    with socket.create_connection(("127.0.0.1", server.port)) as first:
        first.recv(20)
        with pytest.raises(LinkLost, match="not as an SSH server") as caught:
            connect(server.target(), timeout=10, known_hosts=None)
    assert "MaxStartups" in caught.value.hint


def test_a_command_past_its_deadline_is_ended_where_a_connection_has_one_session(
    servers: Servers, tmp_path: Path
) -> None:
    """Over a connection of its own."""
    server = servers.start("MaxSessions 1")
    began, left = tmp_path / "began", f"29{os.getpid()}"
    with (
        connect(server.target(servers.identity), timeout=150, known_hosts=None) as ssh,
        pytest.raises(LinkLost, match="no answer within 2 s"),
    ):
        ssh.run(f"echo > {began}; exec sleep {left}", timeout=2)
    assert began.exists()
    end = time.monotonic() + 60
    while subprocess.run(["pgrep", "-x", "-f", f"sleep {left}"], check=False).returncode == 0:
        assert time.monotonic() < end, "it is left running"
        time.sleep(0.1)


def test_a_server_that_grants_one_session_at_a_time_serves_many_in_a_row(servers: Servers) -> None:
    server = servers.start("MaxSessions 1")
    with connect(server.target(servers.identity), timeout=30, known_hosts=None) as ssh:
        answers = [ssh.run("echo it; cat", timeout=30).stdout for _ in range(20)]
    assert answers == [b"it\n"] * 20
