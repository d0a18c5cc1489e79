"""The whole way of a bundle over dropbear, which takes no command of 9,000 bytes and no SFTP."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix import bench, deploy, device
from buildmatrix.agent import LONGEST, PREFIX, ask
from buildmatrix.errors import LinkLost
from buildmatrix.ssh import connect
from buildmatrix.virtual.rootfs import for_dropbear
from tests.contract import bench_board
from tests.contract.bench_board import only
from tests.contract.deploy_board import Memory, complete, files, put
from tests.dropbear import dropbear
from tests.fakes import RecordingReporter, sent_bytes
from tests.linkshaper import Link
from tests.sshd import make_key, public

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from buildmatrix.ssh import SshConnection
    from tests.dropbear import Dropbear

__all__ = ["dropbear"]


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def line(dropbear: Dropbear) -> Iterator[SshConnection]:
    with connect(dropbear.target, timeout=30, known_hosts=None) as connection:
        yield connection


def test_deploy_again_roll_back_and_prune(
    dropbear: Dropbear, line: SshConnection, store: Memory, commands: list[str]
) -> None:
    first, second = (store.bundle("c", files("lib/a", version=v)) for v in (1, 2))
    assert put(line, store, first).switched == ("c",)
    assert put(line, store, second).switched == ("c",)
    commands.clear()
    assert put(line, store, second) == deploy.Pushed(0, 0, ())
    assert len(commands) == 1, "nothing new is one round trip"
    assert deploy.rollback(line, "c") == first.digest
    assert complete(dropbear.home, first)
    assert deploy.prune(line, keep=1) == 1
    assert device.probe(line, "peer").home == str(dropbear.home)


def test_a_run_is_begun_collected_and_another_one_cancelled(
    dropbear: Dropbear, line: SshConnection
) -> None:
    bench_board.bundle(dropbear.home, "one")
    assert bench.start(line, only("one")).run == "r1"
    collected = bench.collect(line, reporter=RecordingReporter(), deadline=300, poll=0.1)
    assert collected.request.run == "r1"
    bench.forget(line, "r1")
    bench_board.bundle(dropbear.home, "one", "sleep 300")
    bench.start(line, only("one", run="r2"))
    assert bench.cancel(line) == "r2"
    assert bench.state(line).status == "none"


def test_a_cut_link_and_the_rest(dropbear: Dropbear, store: Memory) -> None:
    bundle = store.bundle("c", files("lib/a", size=400_000))
    with (
        Link(dropbear.target.port, cut=250_000) as link,
        connect(
            replace(dropbear.target, port=link.port), timeout=30, known_hosts=None
        ) as connection,
        pytest.raises(LinkLost),
    ):
        put(connection, store, bundle)
    with connect(dropbear.target, timeout=30, known_hosts=None) as connection:
        assert put(connection, store, bundle).kept_bytes > 100_000
    assert complete(dropbear.home, bundle)


def test_a_host_key_of_openssh_is_one_of_dropbears(tmp_path: Path) -> None:
    """A virtual board's key is made by ssh-keygen, and its server may be dropbear."""
    key = make_key(tmp_path / "key")
    (tmp_path / "host").write_bytes(for_dropbear(key.read_text()))
    shown = subprocess.check_output(["dropbearkey", "-y", "-f", tmp_path / "host"], text=True)
    assert public(key) in shown


def test_its_limit_is_the_one_that_we_keep(line: SshConnection, commands: list[str]) -> None:
    longest = ":" + " " * (LONGEST - sent_bytes(":") - 2)
    assert line.run(longest, timeout=30).status == 0
    with pytest.raises(LinkLost):
        line.run(longest + " " * 8, timeout=30)
    commands.clear()  # this one was too long, and had to be


def test_a_greeting_of_a_start_up_file_is_no_answer(
    dropbear: Dropbear, line: SshConnection
) -> None:
    """As sshd runs ~/.ssh/rc and bash its ~/.bashrc: here around the frame, by the shell itself."""
    noisy = "echo 'none of your business'; echo end; echo noise >&2; "

    class Noisy:
        def run(self, script: str, **settings: object) -> object:
            return line.run(noisy + script, **settings)  # type: ignore[arg-type]

    result = ask(Noisy(), "echo it", timeout=30)  # type: ignore[arg-type]
    assert (result.stdout, result.stderr) == (b"it\n", b"")
    assert (dropbear.home / PREFIX / "agent").is_dir()
