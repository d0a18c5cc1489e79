"""Who may work on a run: one agent, as long as it lives and is heard of."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from buildmatrix import bench
from buildmatrix.bench.journal import parse
from buildmatrix.bench.verdict import measurements
from buildmatrix.nouns import Status
from tests.contract import bench_board
from tests.contract.bench_board import (
    DEVICE,
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
    with_tools,
)

shell = bench_board.shell


def events(got: bench.Collected) -> list[str]:
    return [event["event"] for event in parse(got.journal).events]


def begun_and_stuck(shell: Board) -> int:
    """A run whose agent waits for the runner of cell 'two'; its process id."""
    stuck(shell, "two")
    bench.start(shell, asked())
    until((shell.home / "stuck").exists, "the runner")
    return agent(shell)


def expected_with_interrupted(shell: Board, done: int) -> list[str]:
    expected = expected_calls(asked())
    expected.insert(done, expected[done])
    return expected


def test_a_killed_agent_is_resumed_and_no_block_is_done_twice(shell: Board) -> None:
    pid = begun_and_stuck(shell)
    kill(pid)
    orphan = runner(shell)
    journal = shell.run_folder / "journal.jsonl"
    done = len(parse(journal.read_text()).blocks)
    before = bench.state(shell)
    assert (before.status, before.done, before.heartbeat) == ("stopped", done, None)
    with journal.open("a") as file:
        file.write('{"block":')  # torn by a power cut
    go_on(shell)
    got = collect(shell)
    assert sorted(b.block for b in parse(got.journal).blocks) == [0, 1, 2, 3, 4, 5]
    assert calls(shell) == expected_with_interrupted(shell, done)
    assert gone(orphan), "the dead agent's runner would have disturbed the next block"
    assert "resumed" in events(got)


@pytest.mark.parametrize("tail", ["x", '{"block":9,', "\0\0\0"])
def test_what_a_power_cut_leaves_at_the_end_is_cut_off(shell: Board, tail: str) -> None:
    bench.start(shell, asked())
    whole = collect(shell).journal
    (shell.run_folder / "done").unlink()
    with (shell.run_folder / "journal.jsonl").open("a") as file:
        file.write(tail)
    again = collect(shell).journal
    assert again.startswith(whole)
    assert len(parse(again).blocks) == 6


def test_a_live_agent_is_heard_of_and_left_alone(shell: Board) -> None:
    pid = begun_and_stuck(shell)
    first = (shell.run_folder / "heartbeat").read_text()
    until(lambda: (shell.run_folder / "heartbeat").read_text() != first, "a second heartbeat")
    held = bench.start(shell, asked(run="r2"))
    assert (held.run, held.status) == ("r1", "running")
    assert held.heartbeat is not None
    assert held.heartbeat <= bench_board.TTL
    assert agent(shell) == pid
    go_on(shell)
    os.kill(runner(shell), signal.SIGTERM)
    assert len(parse(collect(shell).journal).blocks) == 6


def test_heartbeats_change_neither_exit_status_nor_answer(shell: Board) -> None:
    bundle(shell.home, "two", "sleep 1.2; exit 5")
    bench.start(shell, only("two", batches=(1,)))
    blocks = parse(collect(shell).journal).blocks
    assert [(b.exit, b.seconds >= 1) for b in blocks] == [(5, True)] * 3


def silent_for_long(shell: Board) -> None:
    """Time passes while the agent is frozen."""
    number, beat = (shell.run_folder / "heartbeat").read_text().split()
    (shell.run_folder / "heartbeat").write_text(f"{number} {int(beat) - 100}\n")


def taken_over(shell: Board) -> None:
    """Collects a run whose agent is silent; checks that this was told and nothing was lost."""
    held = bench.state(shell)
    assert held.status == "stale"
    assert held.heartbeat is not None
    silent = held.heartbeat
    go_on(shell)
    got = collect(shell)
    taken: list[Any] = [e for e in parse(got.journal).events if e["event"] == "takeover"]
    assert [(e["owner"], e["silent"] >= silent) for e in taken] == [("tester@desk", True)]
    assert sorted(b.block for b in parse(got.journal).blocks) == [0, 1, 2, 3, 4, 5]
    assert shell.governor == "ondemand"


def test_a_frozen_agent_falls_silent_and_is_taken_over(shell: Board) -> None:
    shell.environment["BUILDMATRIX_TTL"] = "3"
    pid = begun_and_stuck(shell)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: bench.state(shell).status == "stale", "a stale lease")
    del shell.environment["BUILDMATRIX_TTL"]  # who takes it over may be slow for once
    silent_for_long(shell)
    taken_over(shell)
    assert gone(pid)


def test_all_of_an_agent_may_be_frozen(shell: Board) -> None:
    pid, orphan = begun_and_stuck(shell), runner(shell)
    os.killpg(pid, signal.SIGSTOP)
    os.kill(orphan, signal.SIGSTOP)
    silent_for_long(shell)
    taken_over(shell)
    assert gone(pid)
    assert gone(orphan)


@with_tools
def test_a_board_clock_that_jumps_makes_no_lease_stale(shell: Board) -> None:
    shell.tool("date", "echo 4102444800")  # 2100
    pid = begun_and_stuck(shell)
    (shell.tools / "date").unlink()
    assert bench.state(shell).status == "running"
    go_on(shell)
    os.kill(runner(shell), signal.SIGTERM)
    collect(shell)
    assert gone(pid)


def test_a_lease_of_an_earlier_boot_is_dead(shell: Board) -> None:
    bench.start(shell, asked())
    collect(shell)
    (shell.run_folder / "done").unlink()
    lease = shell.run_folder / "leases" / "9"
    lease.symlink_to(f"{os.getpid()}.1.some-other-boot 5")
    assert bench.state(shell).status == "stopped"
    collect(shell)
    assert calls(shell) == expected_calls(asked())  # all were in the journal


def test_a_block_that_takes_the_board_down_is_given_up(shell: Board) -> None:
    leases = "$HOME/.buildmatrix/runs/r1/leases"
    newest = f"$(readlink {leases}/$(ls {leases} | sort -n | tail -n 1))"
    bundle(
        shell.home,
        "two",
        f"[ $batch = 1 ] || {{ agent={newest}; kill -KILL ${{agent%%.*}}; exit 1; }}",
    )
    request = only("two")
    bench.start(shell, request)
    blocks = parse(collect(shell).journal).blocks
    rows = measurements(blocks, request, golden=GOLDEN, device=DEVICE)
    assert [(r.status, r.void_reason) for r in rows if r.batch == 2] == [
        (
            Status.FAILED,
            "exit status 70: the agent or the board went down in each of three tries",
        )
    ]
