"""What goes wrong in the middle of a benchmark, done to a virtual Pi on purpose.

Each ends with complete, correct data, or with a clear error after which nothing is lost. The
stacks are those of test_study, in the same state folder: nothing is built twice.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import ssh, virtual
from buildmatrix.errors import DeviceError
from tests.boards import STATE
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from buildmatrix.nouns import BoardAddress

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built]

ROOT = Path(__file__).parent.parent.parent
CELL = "caffe-openblas-0.3.34-neon"
BOARD = "faults"
BENCH = ["bench", "--host", BOARD, "--only", CELL, "--threads", "1", "--warmup", "0"]
SHORT = [*BENCH, "--batches", "1", "--passes", "2", "--rounds", "3"]
LINES = "grep -c . .buildmatrix/runs/current/journal.jsonl 2>/dev/null || true"


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    return cli.run(*arguments, cwd=ROOT, state=STATE, code=code)


def document(*arguments: str, code: int = 0) -> Any:
    return cli.document(*arguments, cwd=ROOT, state=STATE, code=code)


@pytest.fixture(scope="module")
def board() -> Iterator[BoardAddress]:
    document("build", "--only", CELL)
    run("device", "up", "--name", BOARD, "--kind", "pi3-counted")
    document("deploy", "--host", BOARD, "--only", CELL)
    yield target()
    run("device", "down", "--name", BOARD)


@pytest.fixture(autouse=True)
def _empty(board: BoardAddress) -> Iterator[None]:
    """Each test finds the board without a run, whatever the one before it did."""
    yield
    run("bench", "--host", BOARD, "--cancel")


def target() -> BoardAddress:
    return next(b.address for b in virtual.boards(STATE) if b.address.name == BOARD)


def on_board(script: str, *, user: str = "pi") -> str:
    """`root` is the back door that a real board does not have."""
    with ssh.connect(replace(target(), user=user), timeout=30, known_hosts=None) as connection:
        result = connection.run(script, timeout=120)
    assert result.status == 0, result.stderr.decode()
    return result.stdout.decode().strip()


def until_lines(count: int, process: Any = None) -> None:
    end = time.monotonic() + 120
    while int(on_board(LINES) or 0) < count:
        assert time.monotonic() < end, "no block is done"
        assert process is None or process.poll() is None, "it ended before the fault"


def complete(found: Any, *, blocks: int = 3) -> None:
    """One row, right, from all its blocks."""
    (row,) = found["rows"]
    assert (row["status"], row["blocks"]) == ("ok", blocks), row["void_reason"]
    assert len(row["samples_ns"]) == 2 * blocks
    assert row["max_rel_error"] < 1e-4
    counts = [b["instructions_per_image"] for b in found["blocks"] if not b["sentinel"]]
    assert max(counts) / min(counts) - 1 < 1e-3


def test_the_connection_is_cut_again_and_again(board: BoardAddress) -> None:
    with cli.start(*SHORT, "--collect", "--json", cwd=ROOT, state=STATE) as process:
        for count in (1, 3, 5):
            until_lines(count, process)
            on_board("pkill -KILL -u pi sshd || true", user="root")
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "trying again" in err
    complete(json.loads(out))


def test_the_board_freezes_and_wakes(board: BoardAddress) -> None:
    """The whole machine stands still, as in a brown-out; then it goes on."""
    qemu = int(Path(board.identity_file).with_name("pid").read_text())
    with cli.start(*SHORT, "--collect", "--json", cwd=ROOT, state=STATE) as process:
        until_lines(2, process)
        os.kill(qemu, signal.SIGSTOP)
        try:
            time.sleep(20)
        finally:
            os.kill(qemu, signal.SIGCONT)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    complete(json.loads(out))


def test_the_board_is_rebooted_in_the_middle(board: BoardAddress) -> None:
    run(*SHORT)
    until_lines(3)
    on_board("sync; (sleep 1; echo b > /proc/sysrq-trigger) > /dev/null 2>&1 &", user="root")
    time.sleep(5)
    run("device", "up", "--name", BOARD, "--kind", "pi3-counted")
    complete(document(*SHORT, "--collect"))


def test_the_disk_is_full(board: BoardAddress) -> None:
    run(*SHORT)
    until_lines(2)
    on_board(
        "fallocate -l $(($(df -Pk . | sed -n '2s/  */ /gp' | cut -d' ' -f4) - 1000))K filler; "
        "cat /dev/zero > rest 2>/dev/null; sync"
    )
    try:
        _, err = run(*SHORT, "--collect", code=7)
        assert "disk is full" in err
        assert "free space" in err
    finally:
        on_board("rm -f filler rest; sync")
    complete(document(*SHORT, "--collect"))


def test_the_host_key_changes_while_a_run_is_there(board: BoardAddress) -> None:
    run(*SHORT)
    keys = "/etc/ssh/ssh_host_ed25519_key"
    renew = f"ssh-keygen -q -t ed25519 -N '' -f {keys} < /dev/null; pkill -o sshd"
    on_board(f"mkdir /kept && mv {keys}* /kept/ && {{ {renew}; }}", user="root")
    try:
        until_offered(board, pinned=False)
        _, err = run(*SHORT, "--collect", code=6)
        assert "host key changed" in err
        assert "SHA256:" in err
    finally:  # the tests after this one have the same board
        with_new_key(board, "cp /kept/* /etc/ssh/; rm -r /kept; pkill -o sshd")
        until_offered(board, pinned=True)
    complete(document(*SHORT, "--collect"))


def until_offered(board: BoardAddress, *, pinned: bool) -> None:
    """Wait until the board's sshd is back, with the key that is pinned or with another one."""
    end = time.monotonic() + 120
    while True:
        try:
            _, offered = ssh.fingerprint(board.host, board.port, timeout=10)
        except DeviceError:
            offered = ""
        if offered and (offered == board.host_key) is pinned:
            return
        assert time.monotonic() < end, "sshd is not back"
        time.sleep(0.5)


def with_new_key(board: BoardAddress, script: str) -> None:
    _, offered = ssh.fingerprint(board.host, board.port, timeout=30)
    root = replace(board, user="root", host_key=offered)
    with ssh.connect(root, timeout=30, known_hosts=None) as connection:
        connection.run(script, timeout=60)


@pytest.fixture
def memory(board: BoardAddress) -> Iterator[Callable[[int], str]]:
    """Leaves the board this many KiB: a file in memory, never swapped out, takes the rest."""
    yield lambda left: on_board(
        "mount -o remount,size=95% /dev/shm; sync; echo 3 > /proc/sys/vm/drop_caches; "
        "free=$(sed -n 's/MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo); "
        f"fallocate -l $((free - {left}))K /dev/shm/hog",
        user="root",
    )
    on_board("rm -f /dev/shm/hog", user="root")


def test_out_of_memory_is_a_result(board: BoardAddress, memory: Callable[[int], str]) -> None:
    memory(60_000)
    asked = [*BENCH, "--batches", "1,64,128", "--passes", "1", "--rounds", "1", "--collect"]
    rows = {row["batch"]: row for row in document(*asked)["rows"]}
    assert {batch: row["status"] for batch, row in rows.items()} == {
        1: "ok",
        64: "oom",
        128: "skipped",
    }
    assert rows[64]["peak_rss_kib"] > 20_000
    assert "out of memory at a peak of" in rows[64]["void_reason"]
    assert "the largest batch that ran is 1" in rows[64]["void_reason"]
    assert "batch 64 ran out of memory" in rows[128]["void_reason"]
    table, _ = run("report", "--host", BOARD, "--only", CELL)
    assert "'-' is out of memory" in table


def test_what_will_not_fit_is_not_tried(board: BoardAddress, memory: Callable[[int], str]) -> None:
    """A line through two smaller batches tells what a larger one needs."""
    memory(80_000)
    asked = [*BENCH, "--batches", "1,32,128", "--passes", "1", "--rounds", "1", "--collect"]
    rows = {row["batch"]: row for row in document(*asked)["rows"]}
    assert [rows[batch]["status"] for batch in (1, 32, 128)] == ["ok", "ok", "skipped"]
    assert "by batches 1 and 32" in rows[128]["void_reason"]


def test_a_void_block_is_kept_and_taken_again(board: BoardAddress) -> None:
    """The firmware's word, by its own tool, as on a Pi: throttled in the beginning."""
    tool = "#!/bin/sh\\necho throttled=$(cat /tmp/throttled)\\n"
    on_board(
        f"printf '{tool}' > /usr/bin/vcgencmd; chmod 755 /usr/bin/vcgencmd; "
        "echo 0x4 > /tmp/throttled",
        user="root",
    )
    try:
        run(*SHORT)
        until_lines(3)
        on_board("echo 0x0 > /tmp/throttled", user="root")
        found = document(*SHORT, "--collect")
    finally:
        on_board("rm -f /usr/bin/vcgencmd /tmp/throttled", user="root")
    void = [b for b in found["blocks"] if b["status"] == "void" and not b["sentinel"]]
    assert void
    assert all("throttled" in b["void_reason"] and b["samples_ns"] for b in void)
    assert found["rows"][0]["void_blocks"] == len(void)
    complete({**found, "blocks": [b for b in found["blocks"] if b["status"] == "ok"]})


def test_without_rights_conditions_are_measured_and_stated(board: BoardAddress) -> None:
    run(*BENCH, "--batches", "1", "--passes", "1", "--rounds", "1", "--collect")
    told = document("report", "--host", BOARD, "--only", CELL)
    assert any("governor" in words for words in told["runs"][0]["notes"])
