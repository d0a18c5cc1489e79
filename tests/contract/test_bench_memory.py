"""What does not fit is not run: neither into the board's memory, nor onto its disk."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from buildmatrix import bench
from buildmatrix.agent import PREFIX, source
from buildmatrix.bench.journal import parse
from buildmatrix.bench.verdict import measurements
from buildmatrix.errors import BenchError
from buildmatrix.nouns import Status
from tests.contract import bench_board
from tests.contract.bench_board import (
    DEVICE,
    GOLDEN,
    SHELLS,
    Board,
    agent,
    asked,
    bundle,
    calls,
    collect,
    expected_calls,
    only,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from buildmatrix.protocols import CommandResult

shell = bench_board.shell
HUGE = 100_000_000  # KiB that one image takes: batch 1 runs, for it only says so


def outcome(shell: Board, **changes: object) -> dict[tuple[int, int, bool], tuple[Status, str]]:
    """(round, batch, sentinel) of cell 'one': how it ended and why."""
    request = only("one", **changes)
    bench.start(shell, request)
    blocks = parse(collect(shell).journal).blocks
    rows = measurements(blocks, request, golden=GOLDEN, device=DEVICE)
    return {(r.round, r.batch, r.sentinel): (r.status, r.void_reason) for r in rows}


def test_a_batch_that_cannot_fit_is_skipped_with_its_figures(shell: Board) -> None:
    bundle(shell.home, "one", f"peak=$((batch * {HUGE}))")
    found = outcome(shell, batches=(1, 2, 64, 256), rounds=2)
    assert {line.split()[1] for line in calls(shell)} == {"1", "2"}
    for number in (0, 1):
        for batch in (64, 256):
            status, reason = found[number, batch, False]
            assert status is Status.SKIPPED
            needs = f"{batch * HUGE / 1024:,.0f}"
            assert reason.startswith(f"needs about {needs} MB by batches 1 and 2, ")
            assert reason.endswith(" MB are free")
        assert found[number, 2, False] == (Status.OK, "")
        assert found[number, 1, True] == (Status.OK, "")


def inside(names: tuple[str, ...], line: str) -> str:
    """A line that uses the scripts named, in the prefix."""
    return f"cd {PREFIX} && {{\n{source('owner', *names)}\n{line}\n}}"


@pytest.mark.parametrize("end", ["kill -KILL $$", "exit 3"])
def test_what_ran_out_of_memory_is_not_tried_again(shell: Board, end: str) -> None:
    bundle(shell.home, "one", f"[ $batch -lt 4 ] || {{ {end}; }}")
    found = outcome(shell, batches=(1, 2, 4, 8), rounds=2)
    status, reason = found[0, 4, False]
    assert status is Status.OOM
    assert reason.endswith(" MB were free; the largest batch that ran is 2")
    skipped = (Status.SKIPPED, "batch 4 ran out of memory")
    assert [found[key] for key in ((0, 8, False), (1, 4, False), (1, 8, False))] == [skipped] * 3
    assert found[1, 2, False] == (Status.OK, "")
    assert calls(shell).count("1 4") == 1


def test_a_sentinel_is_never_skipped(shell: Board) -> None:
    bundle(shell.home, "one", "kill -KILL $$")
    found = outcome(shell, batches=(1, 2))
    assert found[0, 1, True][0] is Status.OOM
    assert found[0, 1, False] == (Status.SKIPPED, "batch 1 ran out of memory")
    assert calls(shell) == ["1 1", "1 1"]


TOO_MUCH = {"needs_kib": 1200, "available_kib": 1000, "by": [2, 4]}


@pytest.mark.parametrize(
    ("memory", "batch", "why"),
    [
        ("", 8, None),
        ("a 4 900", 8, None),  # one point makes no line
        ("a 2 300,a 4 500", 8, None),  # 900 of 1000
        ("a 2 300,a 4 600", 8, TOO_MUCH),
        ("a 4 600,a 1 10,a 2 300", 8, TOO_MUCH),
        ("a 2 300,a 4 500,a 4 600,a 2 200", 8, TOO_MUCH),
        ("a 2 300,a 4 600,a 8 950", 8, None),  # it did run
        ("a 2 300,a 4 600,a 16 oom", 8, TOO_MUCH),
        ("a 2 300,a 4 600,b 2 oom", 2, None),
        ("a 8 oom", 8, {"out_of_memory": 8}),
        ("a 8 900,a 4 oom", 8, {"out_of_memory": 4}),
        ("b 2 300,b 4 600", 8, None),
        ("a 2 300,a 4 ,a 4 1x", 8, None),  # torn
        ("a 2 300,a 4 300", 8, None),
        ("a 2 600,a 4 300", 8, None),
    ],
)
@pytest.mark.parametrize("sh", SHELLS)
def test_the_prediction(tmp_path: Path, sh: str, memory: str, batch: int, why: object) -> None:
    folder = tmp_path / PREFIX
    folder.mkdir()
    (folder / "memory").write_text(memory.replace(",", "\n") + "\n" if memory else "")
    line = f'available() {{ echo 1000; }}; fits a {batch} || echo "{{$why}}"'
    result = Board(tmp_path, sh).run(inside(("memory",), line), timeout=60)
    assert result.stderr == b""
    assert (json.loads(result.stdout) if result.stdout else None) == why


# ---- a full disk


class Small(Board):
    """A board whose disk can be filled: a limit on the size of files."""

    limit: int | None = None

    def fill(self) -> None:
        self.limit = 4096
        resource.prlimit(agent(self), resource.RLIMIT_FSIZE, (4096, 4096))

    def free(self) -> None:
        self.limit = None

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        limit = f"ulimit -f {self.limit // 512}; " if self.limit else ""
        return super().run(f"trap '' XFSZ; {limit}{script}", timeout=timeout, stdin=stdin)


class Tiny(Small):
    """... or a file system of its own."""

    def fill(self) -> None:
        with (self.home / "filler").open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    return

    def free(self) -> None:
        (self.home / "filler").unlink()


def mountable() -> bool:
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


@pytest.fixture(params=[Small, Tiny] if mountable() else [Small])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Small]:
    home = tmp_path / "home"
    home.mkdir()
    if request.param is Tiny:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", home], check=True)
    board = request.param(home)
    bundle(home, "one")
    bundle(home, "two")
    yield board
    bench.cancel(board)
    if request.param is Tiny:
        subprocess.run(["umount", "--lazy", home], check=True)


def test_a_full_disk_stops_the_run_and_loses_nothing(small: Small) -> None:
    go_on = small.home.parent / "go-on"
    waiting = f'touch "$HOME/stuck"; while [ ! -e {go_on} ]; do sleep 0.05; done'
    bundle(small.home, "two", waiting)
    request = asked()
    bench.start(small, request)
    until((small.home / "stuck").exists, "the runner")
    done = bench.state(small).done
    small.fill()
    go_on.touch()
    words = rf"the board's disk is full: run r1 stopped after {done} of 6 blocks"
    with pytest.raises(BenchError, match=words) as full:
        collect(small)
    assert "free space on the board, then collect again" in full.value.hint
    held = bench.state(small)
    assert (held.status, held.done) == ("stopped", done)
    with pytest.raises(BenchError, match="disk is full"):
        collect(small)
    small.free()
    got = collect(small)
    assert sorted(b.block for b in parse(got.journal).blocks) == [0, 1, 2, 3, 4, 5]
    rows = measurements(parse(got.journal).blocks, request, golden=GOLDEN, device=DEVICE)
    assert {row.status for row in rows} == {Status.OK}
    expected = expected_calls(request)
    expected.insert(done, expected[done])
    assert calls(small) == expected
    assert small.governor == "ondemand"


def test_cancel_needs_no_room(small: Small) -> None:
    bundle(small.home, "two", 'touch "$HOME/stuck"; exec sleep 300')
    bench.start(small, asked())
    until((small.home / "stuck").exists, "the runner")
    small.fill()
    assert bench.cancel(small) == "r1"
    assert small.governor == "ondemand"
    small.free()
    assert bench.state(small).status == "none"


@pytest.mark.parametrize("sh", SHELLS)
@pytest.mark.parametrize("room", [0, 1, 7])
def test_a_line_joins_the_journal_whole_or_not_at_all(tmp_path: Path, sh: str, room: int) -> None:
    folder = tmp_path / PREFIX
    folder.mkdir()
    before = '{"block":0}\n' * 300
    (folder / "journal.jsonl").write_text(before)
    (folder / "line").write_text('{"block":1,"stdout":"' + 5000 * "x" + '"}\n')
    blocks = len(before) // 512 + room
    result = Board(tmp_path, sh).run(
        inside(("journal",), f"trap '' XFSZ; (ulimit -f {blocks}; commit); echo $?"),
        timeout=60,
    )
    assert result.stdout == b"1\n"
    assert (folder / "journal.jsonl").read_text() == before
    Board(tmp_path, sh).run(inside(("journal",), "commit"), timeout=60)
    assert (folder / "journal.jsonl").read_text() == before + (folder / "line").read_text()
