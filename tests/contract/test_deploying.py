"""A whole deploy through a real sshd or dropbear: one question when nothing changed, somebody's
lease, a link that breaks, a board that is not fit.

The board is this machine, so bundles are for its own processor.
"""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from buildmatrix import deploy, ssh
from buildmatrix.agent import PREFIX
from buildmatrix.audit.document import Audit
from buildmatrix.boards import deploying, reach
from buildmatrix.boards.deploying import Means, Wish, deploy_all, foretell, roll_back
from buildmatrix.boards.reach import Access
from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.nouns import Cell, ElfFacts, Target
from buildmatrix.pipeline.stored import Stored
from buildmatrix.protocols import Note
from tests.contract.deploy_board import Memory, complete, files, noise
from tests.contract.reached import reached
from tests.fakes import RecordingReporter
from tests.linkshaper import Link
from tests.sshd import Servers, fingerprint_of, make_key, servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import BoardAddress, Bundle
    from buildmatrix.ssh import SshConnection
    from tests.contract.reached import Reached

__all__ = ["reached", "servers"]

HERE = Target("x86_64-linux-gnu", "EM_X86_64", "armv8-a", "", "", "2.17")


class Bench:
    """A board of this machine, and cells in a store that are built for it."""

    def __init__(self, board: BoardAddress, home: Path) -> None:
        self.target, self.home = board, home
        self.store, self.reporter = Memory(), RecordingReporter()
        self.bundles: tuple[Bundle, ...] = ()
        self.floor = "2.17"
        self.facts: tuple[ElfFacts, ...] = ()

    @property
    def cells(self) -> tuple[Stored, ...]:
        built_for, audit = replace(HERE, libc_floor=self.floor), Audit((), self.facts)
        return tuple(
            Stored(Cell(bundle.cell, "face-cnn", "stack", "host", ()), built_for, bundle, audit)
            for bundle in self.bundles
        )

    def means(self, **wish: Any) -> Means:
        return Means(Access(), self.store, self.reporter, Wish(**wish))

    def deploy(self, *bundles: Bundle, **wish: Any) -> deploying.Deployed:
        self.bundles = bundles or self.bundles
        return deploy_all(self.cells, self.target, self.means(**wish))

    def foretell(self) -> deploying.Foretold:
        return foretell(self.cells, self.target, self.means())

    def notes(self) -> list[str]:
        return [event.message for event in self.reporter.events if isinstance(event, Note)]

    def tree(self) -> set[tuple[str, int]]:
        return {(str(p), p.lstat().st_ctime_ns) for p in self.home.rglob("*")}


@pytest.fixture
def bench(reached: Reached, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    return Bench(reached.target, reached.home)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each channel that is asked for, which is a round trip or more."""
    asked: list[str] = []
    original = paramiko.Transport.open_session

    def counted(self: paramiko.Transport, *arguments: Any, **settings: Any) -> paramiko.Channel:
        asked.append("session")
        return original(self, *arguments, **settings)

    monkeypatch.setattr(paramiko.Transport, "open_session", counted)
    return asked


def test_a_board_never_met_is_sent_the_scripts_with_the_first_question(
    bench: Bench, sessions: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asked twice where they are not there any more; a lost record sends them once more."""
    record = tmp_path / "scripts.json"
    access = Access(scripts=record)
    monkeypatch.setattr(Bench, "means", lambda b, **_: Means(access, b.store, b.reporter, Wish()))
    bundle = bench.store.bundle("cell", files("lib/a"))
    bench.deploy(bundle)
    assert sessions == ["session"], "and what it lacks"
    assert complete(bench.home, bundle)
    bench.deploy()
    assert sessions == ["session"] * 2
    for script in (bench.home / PREFIX / "agent").iterdir():
        script.unlink()
    bench.deploy()
    assert sessions == ["session"] * 4
    record.unlink()
    record.mkdir()
    bench.deploy()
    assert sessions == ["session"] * 5


def test_a_board_never_met_where_nothing_can_run_is_left_as_it_was(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access(scripts=tmp_path / "scripts.json")
    monkeypatch.setattr(Bench, "means", lambda b, **_: Means(access, b.store, b.reporter, Wish()))
    bench.floor = "9.99"
    before = bench.tree()
    with pytest.raises(DeviceError, match="no bundle can run on"):
        bench.deploy(bench.store.bundle("cell", files("lib/a", size=300_000)))
    assert {name for name, _ in bench.tree()} == {name for name, _ in before}
    assert [note for note in bench.notes() if "cannot run on" in note] != []
    bench.floor = "2.17"
    bench.deploy()
    assert complete(bench.home, bench.bundles[0])


def test_nothing_changed_is_one_round_trip_and_few_bytes(bench: Bench, sessions: list[str]) -> None:
    """Of a matrix of twelve cells; logging in is counted too."""
    cells = [bench.store.bundle(f"cell{n}", files("lib/a") | {"n": b"%d" % n}) for n in range(12)]
    first = bench.deploy(*cells)
    assert len(first.pushed.switched) == 12
    assert sessions == ["session"] * 3, "what is it and what stands there; with scripts; send"
    sessions.clear()
    with Link(bench.target.port) as link:
        bench.target = replace(bench.target, port=link.port)
        again = bench.deploy()
    assert again.pushed == deploy.Pushed(0, 0, ())
    assert sessions == ["session"]
    assert link.connections == 1
    assert link.up + link.down < 10_000 + 12 * 200, "a listing of twelve cells is part of it"


def test_one_cell_unchanged_is_under_ten_kilobytes(bench: Bench) -> None:
    bench.deploy(bench.store.bundle("c", files("lib/a")))
    with Link(bench.target.port) as link:
        bench.target = replace(bench.target, port=link.port)
        bench.deploy()
    assert link.up + link.down < 10_000


def test_a_link_that_breaks_is_taken_up_again_at_the_byte(bench: Bench) -> None:
    content = {"bin/runner": noise("runner"), "lib/a": noise("a", 3_000_000)}
    bundle = bench.store.bundle("c", content)
    with Link(bench.target.port, mbit=40, cut=2_000_000) as link:
        bench.target = replace(bench.target, port=link.port)
        done = bench.deploy(bundle)
    assert complete(bench.home, bundle)
    assert done.pushed.kept_bytes > 1_800_000
    assert link.up < bundle.size + 250_000
    assert ["trying again (1 of 4)" in note for note in bench.notes()].count(True) == 1


def test_what_is_permanent_is_not_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    @contextmanager
    def connect(_target: BoardAddress, _access: Access) -> Iterator[object]:
        tries.append(1)
        raise error
        yield

    monkeypatch.setattr(reach, "connect", connect)
    bundle = bench.store.bundle("c", files())
    error: DeviceError = DeviceError("host key changed")
    with pytest.raises(DeviceError, match="host key changed"):
        bench.deploy(bundle)
    assert len(tries) == 1
    error = LinkLost("away")
    with pytest.raises(LinkLost):
        bench.deploy(bundle)
    assert len(tries) == 1 + reach.ATTEMPTS, "bounded"


def test_a_host_key_that_changes_within_one_run_ends_it(servers: Servers, tmp_path: Path) -> None:
    """The link breaks, the machine that answers then has another key, and nobody logs in there."""
    server = servers.start(f"SetEnv HOME={tmp_path}")
    target = server.target(servers.identity)
    reporter, visits = RecordingReporter(), []

    def work(connection: SshConnection) -> None:
        visits.append(connection.run("echo here", timeout=60).stdout)
        (key,) = server.host_keys
        key.unlink()
        make_key(key)
        server.process.send_signal(signal.SIGHUP)  # sshd(8): it reads its keys again
        while server.log.read_text().count("Server listening") < 2:
            time.sleep(0.01)
        raise LinkLost("the board restarts")

    before = server.pin
    with pytest.raises(DeviceError, match="host key changed") as caught:
        reach.visit(target, Access(), work, reporter, "deploy peer")
    assert f"pinned is {before}" in caught.value.brief
    assert not isinstance(caught.value, LinkLost)
    assert visits == [b"here\n"], "not tried a third time"
    assert fingerprint_of(server.host_keys[0]) in caught.value.hint


@contextmanager
def somebody_measures(home: Path, owner: str) -> Iterator[None]:
    """A living process that holds the lease of the board's run, as bench.sh leaves it."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with subprocess.Popen(["sleep", "300"]) as agent:
        stat = Path(f"/proc/{agent.pid}/stat").read_text().rpartition(") ")[2].split()
        run = home / PREFIX / "runs/r1"
        (run / "leases").mkdir(parents=True)
        (run / "leases/1").symlink_to(f"{agent.pid}.{stat[19]}.{boot} 12")
        (run / "settings").write_text(f"owner {owner}\ngovernor keep\n")
        (home / PREFIX / "runs/current").symlink_to("r1")
        try:
            yield
        finally:
            agent.kill()


def test_a_running_benchmark_is_not_disturbed(bench: Bench) -> None:
    old, new = (bench.store.bundle("c", files("lib/a", version=v)) for v in (1, 2))
    bench.deploy(old)
    with somebody_measures(bench.home, "ann@desk"):
        before = bench.tree()
        for wish in ({}, {"verify": True}, {"keep": 1}):
            with pytest.raises(DeviceError, match="measuring for ann@desk") as caught:
                bench.deploy(new, **wish)
            assert "--force" in caught.value.hint
        with pytest.raises(DeviceError, match="measuring for ann@desk"):
            roll_back(["c"], bench.target, access=Access())
        told = bench.foretell()
        assert (told.busy, told.forecast.switched) == ("ann@desk", ("c",))
        assert bench.tree() == before
        assert bench.deploy(old).pushed == deploy.Pushed(0, 0, ()), "nothing to do disturbs nobody"
        assert bench.deploy(new, force=True).pushed.switched == ("c",)
    assert bench.deploy(old).pushed.switched == ("c",), "its agent is dead, so nobody is disturbed"


def test_a_dry_run_says_bytes_and_seconds_and_changes_nothing(bench: Bench) -> None:
    bundle = bench.store.bundle("c", {"bin/runner": b"#!/bin/sh\n", "lib/a": noise("a", 2_000_000)})
    bench.bundles, before = (bundle,), bench.tree()
    with Link(bench.target.port, mbit=20, round_trip_ms=20) as link:
        bench.target = replace(bench.target, port=link.port)
        told = bench.foretell().forecast
        assert bench.tree() == before
        done = bench.deploy()
    assert told.wire_bytes == pytest.approx(done.pushed.sent_bytes, rel=0.01), "SSH packs"
    assert told.switched == ("c",)
    assert 1e4 < told.rate < 1e7, "20 Mbit/s are 2.5 MB/s, when this machine has no other work"
    assert 0.02 < told.round_trip_s < 60
    assert told.seconds >= told.wire_bytes / told.rate


def test_the_quota_of_the_device_holds_and_a_flag_goes_before_it(bench: Bench) -> None:
    old, new = (bench.store.bundle("c", {"v": noise(str(n), 1 << 20)}) for n in range(2))
    bench.target = replace(bench.target, quota_mib=2)
    bench.deploy(old)
    with pytest.raises(DeviceError, match="quota of 2 MiB"):
        bench.deploy(new)
    assert complete(bench.home, old)
    bench.deploy(new, quota_mib=3)
    newest = bench.store.bundle("c", {"v": noise("2", 1 << 20)})
    assert bench.deploy(newest, quota_mib=4).removed == 0
    last = bench.store.bundle("c", {"v": noise("3", 1 << 20)})
    done = bench.deploy(last, quota_mib=4)
    assert done.removed == 1
    assert any("1 old bundles removed, the quota is 4 MiB" in note for note in bench.notes())
    assert bench.deploy(last, keep=1).removed == 2


def test_a_refusal_names_the_files_that_explain_it(bench: Bench) -> None:
    bench.floor, before = "9.1", bench.tree()
    bench.facts = tuple(
        ElfFacts(
            file=f"lib/{name}",
            machine="EM_X86_64",
            elf_type="ET_DYN",
            eabi=0,
            float_abi="unspecified",
            cpu_arch="",
            fp_arch="",
            simd="",
            vfp_args=False,
            soname=name,
            needed=(),
            rpath=(),
            glibc_max=glibc,
            glibcxx_max="",
            executable_stack=False,
            neon_instructions=0,
        )
        for name, glibc in (("libnew.so", "9.1"), ("libold.so", "2.4"))
    )
    with pytest.raises(DeviceError, match="no bundle can run on peer"):
        bench.deploy(bench.store.bundle("c", files()))
    refused, reason = (note for note in bench.notes() if note.startswith(("BM303", "BM130")))
    assert "c cannot run on peer" in refused
    assert reason.startswith("BM130 c: lib/libnew.so: ")
    assert bench.tree() == before


def test_one_cell_unchanged_is_three_kilobytes_beside_logging_in(bench: Bench) -> None:
    bench.deploy(bench.store.bundle("c", files("lib/a")))
    direct = bench.target
    with Link(direct.port) as nothing:
        ssh.connect(replace(direct, port=nothing.port), timeout=30, known_hosts=None).close()
    with Link(direct.port) as link:
        bench.target = replace(direct, port=link.port)
        bench.deploy()
    assert link.up + link.down - nothing.up - nothing.down <= 3_000
