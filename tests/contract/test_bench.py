"""Bench against a real sh: begun once, resumed, collected by anyone, extended, cancelled."""

from __future__ import annotations

import re
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from buildmatrix import bench
from buildmatrix.agent import PREFIX
from buildmatrix.bench.journal import parse
from buildmatrix.bench.order import order, retakes
from buildmatrix.bench.request import Entrant
from buildmatrix.bench.verdict import measurements
from buildmatrix.errors import BenchError, InputError, LinkLost
from buildmatrix.nouns import Status
from buildmatrix.protocols import Advanced, CommandResult
from tests.contract import bench_board
from tests.contract.bench_board import (
    DEVICE,
    DIGEST,
    GOLDEN,
    Board,
    agent,
    asked,
    bundle,
    calls,
    collect,
    expected_calls,
    go_on,
    gone,
    kill,
    only,
    runner,
    stuck,
    until,
    waits,
)
from tests.fakes import RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from buildmatrix.bench.request import Request
    from buildmatrix.nouns import Measurement

shell = bench_board.shell


def judged(shell: Board, request: Request) -> tuple[Measurement, ...]:
    blocks = parse(collect(shell).journal).blocks
    return measurements(blocks, request, golden=GOLDEN, device=DEVICE)


def test_a_run_from_start_to_forget(shell: Board) -> None:
    request = asked(rounds=2)
    assert bench.state(shell).status == "none"
    begun = bench.start(shell, request)
    assert (begun.run, begun.total, begun.request) == ("r1", 11, request)
    assert begun.status in ("running", "done")
    assert begun.owner == "tester@desk"
    reporter = RecordingReporter()
    got = collect(shell, reporter=reporter)
    assert reporter.events[-1] == Advanced("r1", 11, 11, "blocks")
    assert got.request == request
    assert calls(shell) == expected_calls(request)
    journal = parse(got.journal)
    assert [e["event"] for e in journal.events] == ["conditions", "restored"]
    rows = measurements(journal.blocks, request, golden=GOLDEN, device=DEVICE)
    drawn = order(request)
    assert [(r.block, r.round, r.cell, r.batch, r.sentinel) for r in rows] == [
        (b.index, b.round, b.cell, b.batch, b.sentinel) for b in drawn
    ]
    assert {(r.status, r.mean_ms_per_image) for r in rows if r.batch == 2} == {(Status.OK, 0.5)}
    assert rows[0].samples_ns == (1_000_000,) * 3
    assert rows[0].instructions_per_image == 4115.0
    assert rows[0].bundle == DIGEST["one"]
    assert rows[0].environment["facts"] == {"flags": "-O2"}
    assert bench.state(shell).heartbeat is None
    bench.forget(shell, "r1")
    bench.forget(shell, "r1")
    assert bench.state(shell).status == "none"
    assert not shell.run_folder.exists()
    assert list((shell.home / PREFIX / "tmp").iterdir()) == []


def test_a_block_says_what_the_board_was_like(shell: Board) -> None:
    bundle(shell.home, "one", "sleep 0.1")
    bench.start(shell, only("one", batches=(1,)))
    block = parse(collect(shell).journal).blocks[0]
    after = block.after or {}
    assert block.before["max_khz"] == after["max_khz"] == 1200000
    assert (after["cur_khz"], after["governor"]) == (1200000, "performance")
    assert (after["millicelsius"], after["throttled"]) == (None, "")
    assert after["available_kib"] > 0
    assert 0 < after["uptime"] - block.before["uptime"] < 60
    assert after["busy_ticks"] >= block.before["busy_ticks"] > 0
    assert after["swapped"] >= block.before["swapped"]


class Dying(Board):
    """The link breaks at the second look at the journal."""

    looks = 0

    def run(
        self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
    ) -> CommandResult:
        self.looks += "follow r1" in script
        if self.looks == 2:
            raise LinkLost("the connection broke")
        return super().run(script, timeout=timeout, stdin=stdin)


def test_a_host_that_dies_loses_nothing_and_starts_nothing_twice(shell: Board) -> None:
    waits(shell, "one")
    dying = Dying(shell.home, shell.shell)
    bench.start(dying, asked())
    with pytest.raises(LinkLost):
        collect(dying)
    other = bench.start(shell, asked(run="r2", seed=8))
    go_on(shell)
    assert other.run == "r1"
    assert other.request == asked()
    got = collect(shell)
    assert [b.block for b in parse(got.journal).blocks] == [0, 1, 2, 3, 4, 5]
    assert calls(shell) == expected_calls(asked())


def test_a_finished_run_is_kept_until_it_is_forgotten(shell: Board) -> None:
    bench.start(shell, asked())
    first = collect(shell)
    assert bench.start(shell, asked(run="r2")).status == "done"
    assert collect(shell) == first
    bench.forget(shell, "r1")
    assert bench.start(shell, asked(run="r2")).run == "r2"
    assert collect(shell).request.run == "r2"


def test_what_is_measured_is_what_was_asked_for_not_what_is_deployed_meanwhile(
    shell: Board,
) -> None:
    cells = shell.home / PREFIX / "cells"
    cells.mkdir()
    (cells / "one").symlink_to(f"../bundles/{DIGEST['two']}")
    bench.start(shell, only("one"))
    collect(shell)
    assert {line[0] for line in calls(shell)} == {"1"}


def test_a_bundle_that_is_not_there_is_said_before_anything_starts(shell: Board) -> None:
    with pytest.raises(BenchError, match="bundle of ghost is not on the board"):
        bench.start(shell, asked(entrants=(Entrant("ghost", "f" * 64),)))
    assert bench.state(shell).status == "none"
    assert list((shell.home / PREFIX / "runs").iterdir()) == []


def test_the_deadline_leaves_the_run_going(shell: Board) -> None:
    waits(shell, "one")
    bench.start(shell, asked())
    with pytest.raises(BenchError, match=r"still going: \d of 6 blocks"):
        collect(shell, deadline=0.0)
    with pytest.raises(BenchError, match="not finished"):
        bench.forget(shell, "r1")
    go_on(shell)
    assert len(parse(collect(shell).journal).blocks) == 6


def test_nothing_to_collect(shell: Board) -> None:
    with pytest.raises(BenchError, match="holds no benchmark run"):
        collect(shell)


@pytest.mark.parametrize(
    ("extra", "status", "reason"),
    [
        ("kill -KILL $$", Status.OOM, r"out of memory, [\d,]+ MB were free; no batch size ran"),
        ("exit 3", Status.OOM, r"out of memory, [\d,]+ MB were free; no batch size ran"),
        (
            "kill -ILL $$",
            Status.FAILED,
            "an illegal instruction: built for another CPU: "
            r'WARNING: a "quoted" \\ word \?\?',
        ),
        ("echo no such layer >&2; exit 4", Status.FAILED, "exit status 4: no such layer"),
        ("echo '{torn'; exit 0", Status.FAILED, r'exit status 0: WARNING: a "quoted" \\ word \?\?'),
        ("exec sleep 60", Status.FAILED, "stopped after 1 s"),
    ],
)
def test_how_a_runner_may_end(shell: Board, extra: str, status: Status, reason: str) -> None:
    bundle(shell.home, "two", extra)
    limit = 1 if "sleep" in extra else 60  # a busy machine takes a second to begin
    request = asked(batches=(2,), limit_seconds=limit)
    bench.start(shell, request)
    row = next(row for row in judged(shell, request) if row.cell == "two")
    assert (row.status, row.samples_ns) == (status, ())
    assert re.fullmatch(reason, row.void_reason)


def test_two_hosts_at_once_start_one_run(shell: Board) -> None:
    seen: list[str] = []
    threads = [
        Thread(
            target=lambda n=n: seen.append(
                bench.start(Board(shell.home, shell.shell), asked(run=f"r{n}")).run
            )
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert len(set(seen)) == 1
    collect(shell)
    assert calls(shell) == expected_calls(asked())
    assert sorted(p.name for p in (shell.home / PREFIX / "runs").iterdir()) == ["current", seen[0]]


# ---- taken again


def disturb_first(shell: Board) -> None:
    """The clock's limit moves while the first block of 'two' runs; later ones are quiet."""
    limit = shell.sys / "devices/system/cpu/cpu0/cpufreq/scaling_max_freq"
    bundle(
        shell.home,
        "two",
        f'[ -e "$HOME/moved" ] || {{ echo 600000 > {limit}; touch "$HOME/moved"; }}',
    )


def test_a_void_block_is_taken_again_in_a_round_of_its_own(shell: Board) -> None:
    disturb_first(shell)
    request = asked()
    bench.start(shell, request)
    first = judged(shell, request)
    assert [(r.cell, r.batch) for r in first if r.status is Status.VOID] == [("two", 1)]
    again = retakes(first, request)
    assert bench.extend(shell, request, again).total == 8
    rows = judged(shell, request)
    assert rows[:6] == first
    assert [(r.block, r.round, r.cell, r.batch, r.sentinel, r.status) for r in rows[6:]] == [
        (6, 1, "two", 1, False, Status.OK),
        (7, 1, "one", 1, True, Status.OK),
    ]
    assert retakes(rows, request) == ()
    bench.forget(shell, "r1")
    with pytest.raises(BenchError, match="no longer on the board"):
        bench.extend(shell, request, again)


def test_two_collectors_add_one_round(shell: Board) -> None:
    disturb_first(shell)
    request = asked()
    bench.start(shell, request)
    again = retakes(judged(shell, request), request)
    held: list[int] = []
    threads = [
        Thread(
            target=lambda: held.append(
                bench.extend(Board(shell.home, shell.shell), request, again).total
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held == [8, 8, 8, 8]
    assert [b.block for b in parse(collect(shell).journal).blocks] == list(range(8))
    assert calls(shell)[6:] == ["2 1", "1 1"]
    late = bench.extend(shell, request, [replace(block, cell="one") for block in again])
    assert (late.status, late.total) == ("done", 8)


# ---- cancelled


def test_cancel_ends_a_run_and_all_that_works_on_it(shell: Board) -> None:
    stuck(shell, "two")
    bench.start(shell, asked())
    until((shell.home / "stuck").exists, "the runner")
    at_work = agent(shell), runner(shell)
    assert shell.governor == "performance"
    assert bench.cancel(shell) == "r1"
    assert all(map(gone, at_work))
    assert shell.governor == "ondemand"
    assert bench.state(shell).status == "none"
    assert [p.name for p in (shell.home / PREFIX / "runs").iterdir()] == []
    assert bench.cancel(shell) == ""
    go_on(shell)
    bench.start(shell, asked(run="r2"))
    assert len(parse(collect(shell).journal).blocks) == 6


def test_cancel_takes_a_dead_or_an_old_run_too(shell: Board) -> None:
    stuck(shell, "two")
    bench.start(shell, asked())
    until((shell.home / "stuck").exists, "the runner")
    kill(agent(shell))
    (shell.run_folder / "request.json").write_text('{"version": 1, "tool": "0.0.9"}')
    with pytest.raises(BenchError, match=r"begun by an older buildmatrix, 0\.0\.9") as caught:
        bench.start(shell, asked(run="r2"))
    assert "inv bench --cancel" in caught.value.hint
    orphan = runner(shell)
    assert bench.cancel(shell) == "r1"
    assert gone(orphan)
    assert bench.state(shell).status == "none"


@pytest.mark.parametrize("name", ["../x", "a b", "$(id)", "", "current", "x.previous", "-r"])
def test_hostile_names_reach_no_shell(tmp_path: Path, name: str) -> None:
    shell = Board(tmp_path)
    with pytest.raises(InputError):
        bench.start(shell, asked(run=name))
    with pytest.raises(InputError):
        bench.start(
            shell,
            asked(
                entrants=(Entrant(name, "1" * 64),)
                if name != "current"
                else (Entrant("a", "../x"),)
            ),
        )
    with pytest.raises(InputError):
        bench.forget(shell, name)
    with pytest.raises(InputError):
        bench.extend(shell, asked(run=name), order(asked()))
    assert shell.scripts == []


def test_cores_are_of_every_block_and_pictures_and_layers_of_the_first_round(shell: Board) -> None:
    bundles = shell.home / ".buildmatrix/bundles" / bench_board.DIGEST["one"]
    (bundles / "model/held-out.f32").write_bytes(b"1234")
    (bundles / "bin/runner").rename(bundles / "bin/plain")
    (bundles / "bin/runner").write_text(
        '#!/bin/sh\nall=$*\necho "${all#* --threads 2}" >> "$HOME/asked"\n'
        'exec "${0%runner}plain" ${all%" --layers"}\n'
    )
    (bundles / "bin/runner").chmod(0o755)
    bench.start(shell, only("one", batches=(1,), rounds=2, cores="0-1", layers=True))
    collect(shell)
    first = "--cores 0-1 --pictures cells/one/model/held-out.f32 --layers"
    told = (shell.home / "asked").read_text().splitlines()
    assert [line.strip() for line in told] == ["--cores 0-1", first, *["--cores 0-1"] * 3]
