"""Each kind of virtual board, switched on for real: what it is, and what its boards share."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import virtual
from buildmatrix.device import probe, unfit
from buildmatrix.errors import DeviceError, LinkLost
from buildmatrix.nouns import Target
from buildmatrix.ssh import connect
from tests import binfmt, boards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import BoardAddress
    from buildmatrix.protocols import CommandResult

pytestmark = pytest.mark.board

ROOT = Path(__file__).parent.parent.parent
BOOKWORM = Target("arm-linux-gnueabihf", "EM_ARM", "armv7-a", "neon-vfpv4", "hard", "2.36")
NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Looks:
    """What people see who log in on a board of a kind."""

    model: str
    machine: str  # uname -m
    elf: str
    part: str
    cores: int
    mib: int
    has: set[str]
    lacks: set[str]


PI3 = Looks(
    model="Raspberry Pi 3 Model B Rev 1.2",
    machine="armv8l",
    elf="EM_ARM",
    part="0xd03",
    cores=4,
    mib=1024,
    has={"neon", "vfpv4", "crc32"},
    lacks={"asimd", "asimddp"},
)
LOOKS = {
    "pi3-64": replace(PI3, machine="aarch64", has={"asimd"}, lacks={"neon", "asimddp"}),
    "pi3-busybox": PI3,
    "pi2": replace(
        PI3,
        model="Raspberry Pi 2 Model B Rev 1.1",
        machine="armv7l",
        part="0xc07",
        cores=2,
        has={"neon", "vfpv4"},
        lacks={"crc32"},
    ),
    "pi4-64": Looks(
        model="Raspberry Pi 4 Model B Rev 1.4",
        machine="aarch64",
        elf="EM_AARCH64",
        part="0xd08",
        cores=4,
        mib=2048,
        has={"asimd"},
        lacks={"neon", "asimddp"},
    ),
}


@pytest.fixture(scope="module")
def kinds() -> Iterator[dict[str, BoardAddress]]:
    """All of them at once, in one state folder."""
    with ThreadPoolExecutor(2) as pool:
        started = {kind: pool.submit(boards.boot, kind, kind) for kind in LOOKS}
        try:
            yield {kind: future.result() for kind, future in started.items()}
        finally:
            for kind in LOOKS:
                boards.remove(kind)


@pytest.fixture
def spare() -> Iterator[str]:
    """Name of a board that a test may ruin."""
    yield "odd"
    boards.remove("odd")


def run(target: BoardAddress, script: str, *stdin: bytes) -> CommandResult:
    with connect(target, timeout=30, known_hosts=None) as ssh:
        return ssh.run(script, timeout=60, stdin=stdin or None)


def as_root(target: BoardAddress) -> BoardAddress:
    return replace(target, user="root")


@pytest.mark.parametrize("kind", LOOKS)
def test_a_kind_is_what_it_says(kinds: dict[str, BoardAddress], kind: str) -> None:
    with connect(kinds[kind], timeout=30, known_hosts=None) as ssh:
        info = probe(ssh, kind)
    looks = LOOKS[kind]
    assert (info.model, info.machine, info.elf_machine) == (looks.model, looks.machine, looks.elf)
    assert (info.cpu_parts, info.cores) == ((looks.part,), looks.cores)
    assert 0.9 < info.memory_kib / 1024 / looks.mib < 1
    assert info.features >= looks.has
    assert not info.features & looks.lacks
    assert info.libc == "2.36"
    assert "dummy-virt" in info.emulated
    codes = {finding.code for finding in unfit(info, BOOKWORM, needs_kib=100_000)}
    assert codes - {"BM308"} == ({"BM301"} if looks.elf == "EM_AARCH64" else set())


def test_several_boards_at_once_each_with_its_own_key(kinds: dict[str, BoardAddress]) -> None:
    assert len({target.port for target in kinds.values()}) == len(kinds)
    assert len({run(target, "cat .ssh/authorized_keys").stdout for target in kinds.values()}) == 4
    stranger = replace(kinds["pi3-64"], identity_file=kinds["pi2"].identity_file)
    with pytest.raises(DeviceError):
        connect(stranger, timeout=30, known_hosts=None)


def program(*code: int) -> bytes:
    """A static ARM program: the instructions, then exit(0)."""
    text = struct.pack(f"<{len(code) + 3}I", *code, 0xE3A00000, 0xE3A07001, 0xEF000000)
    base, head = 0x10000, 52 + 32
    ident = b"\x7fELF\1\1\1".ljust(16, b"\0")
    fields = (2, 40, 1, base + head, 52, 0, 0x5000400, 52, 32, 1, 0, 0, 0)
    size = head + len(text)
    segment = struct.pack("<8I", 1, 0, base, base, size, size, 5, 0x1000)
    return ident + struct.pack("<HHIIIIIHHHHHH", *fields) + segment + text


@pytest.mark.parametrize(
    "code",
    [pytest.param(0xE19D0C9F, id="lda r0, [sp]"), pytest.param(0xE1000040, id="crc32b r0, r0, r0")],
)
def test_code_for_the_pi3_dies_on_a_pi2(
    board: BoardAddress, kinds: dict[str, BoardAddress], code: int
) -> None:
    script = "cat >p && chmod +x p && exec ./p"
    assert run(board, script, program(code)).status == 0
    assert run(kinds["pi2"], script, program()).status == 0
    assert run(kinds["pi2"], script, program(code)).status == -1
    assert run(kinds["pi2"], "./p; echo $?").stdout == b"132\n"  # SIGILL


def test_on_the_busybox_board_every_tool_is_an_applet(kinds: dict[str, BoardAddress]) -> None:
    target = kinds["pi3-busybox"]
    assert run(target, "echo $PATH").stdout == b"/usr/local/bin:/usr/bin:/bin:/usr/games\n"
    folders = ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"]  # and no others
    listed = run(target, f"ls -l {' '.join(folders)}; ls -d /usr/local /usr/games").stdout.decode()
    tools = [line for line in listed.splitlines() if not line.startswith(("/", "total"))]
    others = [line for line in tools if line and not line.endswith(" -> /usr/bin/busybox")]
    assert len(tools) > 400
    assert [line.split()[-1] for line in others] == ["busybox", "busybox"]
    absent = "bash perl getconf ldd dpkg-query sftp-server scp zstd rsync python3"
    assert run(target, f"for tool in {absent}; do command -v $tool; done; true").stdout == b""
    packed = run(target, "echo hello >h && tar -cf - h | gzip | gzip -d | tar -xOf - | sha256sum")
    assert packed.stdout.split()[0] == (
        b"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    )


def test_a_board_goes_on_from_a_snapshot_and_knows_the_time(
    kinds: dict[str, BoardAddress],
) -> None:
    """The kernel's first messages are missing; a clock that stopped is set by the next `up`."""
    target = kinds["pi3-64"]
    console = Path(target.identity_file).with_name("console.log").read_text()
    assert "board: ready" in console
    assert "board: up" not in console
    for wrong in ("", "date -s @1000000000;"):
        said = run(as_root(target), f"{wrong} date +%s").stdout.split()[-1]
        assert (abs(time.time() - int(said)) < 60) == (not wrong)
    assert boards.boot("pi3-64", "pi3-64") == target
    assert abs(time.time() - int(run(target, "date +%s").stdout)) < 60


def test_a_damaged_snapshot_is_replaced(spare: str) -> None:
    """The board boots instead, and the next one finds a new snapshot."""
    target = boards.boot(spare, "pi3-64")
    (used,) = (b.uses for b in virtual.boards(boards.STATE) if b.address == target)
    boards.remove(spare)
    (kept,) = (boards.STATE / "virtual" / used[0]).glob("pi3-64-*/run.qcow2")
    subprocess.run(["qemu-img", "snapshot", "-d", "ready", kept], check=True)
    log = Path(boards.boot(spare, "pi3-64").identity_file).with_name("console.log")
    assert "board: up" in log.read_text()
    assert not kept.exists()
    boards.remove(spare)
    boards.boot(spare, "pi3-64")
    assert "board: up" not in log.read_text()
    assert kept.exists()


def test_a_reboot_loses_what_was_not_synced_and_keeps_the_key(spare: str) -> None:
    target = boards.boot(spare)
    with connect(as_root(target), timeout=30, known_hosts=None) as ssh:
        ssh.run("echo kept >/home/pi/kept; sync; echo lost >/home/pi/lost", timeout=30)
        with pytest.raises(LinkLost):
            ssh.run("echo b >/proc/sysrq-trigger; sleep 60", timeout=15)
    until = time.monotonic() + 300
    while True:
        try:
            with connect(target, timeout=30, known_hosts=None) as ssh:
                said = ssh.run("cat kept; cat lost 2>/dev/null; true", timeout=30)
            assert said.stdout == b"kept\n"
            return
        except LinkLost:
            assert time.monotonic() < until, "it does not come back"


def seconds(target: BoardAddress, script: str, *stdin: bytes) -> float:
    with connect(target, timeout=30, known_hosts=None) as ssh:
        ssh.run(":", timeout=30)
        began = time.monotonic()
        ssh.run(script, timeout=120, stdin=stdin or None)
        return time.monotonic() - began


@pytest.mark.alone
def test_a_link_is_as_slow_and_as_late_as_asked(spare: str) -> None:
    rate, block = 2e6 / 8, os.urandom(400_000)  # which nobody packs on the way
    up, down = "cat >/dev/null", f"head -c {len(block)} /dev/urandom"
    slow = boards.boot(spare, link="2mbit/0ms")
    took = {"up": seconds(slow, up, block), "down": seconds(slow, down)}
    for way, passed in took.items():
        assert 0.6 < len(block) / rate / passed < 1.1, way
    late = boards.boot(spare, link="100mbit/250ms")
    assert 1 <= seconds(late, ":") / 0.25 < 6  # round trips
    fast = boards.boot(spare)
    assert took["up"] > 2 * seconds(fast, up, block)
    assert took["down"] > 2 * seconds(fast, down)


def test_a_link_outlives_a_power_cut_and_goes_with_the_board(spare: str) -> None:
    target = boards.boot(spare, link="20mbit/20ms")
    assert boards.boot(spare, link="20mbit/20ms") == target
    folder = Path(target.identity_file).parent
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    while any(b.running for b in virtual.boards(boards.STATE) if b.address == target):
        time.sleep(0.05)
    assert boards.boot(spare, link="20mbit/20ms") == target
    boards.remove(spare)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((target.host, target.port))


arm_programs = binfmt.arm_programs


@pytest.mark.docker
def test_a_container_is_a_board_too(arm_programs: None, spare: str) -> None:
    target = boards.boot(spare, "container", "20mbit/20ms")
    with connect(target, timeout=30, known_hosts=None) as ssh:
        info = probe(ssh, spare)
        assert ssh.run("echo kept >kept", timeout=30).status == 0
        hog = ssh.run("head -c 1500M /dev/zero | tail", timeout=300)
    assert (info.machine, info.elf_machine, info.libc) == ("armv7l", "EM_ARM", "2.36")
    assert info.memory_kib == 1 << 20
    assert "QEMU" in info.emulated
    codes = {finding.code for finding in unfit(info, BOOKWORM, needs_kib=100_000)}
    assert codes <= {"BM308"}
    assert hog.status == 137, "more than 1 GB is there"
    ours = ["docker", "ps", "--all", "--quiet", "--filter", f"name={boards.own(spare)}"]
    subprocess.run(["docker", "kill", subprocess.check_output(ours).split()[0]], check=True)
    assert [b.running for b in virtual.boards(boards.STATE) if b.address == target] == [False]
    assert boards.boot(spare, "container", "20mbit/20ms") == target
    assert run(target, "cat kept").stdout == b"kept\n"
    assert boards.remove(spare)
    assert subprocess.check_output(ours) == b""


NO_ROOT = """
import os, sys
from pathlib import Path
from buildmatrix import virtual
from tests.fakes import RecordingReporter
state, user = Path(sys.argv[1]), int(sys.argv[2])
if os.getuid() == 0:  # after the imports: the interpreter may be root's alone
    os.setgroups([]); os.setgid(user); os.setuid(user)
target = virtual.up(state, name="mine", kind="pi3", mirror="", reporter=RecordingReporter())
pid = Path(target.identity_file).with_name("pid").read_text().strip()
print(Path("/proc", pid).stat().st_uid, virtual.down(state, name="mine"))
"""


def test_no_root_is_needed(board: BoardAddress) -> None:
    """With a copy of the image; making the image needs no root either, but a mirror and 10 s."""
    (used,) = (b.uses for b in virtual.boards(boards.STATE) if b.address == board)
    user = os.getuid() or NOBODY
    with tempfile.TemporaryDirectory() as name:
        shelf = Path(name) / "virtual"
        for part in used:
            (shelf / part).mkdir(parents=True)
            files = [p for p in (boards.STATE / "virtual" / part).iterdir() if p.is_file()]
            subprocess.run(["cp", "--sparse=always", *files, shelf / part], check=True)
        subprocess.run(["chown", "-R", str(user), name], check=True)
        done = subprocess.run(
            [sys.executable, "-c", NO_ROOT, name, str(user)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": name},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert (done.stdout, done.stderr) == (f"{user} True\n", "")
