"""The parts of the virtual board that need no QEMU."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import virtual
from buildmatrix.errors import DeviceError, UsageError
from buildmatrix.nouns import BoardAddress
from buildmatrix.virtual import answer, cache, host, link, machine
from buildmatrix.virtual.initrd import load_order
from buildmatrix.virtual.rootfs import fingerprint
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

DEPENDENCIES = """\
kernel/net/virtio_net.ko: kernel/net/failover.ko kernel/core/virtio.ko
kernel/net/failover.ko:
kernel/core/virtio.ko:
kernel/fs/ext4.ko.xz: kernel/fs/jbd2.ko.xz kernel/lib/crc16.ko.xz
kernel/fs/jbd2.ko.xz:
kernel/lib/crc16.ko.xz:
kernel/crypto/crc32c-generic.ko:
kernel/crypto/crct10dif-arm-ce.ko:
"""


def test_modules_load_after_what_they_need() -> None:
    softdeps = "# comment\nsoftdep ext4 pre: crc32c-generic crct10dif-arm-ce\n"
    order = load_order(DEPENDENCIES, softdeps, ("ext4", "virtio_net", "ext4", "not_in_this_kernel"))
    assert [path.rpartition("/")[2] for path in order] == [
        "crc32c-generic.ko",
        "crc16.ko.xz",
        "jbd2.ko.xz",
        "ext4.ko.xz",
        "virtio.ko",
        "failover.ko",
        "virtio_net.ko",
    ]


@pytest.mark.parametrize("columns", ["VM SIZE DATE VM CLOCK", "VM_SIZE DATE VM_CLOCK ICOUNT"])
def test_a_snapshot_is_kept_whatever_its_columns_are_called(tmp_path: Path, columns: str) -> None:
    """QEMU 7.2 writes the first, 10.0 the second."""
    heard: list[bytes] = []

    def monitor() -> None:
        peer, _ = listening.accept()
        with peer:
            peer.sendall(b"QEMU monitor - type 'help' for more information\r\n(qemu) ")
            heard.append(peer.recv(4096))
            peer.sendall(f"List of snapshots present on all disks:\r\nID TAG {columns}".encode())

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "monitor"))
        listening.listen()
        answering = threading.Thread(target=monitor)
        answering.start()
        machine.snapshot(tmp_path)
        answering.join()
    assert heard == [b"savevm ready\ninfo snapshots\n"]


def test_a_fingerprint_is_openssh_s(tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    shown = subprocess.check_output(["ssh-keygen", "-lf", f"{key}.pub"], text=True)
    assert fingerprint(key.with_suffix(".pub")) == shown.split()[1]


def test_missing_programs_come_with_the_line_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="qemu-system-aarch64, ") as caught:
        up(tmp_path, kind="pi3")
    hint = caught.value.hint
    assert hint.startswith("apt-get install --no-install-recommends ")
    assert {"qemu-system-arm", "fakeroot", "device-tree-compiler"} <= set(hint.split())
    assert [*tmp_path.glob("virtual/boards/*")] == []


def test_a_failed_program_shows_its_last_words() -> None:
    with pytest.raises(DeviceError, match="sh failed with status 3") as caught:
        host.run(["sh", "-c", "echo why >&2; exit 3"])
    assert caught.value.details == "why"


def test_a_late_program_takes_its_children_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pytest.raises(DeviceError, match="did not end within"):
        host.run(["sh", "-c", f"sleep 60 & echo $! > '{child}'; wait"], timeout=0.5)
    until = time.monotonic() + 5
    while running(int(child.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running(int(child.read_text()))


def test_down_spares_a_stranger_with_the_recorded_number(tmp_path: Path) -> None:
    """The board died long ago, and its process number belongs to another program now."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        directory = tmp_path / "virtual" / "boards" / "pi"
        directory.mkdir(parents=True)
        (directory / "pid").write_text(f"{stranger.pid}\n")
        assert virtual.down(tmp_path, name="pi")
        assert stranger.poll() is None
        stranger.terminate()
    assert not directory.exists()
    assert not virtual.down(tmp_path, name="pi")


def test_no_boards_yet(tmp_path: Path) -> None:
    assert virtual.boards(tmp_path) == ()


@pytest.mark.parametrize("name", ["", "../pi", "Pi", "-rf", "a/b", "pi 3"])
def test_a_name_stays_inside_the_state_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a board's name"):
        virtual.down(tmp_path, name=name)
    assert [*tmp_path.iterdir()] == []


def test_an_unknown_kind_says_what_each_is_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no kind of virtual board is called 'pi9'") as caught:
        up(tmp_path, kind="pi9")
    said = caught.value.details.splitlines()
    assert len(said) == len(virtual.KINDS)
    for line, kind in zip(said, virtual.KINDS.values(), strict=True):
        assert line == f"  {kind.name}: {kind.summary}"
        assert len(line) <= 100


@pytest.mark.parametrize("kind", virtual.KINDS)
def test_every_kind_is_booted_by_a_test(kind: str) -> None:
    files = (Path(__file__).parents[1] / "integration").glob("test_*.py")
    assert any(f'"{kind}"' in file.read_text() for file in files)


@pytest.mark.parametrize("wrong", ["fast", "20mbit", "20 mbit/20ms", "0mbit/1ms", "20mbit/-1ms"])
def test_a_link_is_rate_and_round_trip(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match="is no link") as caught:
        up(tmp_path, kind="pi3", link=wrong)
    example = caught.value.hint.split()[-1]
    assert example == "20mbit/20ms"
    assert link.parse(example) == link.Link(rate=2_500_000, round_trip=0.02)


@pytest.fixture
def far(tmp_path: Path) -> Iterator[int]:
    """The port of a relay, 80 kB/s and 100 ms, to a server that echoes what it got at the end."""

    def echo(near: socket.socket) -> None:
        with near, near.makefile("rb") as received:
            near.sendall(received.read())

    def serve() -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                threading.Thread(target=echo, args=[listener.accept()[0]]).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        yield link.lay(tmp_path, link.Link(80_000, 0.1), listener.getsockname()[1])
        link.cut(tmp_path)
        listener.shutdown(socket.SHUT_RDWR)
    server.join()


def through(port: int, sent: bytes) -> tuple[bytes, float]:
    """What came back, and after how many seconds."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as near, near.makefile("rb") as received:
        near.sendall(sent)
        near.shutdown(socket.SHUT_WR)
        return received.read(), time.monotonic() - began


def test_a_relay_is_as_slow_and_as_late_as_its_link(far: int) -> None:
    small = through(far, b"?")
    assert small[0] == b"?"
    assert 1.9 < small[1] / 0.1 < 10  # one round trip for the handshake, one for the byte
    block = bytes(range(256)) * 160
    back, took = through(far, block)
    assert back == block
    assert 0.9 < (took - 0.2) / (2 * len(block) / 80_000) < 3  # there, then back


@pytest.mark.slow
def test_connections_share_the_link(far: int) -> None:
    block = bytes(20_000)
    with ThreadPoolExecutor(3) as pool:
        alone = through(far, block)
        shared = [*pool.map(through, [far] * 3, [block] * 3)]
    assert [back for back, _ in [alone, *shared]] == [block] * 4
    assert max(took for _, took in shared) > 1.5 * alone[1]


def test_a_cut_link_is_gone(tmp_path: Path, far: int) -> None:
    assert link.laid(tmp_path)
    link.cut(tmp_path)
    assert not link.laid(tmp_path)
    with pytest.raises(ConnectionRefusedError):
        through(far, b"?")


OLD, NEW = "root-armhf-0000000000000000", "root-armhf-1111111111111111"


def made(shelf: Path, name: str, *used: str) -> AbstractContextManager[Path]:
    def build(scratch: Path, out: Path) -> None:
        (scratch / "thrown away").touch()
        (out / "disk.img").touch()

    reporter = RecordingReporter()
    return cache.made(shelf / name, build, title="", used=lambda: {*used}, reporter=reporter)


@pytest.mark.parametrize("kept", ["no board", "a board", "another up"])
def test_a_superseded_image_goes_when_nobody_needs_it(tmp_path: Path, kept: str) -> None:
    stranger = tmp_path / "root-armhf-64-2222222222222222"  # of another stem
    stranger.mkdir()
    with contextlib.ExitStack() as another:
        old = another.enter_context(made(tmp_path, OLD))
        if kept != "another up":
            another.close()
        with made(tmp_path, NEW, *([OLD] if kept == "a board" else [])) as new:
            assert [path.name for path in new.iterdir()] == ["disk.img"]
    assert old.exists() == (kept != "no board")
    assert stranger.exists()
    assert [*tmp_path.glob("building*")] == []


def test_a_killed_build_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / f"building.{OLD.rpartition('-')[0]}.x").mkdir()
    with made(tmp_path, OLD) as directory:
        assert (directory / "disk.img").exists()
    assert [*tmp_path.glob("building*")] == []


def test_a_lock_that_its_holder_removed_is_taken_anew(tmp_path: Path) -> None:
    """`down` removes the lock with the board; who waited for it must not hold a ghost."""
    lock, order = tmp_path / "lock", []

    def wait() -> None:
        with host.locked(lock):
            order.append("second")
            assert lock.exists()

    with host.locked(lock):
        second = threading.Thread(target=wait)
        second.start()
        time.sleep(0.2)
        order.append("first")
        lock.unlink()
    second.join()
    assert order == ["first", "second"]


def up(state: Path, *, kind: str, link: str = "") -> None:
    virtual.up(
        state, name="pi", kind=kind, link=link, mirror="file:/x", reporter=RecordingReporter()
    )


def running(pid: int) -> bool:
    """Not gone, and not a zombie that nobody collects."""
    stat = Path("/proc", str(pid), "stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_board_that_refuses_is_asked_with_the_same_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it starts that may be a hundred times; doubled each time, ssh took the limit for none
    and the board was never heard again."""
    asked: list[str] = []

    def refused(argv: tuple[str, ...], *, timeout: float) -> None:
        asked.extend(word for word in argv if word.startswith("ConnectTimeout"))
        if len(asked) < 100:
            raise DeviceError("connection refused")

    monkeypatch.setattr(host, "run", refused)
    monkeypatch.setattr(machine, "alive", lambda _: True)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    board = BoardAddress("b", "127.0.0.1", 1, host_key="SHA256:x")
    answer.await_answer(tmp_path, board, time.monotonic() + 60)
    assert asked == ["ConnectTimeout=5"] * 100
