"""The board's scripts under the shells that boards have as /bin/sh, and under shellcheck."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from buildmatrix import bench, deploy, device
from buildmatrix.agent import PREFIX, source
from buildmatrix.bench.journal import parse
from buildmatrix.errors import DeviceError
from tests.contract import bench_board
from tests.contract.bench_board import Board, collect, only
from tests.contract.deploy_board import Memory, complete, files, put

OTHERS = ["dash", "bash", "mksh", "yash", "ksh93"]
SCRIPTS = sorted(
    str(path)
    for path in (resources.files("buildmatrix") / "agent").iterdir()
    if str(path).endswith(".sh")
)


@pytest.fixture(params=OTHERS)
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    """A board whose `sh` is that shell."""
    board = Board(tmp_path)
    program = shutil.which(request.param)
    assert program, f"{request.param} is not installed; scripts/test installs it"
    (board.tools / "sh").symlink_to(program)
    return board


def test_a_bundle_goes_there_back_and_away(board: Board) -> None:
    store = Memory()
    first, second = (store.bundle("c", files("lib/a", version=v)) for v in (1, 2))
    put(board, store, first)
    put(board, store, second)
    assert deploy.rollback(board, "c") == first.digest
    assert complete(board.home, first)
    assert deploy.prune(board, keep=1) == 1
    assert device.probe(board, "peer").cores > 0


@pytest.mark.parametrize("files_at_once", [5, 10, 12, 16])
def test_few_open_files_are_told_by_whatever_shell(board: Board, files_at_once: int) -> None:
    """mksh ends with words of its own, ksh93 by a signal."""
    shell = (board.tools / "sh").readlink()
    (board.tools / "sh").unlink()
    board.tool("sh", f'ulimit -n {files_at_once}; exec {shell} "$@"')
    with pytest.raises(DeviceError) as caught:
        device.probe(board, "peer")
    assert "`ulimit -" in caught.value.hint


def test_beats_do_not_end_a_wait_and_a_kill_is_out_of_memory(board: Board) -> None:
    """yash says 394 for a wait that SIGUSR1 ended, and 393 for a program that was killed."""
    bench_board.bundle(board.home, "one", '[ "$batch" = 1 ] && sleep 2.5 || kill -KILL $$')
    bench.start(board, only("one", batches=(1, 2)))
    blocks = parse(collect(board).journal).blocks
    ends = {block.batch: block.exit for block in blocks if not block.sentinel}
    assert ends == {1: 0, 2: 137}
    assert all(block.seconds >= 2 for block in blocks if block.batch == 1)


def test_busybox_from_1_38_on_is_not_interrupted_by_a_signal(tmp_path: Path) -> None:
    """Debian 12 has none: a shell that says so of itself. A program inherits what it ignores."""
    board = Board(tmp_path)
    name = "BusyBox v1.38.0 (Debian 1:1.38.0-3+b1) multi-call binary."
    board.tool("sh", f'[ "$1" != --help ] || {{ echo "{name}"; exit 0; }}; exec /bin/sh "$@"')
    bench_board.bundle(board.home, "one", 'grep SigIgn /proc/self/status >> "$HOME/ignored"')
    bench.start(board, only("one", batches=(1,)))
    assert {block.exit for block in parse(collect(board).journal).blocks} == {0}
    ignored = {int(line.split()[1], 16) for line in (tmp_path / "ignored").read_text().splitlines()}
    assert ignored
    assert all(one >> 9 & 1 for one in ignored), "SIGUSR1"


def test_what_is_an_applet_of_the_shell_alone_starts_the_agent(tmp_path: Path) -> None:
    """busybox' own `command -v setsid` says yes; coreutils' nohup then found no such program."""
    board = Board(tmp_path, "busybox")
    (tmp_path / "applets/setsid").unlink()
    board.tool("nohup", 'exec /usr/bin/nohup "$@"')
    bench_board.bundle(board.home, "one")
    bench.start(board, only("one", batches=(1,)))
    ends = [block.exit for block in parse(collect(board).journal).blocks]
    assert ends
    assert set(ends) == {0}


@pytest.mark.parametrize(
    ("memory", "batch", "needs"),
    [
        ("a 1 100000\na 2 700000\n", 8000, 700000 + 600000 * 7998),
        ("a 1 100000\na 3 100001\n", 11, 100005),
        ("a 1 100000\na 2 90000\n", 8000, None),
    ],
)
def test_what_cannot_fit_is_foreseen_by_a_shell_of_32_bits(
    board: Board, memory: str, batch: int, needs: int | None
) -> None:
    folder = board.home / PREFIX
    folder.mkdir(exist_ok=True)
    (folder / "memory").write_text(memory)
    line = f'available() {{ echo 100004; }}; fits a {batch} || echo "{{$why}}"'
    script = f"cd {PREFIX} && {{\n{source('owner', 'memory')}\n{line}\n}}"
    result = board.run(script, timeout=60)
    assert result.stderr == b""
    told = json.loads(result.stdout)["needs_kib"] if result.stdout else None
    assert told == needs or (told == 2**31 - 1 and needs is not None and needs > told), "mksh"


def test_a_date_that_jumps_is_told_and_durations_stay(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.tool(
        "date",
        f'now=$(/bin/date +%s); [ ! -e {tmp_path}/jump ] || now=$((now - 312589904)); echo "$now"',
    )
    bench_board.bundle(board.home, "one", f"touch {tmp_path}/jump")
    bench.start(board, only("one", batches=(1,)))
    journal = parse(collect(board).journal)
    assert all(0 <= block.seconds < 60 for block in journal.blocks)
    (event,) = (event for event in journal.events if event["event"] == "clock")
    assert -312589910 < event["seconds"] < -312589900


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: Path(path).name)
def test_shellcheck_finds_nothing(script: str) -> None:
    """Not what it cannot know of one file of several: variables that another sets or uses."""
    across = "SC2034,SC2154,SC1090,SC1091,SC2015"
    done = subprocess.run(
        ["shellcheck", "-s", "sh", "-e", across, script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


@pytest.mark.parametrize("shell", OTHERS)
def test_no_function_has_a_name_that_the_shell_takes_first(shell: str) -> None:
    """mksh begins with aliases, of which hash is one; a function of that name is never called."""
    names = {
        name for path in SCRIPTS for name in re.findall(r"(?m)^(\w+)\(\)", Path(path).read_text())
    }
    told = subprocess.run([shell, "-c", "alias"], capture_output=True, text=True, check=True)
    taken = {line.removeprefix("alias ").split("=")[0] for line in told.stdout.splitlines()}
    assert {"object", "receive"} <= names
    assert not names & taken
