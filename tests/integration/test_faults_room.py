"""What goes wrong with room and conditions in the middle of a benchmark, on a virtual Pi.

Each ends with complete, correct data, or with a clear error after which nothing is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import rounds
from tests.integration.harmed import CELL, Harmed, complete, document, harmed, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.FIRST)]


@pytest.fixture(scope="module")
def board() -> Iterator[Harmed]:
    with harmed("faults-room") as there:
        yield there


@pytest.fixture(autouse=True)
def _empty(board: Harmed) -> Iterator[None]:
    """Each test finds the board without a run, whatever the one before it did."""
    yield
    run("bench", "--host", board.name, "--cancel")


def test_the_disk_is_full(board: Harmed) -> None:
    run(*board.short)
    board.until_lines(
        2,
        "fallocate -l $(($(df -Pk . | sed -n '2s/  */ /gp' | cut -d' ' -f4) - 1000))K filler; "
        "cat /dev/zero > rest 2>/dev/null; sync",
    )
    try:
        _, err = run(*board.short, "--collect", code=7)
        assert "disk is full" in err
        assert "free space" in err
    finally:
        board.does("rm -f filler rest; sync")
    complete(document(*board.short, "--collect"))


@pytest.fixture
def memory(board: Harmed) -> Iterator[Callable[[int], str]]:
    """Leaves the board this many KiB: a file in memory, never swapped out, takes the rest."""
    yield lambda left: board.does(
        "mount -o remount,size=95% /dev/shm; sync; echo 3 > /proc/sys/vm/drop_caches; "
        "free=$(sed -n 's/MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo); "
        f"fallocate -l $((free - {left}))K /dev/shm/hog",
        user="root",
    )
    board.does("rm -f /dev/shm/hog", user="root")


def ran(row: Mapping[str, Any]) -> bool:
    """Whether a block ended with a right answer on a board that is short of memory.

    Linux may drop the program's own pages there, and reading them again voids the block's time.
    """
    read_again = row["status"] == "void" and "major page faults" in row["void_reason"]
    return row["status"] == "ok" or read_again


def test_out_of_memory_is_a_result(board: Harmed, memory: Callable[[int], str]) -> None:
    """By far too large: for one a little too large Linux reads pages again for minutes first."""
    memory(60_000)
    asked = [*board.bench, "--batches", "1,512,1024", "--passes", "1", "--rounds", "1", "--collect"]
    rows = {row["batch"]: row for row in document(*asked)["rows"]}
    assert ran(rows[1])
    assert [rows[batch]["status"] for batch in (512, 1024)] == ["oom", "skipped"]
    assert rows[512]["peak_rss_kib"] > 20_000
    assert "out of memory at a peak of" in rows[512]["void_reason"]
    assert "the largest batch that ran is 1" in rows[512]["void_reason"]
    assert "batch 512 ran out of memory" in rows[1024]["void_reason"]
    table, _ = run("report", "--host", board.name, "--only", CELL)
    assert "'-' is out of memory" in table


@pytest.mark.nightly
def test_what_will_not_fit_is_not_tried(board: Harmed, memory: Callable[[int], str]) -> None:
    """A line through two smaller batches tells what a larger one needs."""
    memory(80_000)
    asked = [*board.bench, "--batches", "1,32,128", "--passes", "1", "--rounds", "1", "--collect"]
    rows = {row["batch"]: row for row in document(*asked)["rows"]}
    assert ran(rows[1])
    assert ran(rows[32])
    assert rows[128]["status"] == "skipped"
    assert "by batches 1 and 32" in rows[128]["void_reason"]


@pytest.mark.nightly
def test_a_void_block_is_kept_and_taken_again(board: Harmed) -> None:
    """The firmware's word, by its own tool, as on a Pi: throttled in the beginning."""
    tool = "#!/bin/sh\\necho throttled=$(cat /tmp/throttled)\\n"
    board.does(
        f"printf '{tool}' > /usr/bin/vcgencmd; chmod 755 /usr/bin/vcgencmd; "
        "echo 0x4 > /tmp/throttled",
        user="root",
    )
    try:
        run(*board.short)
        board.until_lines(3, "echo 0x0 > /tmp/throttled", user="root")
        found = document(*board.short, "--collect")
    finally:
        board.does("rm -f /usr/bin/vcgencmd /tmp/throttled", user="root")
    void = [b for b in found["blocks"] if b["status"] == "void" and not b["sentinel"]]
    assert void
    assert all("throttled" in b["void_reason"] and b["samples_ns"] for b in void)
    assert found["rows"][0]["void_blocks"] == len(void)
    complete({**found, "blocks": [b for b in found["blocks"] if b["status"] == "ok"]})


def test_without_rights_conditions_are_measured_and_stated(board: Harmed) -> None:
    run(*board.bench, "--batches", "1", "--passes", "1", "--rounds", "1", "--collect")
    told = document("report", "--host", board.name, "--only", CELL)
    assert any("governor" in words for words in told["runs"][0]["notes"])
