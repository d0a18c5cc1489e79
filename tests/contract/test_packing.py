"""SSH's own compression with real servers: used where it is agreed on, done without elsewhere."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import paramiko
import pytest

from buildmatrix.boards import greeting
from buildmatrix.device import parse
from buildmatrix.ssh import connect, dump
from buildmatrix.ssh.packing import MOST, Packing, _Packer, _Unpacker
from tests.contract.deploy_board import Memory, complete, noise, put
from tests.linkshaper import Link
from tests.sshd import Servers, servers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sshd import Sshd

__all__ = ["servers"]

TEXT = b"".join(b"%d is a line of a library's text\n" % n for n in range(20_000))  # packs well


def deployed(servers: Servers, server: Sshd, home: Path) -> tuple[int, int, bool]:
    """Bytes that a first deploy said to send, those that passed the link, and whether SSH packs."""
    store = Memory()
    bundle = store.bundle("c", {"lib/text": TEXT, "lib/noise": noise("n", 100_000)}, l="text")
    target = server.target(servers.identity)
    with (
        Link(server.port) as link,
        connect(replace(target, port=link.port), timeout=30, known_hosts=None) as line,
    ):
        assert parse("peer", greeting.question(line).decode(errors="replace")).home == str(home)
        packs = line.packed is not None
        sent = put(line, store, bundle).sent_bytes
    assert complete(home, bundle)
    return sent, link.up, packs


@pytest.mark.parametrize("setting", ["delayed", "no"])
def test_a_deploy_is_packed_by_ssh_where_the_server_agrees(
    servers: Servers, tmp_path: Path, setting: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    server = servers.start(f"Compression {setting}", f"SetEnv HOME={home}")
    sent, passed, packs = deployed(servers, server, home)
    assert packs is (setting == "delayed")
    assert 100_000 < sent < 230_000, "of 0.8 MB"
    assert sent < passed < sent + 100_000, "logging in and, unpacked, the scripts of three calls"


def test_nothing_is_packed_where_the_users_configuration_says_no(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `ssh -G`, and by our own reader where OpenSSH's client is not installed."""
    server, config, programs = servers.start(), tmp_path / "config", (dump.installed(), None)
    for lines, packs in (("", True), ("Compression yes", True), ("Compression no", False)):
        config.write_text(f"Host 127.0.0.1\n{lines}\n")
        for program in programs:
            monkeypatch.setattr(dump, "installed", lambda program=program: program)
            target = server.target(servers.identity)
            with connect(target, timeout=30, known_hosts=None, config=config) as line:
                assert line.run("cat", timeout=30, stdin=[TEXT]).stdout == TEXT
                assert (line.packed is not None) is packs, f"{lines}, {program}"


def test_new_keys_begin_the_packing_anew(servers: Servers) -> None:
    """Both sides change keys after a gigabyte, and start their streams again (RFC 4253, 6.2)."""
    server = servers.start()
    with connect(server.target(servers.identity), timeout=30, known_hosts=None) as line:
        for _ in range(3):
            assert line.run("cat", timeout=30, stdin=[TEXT]).stdout == TEXT
            line._chain.last.renegotiate_keys()
        assert line.packed is not None


def test_a_message_remembers_those_before_it() -> None:
    noisy = random.Random(1).randbytes(8_000)
    transport = Packing.__new__(Packing)
    transport.sent = 0
    packer, unpacker = _Packer(transport), _Unpacker()
    packed = [packer(noisy) for _ in range(5)]
    assert [unpacker(message) for message in packed] == [noisy] * 5
    assert transport.sent == sum(map(len, packed)) < 9_000, "the second is the first again"


def test_a_message_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(paramiko.SSHException, match="a message of more than"):
        _Unpacker()(zlib.compress(bytes(MOST + 1)))
