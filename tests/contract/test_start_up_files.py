"""What a user's shell prints or does at its start: bash, through a real sshd and dropbear."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import bench, deploy, device
from buildmatrix.boards import fleet, reach
from buildmatrix.errors import DeviceError
from buildmatrix.ssh import connect, hearing
from tests.contract import bench_board
from tests.contract.bench_board import only
from tests.contract.deploy_board import Memory, files, put
from tests.contract.reached import reached
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from buildmatrix.nouns import BoardAddress
    from tests.contract.reached import Reached

__all__ = ["reached"]

NOISY = "echo 'Welcome to pi'; echo end; printf 'no line break'; echo oops >&2; set -x\n"


@pytest.fixture
def home(reached: Reached) -> Path:
    return reached.home


@pytest.fixture
def board(reached: Reached) -> BoardAddress:
    assert pwd.getpwuid(os.getuid()).pw_shell.endswith("bash"), "which reads ~/.bashrc for both"
    return reached.target


def test_a_greeting_and_a_trace_are_no_answer(board: BoardAddress, home: Path) -> None:
    (home / ".bashrc").write_text(NOISY)
    bench_board.bundle(home, "one")
    with connect(board, timeout=30, known_hosts=None) as connection:
        assert b"Welcome" in connection.run("echo it", timeout=30).stdout, "bash reads it"
        assert device.probe(connection, "pi").home == str(home)
        assert bench.state(connection).status == "none"
        assert bench.cancel(connection) == ""
        store = Memory()
        bundle = store.bundle("c", files("lib/a"))
        put(connection, store, bundle)
        assert deploy.active(connection) == {"c": bundle.digest}
        bench.start(connection, only("one"))
        bench.collect(connection, reporter=RecordingReporter(), deadline=300, poll=0.1)


def test_a_shell_that_ends_is_told_and_is_its_board_s_own_trouble(
    board: BoardAddress, home: Path, tmp_path: Path
) -> None:
    (home / ".bashrc").write_text("echo no guests; exit 0\n")
    with connect(board, timeout=30, known_hosts=None) as connection:
        with pytest.raises(DeviceError, match="ended with status 0 before it ran") as caught:
            bench.state(connection)
        assert "no guests" in caught.value.details
        assert "bashrc" in caught.value.hint
    (look,) = fleet.look([board], access=reach.Access(), state=tmp_path)
    assert look.state == "away"
    assert "before it ran the command" in look.detail


def test_a_read_that_takes_lines_of_ours_takes_none_that_counts(
    board: BoardAddress, home: Path
) -> None:
    (home / ".bashrc").write_text("read -r one; read -r another two\n")
    store = Memory()
    bundle = store.bundle("c", files("lib/a"))
    with connect(board, timeout=30, known_hosts=None) as connection:
        put(connection, store, bundle)
        assert deploy.active(connection) == {"c": bundle.digest}


@pytest.mark.parametrize(
    ("line", "brief", "hint"),
    [
        ("cat > /dev/null", "was read there by something else", "`cat`"),
        ("exec < /dev/null", "was read there by something else", "`exec <`"),
        ("export HOME=.", "HOME on the board is '.', and that is no absolute path", "SetEnv"),
        ("export HOME=-", "HOME on the board is '-', and that is no absolute path", "SetEnv"),
        ("unset HOME", "HOME on the board is '', and that is no absolute path", "SetEnv"),
        ("ulimit -n 12", "may open 12 files, and 32 are needed", "limits.conf"),
        ("ulimit -n 5", "may open too few files, and 32 are needed", "limits.conf"),
        ("set -r", "ended with status 1 before it ran the command", "`chsh -s /bin/sh`"),
        ("PATH=/nowhere", "ended with status 127 before it ran the command", "PATH"),
        ("ulimit -f 1", "was killed", "`ulimit -a`"),
    ],
)
def test_what_a_start_up_file_takes_away_is_told_with_what_to_look_for(
    board: BoardAddress, home: Path, line: str, brief: str, hint: str
) -> None:
    (home / ".bashrc").write_text(line + "\n")
    store = Memory()
    bundle = store.bundle("c", files("lib/a", size=100_000))
    with (
        connect(board, timeout=30, known_hosts=None) as connection,
        pytest.raises(DeviceError) as caught,
    ):
        put(connection, store, bundle)
    assert brief in caught.value.brief
    assert hint in caught.value.hint


def test_both_streams_in_one_and_the_options_of_others_are_no_trouble(
    board: BoardAddress, home: Path
) -> None:
    (home / ".bashrc").write_text("exec 2>&1; export TAR_OPTIONS=-v GZIP=-v\n")
    bench_board.bundle(home, "one")
    with connect(board, timeout=30, known_hosts=None) as connection:
        bench.start(connection, only("one"))
        assert bench.state(connection).run == "r1"
        bench.collect(connection, reporter=RecordingReporter(), deadline=300, poll=0.1)


@pytest.mark.parametrize("says", ["echo noise", ":"])
def test_a_job_that_goes_on_in_the_background_is_waited_for_a_moment(
    board: BoardAddress, home: Path, says: str
) -> None:
    """It holds the session open, whether it prints or not."""
    job = f"(for i in 1 2 3 4 5 6 7 8 9; do {says}; sleep 3; done) & echo $! > ~/job"
    (home / ".bashrc").write_text(job + "\n")
    store = Memory()
    bundle = store.bundle("c", files("lib/a"))
    with connect(board, timeout=30, known_hosts=None) as connection:
        assert device.probe(connection, "pi", timeout=15).home == str(home)
        assert Path(f"/proc/{(home / 'job').read_text().strip()}").exists(), "it is there still"
        put(connection, store, bundle)
        assert deploy.active(connection) == {"c": bundle.digest}


def test_a_board_that_prints_without_end_is_ended(
    board: BoardAddress, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "MOST", 4 << 20)
    (home / ".bashrc").write_text("yes\n")
    with (
        connect(board, timeout=30, known_hosts=None) as connection,
        pytest.raises(DeviceError, match="printed more than 4 MiB"),
    ):
        device.probe(connection, "pi", timeout=60)
