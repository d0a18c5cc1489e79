"""The parts of the virtual board that need no QEMU."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from buildmatrix import virtual
from buildmatrix.errors import DeviceError, UsageError
from buildmatrix.virtual import host
from buildmatrix.virtual.initrd import load_order
from buildmatrix.virtual.rootfs import fingerprint
from tests.fakes import RecordingReporter

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
        virtual.image(tmp_path, mirror="file:/nowhere", reporter=RecordingReporter())
    hint = caught.value.hint
    assert hint.startswith("apt-get install --no-install-recommends ")
    assert {"qemu-system-arm", "fakeroot", "device-tree-compiler"} <= set(hint.split())


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


def test_an_unknown_kind_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        virtual.up(tmp_path, name="pi", kind="pi9", mirror="file:/x", reporter=RecordingReporter())
    assert "pi3, pi3-counted" in caught.value.hint


def running(pid: int) -> bool:
    """Not gone, and not a zombie that nobody collects."""
    stat = Path("/proc", str(pid), "stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
