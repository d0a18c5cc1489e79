"""The virtual Pi, switched on for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import virtual
from buildmatrix.device import probe, unfit
from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.nouns import Target
from buildmatrix.ssh import connect
from buildmatrix.upstreams import debian_mirror
from buildmatrix.virtual import answer
from tests import boards
from tests.elf_factory import NEON, make
from tests.fakes import RecordingReporter
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import BoardAddress

pytestmark = pytest.mark.board

BOOT, RESET = "cat /proc/sys/kernel/random/boot_id", "echo b > /proc/sysrq-trigger"
BOOKWORM = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "2.36")
# perf_event_open(2) by number (arm: 364): user-mode instructions of a child and its children.
COUNT = r"""
exec env -i perl -e '
my $attr = pack("LLQQQQQLLQ", 0, 64, 1, 0, 0, 0, 1 | 2 | 32 | 64 | 4096, 0, 0, 0);
my $fd = syscall(364, $attr, 0, -1, -1, 0);
die "perf_event_open: $!" if $fd < 0;
if (!fork) { exec "/usr/bin/gzip", "-c", "/usr/bin/bash" }
wait;
open(my $counter, "<&=", $fd) or die;
sysread($counter, my $bytes, 8) == 8 or die "read: $!";
print STDERR unpack("Q", $bytes)' >/dev/null
"""


@pytest.fixture
def spare() -> Iterator[str]:
    """Name of a board that a test may ruin."""
    yield "spare"
    boards.remove("spare")


def pid_of(target: BoardAddress) -> int:
    return int(Path(target.identity_file).with_name("pid").read_text())


def test_it_is_a_pi3_that_admits_to_be_emulated(board: BoardAddress) -> None:
    with connect(board, timeout=30, known_hosts=None) as ssh:
        info = probe(ssh, board.name)
    assert info.model == "Raspberry Pi 3 Model B Rev 1.2"
    assert (info.elf_machine, info.cores, info.cpu_parts) == ("EM_ARM", 4, ("0xd03",))
    assert info.features >= {"neon", "vfpv4", "crc32"}
    assert 900_000 < info.memory_kib < 1 << 20
    assert info.libc == "2.36"
    assert "dummy-virt" in info.emulated
    assert unfit(info, BOOKWORM, needs_kib=100_000) == ()
    assert "BM304" in {f.code for f in unfit(info, BOOKWORM, needs_kib=1 << 30)}


def test_up_again_returns_the_running_board(board: BoardAddress) -> None:
    before = pid_of(board)
    assert boards.boot("shared") == board
    assert pid_of(board) == before
    with pytest.raises(DeviceError, match="is a pi3, not a pi3-counted"):
        boards.boot("shared", "pi3-counted")


def test_the_bundle_must_bring_libstdcxx(board: BoardAddress) -> None:
    with connect(board, timeout=30, known_hosts=None) as ssh:
        found = ssh.run(
            "find / -xdev -name 'libstdc++.so*' -o -xdev -name 'libgomp.so*'", timeout=60
        )
    assert found.stdout == b""


@pytest.mark.nightly  # three commands that ask a board all it is
def test_an_audit_for_the_board_is_against_what_it_has(board: BoardAddress, tmp_path: Path) -> None:
    """Features, glibc and page size are those that the board says; its suite has no say."""
    needs = {"libc.so.6": ["GLIBC_2.36"]}
    (tmp_path / "fits.so").write_bytes(make(attributes=NEON, needed=["libc.so.6"], versions=needs))
    fits = cli.document("audit", "fits.so", "--host", board.name, cwd=tmp_path, state=boards.STATE)
    target = fits["target"]
    assert (target["name"], target["origin"]) == (board.name, "board")
    assert (target["glibc"], target["page_size"]) == ("2.36", 4096)
    assert {"neon", "crc32", "vfpv4"} <= set(target["cpu_features"])
    needs = {"libc.so.6": ["GLIBC_2.38"]}
    (tmp_path / "new.so").write_bytes(make(attributes=NEON, needed=["libc.so.6"], versions=needs))
    new = cli.document(
        "audit", "new.so", "--host", board.name, cwd=tmp_path, state=boards.STATE, code=5
    )
    assert [finding["code"] for finding in new["findings"]] == ["BM130"]


def test_a_power_cut_and_the_morning_after(spare: str) -> None:
    """The command ends in LinkLost; the next `up` finds what was synced, at the same address."""
    target = boards.boot(spare)
    with connect(target, timeout=30, known_hosts=None) as ssh:
        assert ssh.run("echo kept > kept; sync", timeout=30).status == 0
        began = time.monotonic()
        cut = threading.Timer(1.0, os.kill, (pid_of(target), signal.SIGKILL))
        cut.start()
        with pytest.raises(LinkLost):
            ssh.run("sleep 600", timeout=300)
        assert time.monotonic() - began < 60, "long before the command would have ended"
    (dead,) = (b for b in virtual.boards(boards.STATE) if b.address == target)
    assert not dead.running
    assert boards.boot(spare) == target
    with connect(target, timeout=30, known_hosts=None) as ssh:
        assert ssh.run("cat kept", timeout=30).stdout == b"kept\n"


def test_a_board_that_goes_off_as_up_looks_at_it_boots(
    spare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has closed its lines, and its process is still there."""
    target = boards.boot(spare)
    before, look = pid_of(target), answer.await_told

    def ended_first(directory: Path, board: BoardAddress, deadline: float) -> None:
        os.kill(before, signal.SIGTERM)
        look(directory, board, deadline)

    monkeypatch.setattr(answer, "await_told", ended_first)
    assert boards.boot(spare) == target
    assert pid_of(target) != before


def test_up_finds_a_board_that_is_rebooting(spare: str) -> None:
    """As often as it does: what its serial line is told meanwhile is lost, and so is the line."""
    target = boards.boot(spare)
    console = Path(target.identity_file).with_name("console.log")
    for times in (1, 2):
        with connect(replace(target, user="root"), timeout=30, known_hosts=None) as ssh:
            before = ssh.run(f"{BOOT}; (sleep 1; {RESET}) > /dev/null 2>&1 &", timeout=30).stdout
        until(console, times)
        assert boards.boot(spare) == target
        with connect(target, timeout=60, known_hosts=None) as ssh:
            assert ssh.run(BOOT, timeout=30).stdout != before


def until(console: Path, resets: int) -> None:
    end = time.monotonic() + 60
    while console.read_text().count("Resetting") != resets:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_down_leaves_nothing(spare: str) -> None:
    target = boards.boot(spare)
    pid, name = pid_of(target), target.name
    assert boards.remove(spare)
    assert not qemu_runs(pid)
    assert [*(boards.STATE / "virtual" / "boards").glob(f"*{name}*")] == []  # no lock either
    assert not boards.remove(spare)


def test_a_board_that_does_not_answer_in_time_is_switched_off(spare: str) -> None:
    reporter = RecordingReporter()
    with pytest.raises(DeviceError, match="did not answer in time"):
        virtual.up(
            boards.STATE,
            name=boards.own(spare),
            kind="pi3",
            mirror=debian_mirror(),
            reporter=reporter,
            timeout=0.2,
        )
    (board,) = (b for b in virtual.boards(boards.STATE) if b.address.name == boards.own(spare))
    assert not board.running


def test_ctrl_c_while_it_boots_leaves_no_process(spare: str) -> None:
    boards.boot(spare)  # so that nothing is to be made below
    boards.remove(spare)
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # nohup's
        "from pathlib import Path; from buildmatrix import virtual; from tests import fakes\n"
        f"virtual.up(Path({str(boards.STATE)!r}), name={boards.own(spare)!r}, kind='pi3',"
        " mirror='', reporter=fakes.RecordingReporter())"
    )
    root = Path(__file__).parent.parent.parent
    pidfile = boards.STATE.absolute() / "virtual" / "boards" / boards.own(spare) / "pid"
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stderr=subprocess.PIPE) as up:
        until = time.monotonic() + 120
        while not (pidfile.exists() and pidfile.read_text()) and time.monotonic() < until:
            time.sleep(0.01)
        pid = int(pidfile.read_text())
        up.send_signal(signal.SIGINT)
        _, err = up.communicate(timeout=120)
    assert b"KeyboardInterrupt" in err
    assert not qemu_runs(pid)


def test_the_counted_board_counts_the_same_each_time(spare: str) -> None:
    target = boards.boot(spare, "pi3-counted")
    with connect(target, timeout=30, known_hosts=None) as ssh:
        assert probe(ssh, "counted").cores == 1
        runs = [ssh.run(COUNT, timeout=60) for _ in range(3)]
    counts = [int(run.stderr) for run in runs]
    assert counts[0] > 10_000_000
    assert counts == [counts[0]] * 3


def qemu_runs(pid: int) -> bool:
    """A zombie, which nobody may collect in a container, has no command line."""
    cmdline = Path("/proc", str(pid), "cmdline")
    return cmdline.exists() and b"qemu" in cmdline.read_bytes()
