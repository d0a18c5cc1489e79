"""Bench against a real sh: begun once, resumed, collected by anyone; correct before fast."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix import bench, reference
from buildmatrix.agent import PREFIX
from buildmatrix.bench.request import (
    Entrant,
    Request,
    blocks,
    plan_text,
    read_request,
    request_blocks,
    run_files,
    run_id,
)
from buildmatrix.bench.verdict import (
    BlockResult,
    Golden,
    max_relative_error,
    measure,
    measurements,
    parse,
    sentinel_ratio,
)
from buildmatrix.errors import BenchError, InputError, LinkLost
from buildmatrix.model import DeviceInfo, Status
from buildmatrix.protocols import Advanced, CommandResult
from tests.fakes import LocalShell, RecordingReporter

if TYPE_CHECKING:
    from collections.abc import Iterable

DIGEST = {"one": "1" * 64, "two": "2" * 64}
GOLDEN = Golden((0.25, 0.75), tolerance=1e-3)
BOARD = DeviceInfo(
    name="pi3", model="Raspberry Pi 3 Model B Rev 1.2", kernel="6.1", machine="armv7l",
    elf_machine="EM_ARM", cpu_parts=("0xd03",), features=frozenset({"neon", "vfpv4"}), cores=4,
    memory_kib=1000000, memory_available_kib=900000, disk_free_kib=9000000, libc="2.36",
    emulated="", load1=0.1,
)  # fmt: skip
QUIET: dict[str, Any] = {
    "max_khz": 1200000, "millicelsius": 50000, "throttled": "0x0", "load1": 0.1, "swapped": 0
}  # fmt: skip

RUNNER = r"""#!/bin/sh
while [ $# -gt 0 ]; do case $1 in
    --model) model=$2 ;; --batch) batch=$2 ;; --passes) passes=$2 ;;
    --warmup) warmup=$2 ;; --threads) threads=$2 ;; esac; shift 2; done
[ -d "$model" ] || { echo "no model in $model" >&2; exit 4; }
echo "$(basename "$(readlink -f "$model/..")" | cut -c 1) $batch" >> "$HOME/calls"
echo 'WARNING: a "quoted" \ word é' >&2
%s
samples=$(i=0; while [ $i -lt $passes ]; do printf '%%s1000000' "$c"; c=,; i=$((i+1)); done)
printf '{"version":1,"engine":"fake","batch":%%s,"threads":%%s,"passes":%%s,"warmup":%%s,' \
    $batch $threads $passes $warmup
printf '"status":"ok","message":"","first_pass_ns":5,"samples_ns":[%%s],' $samples
printf '"peak_rss_kib":900,"instructions":12345,"page_faults_major":0,"output":[0.25,0.75],'
printf '"batch_max_abs_diff":0,"repeat_identical":true}\n'
"""


@pytest.fixture
def shell(tmp_path: Path) -> LocalShell:
    bundle(tmp_path, "one")
    bundle(tmp_path, "two")
    return LocalShell(tmp_path)


def bundle(home: Path, cell: str, extra: str = "") -> None:
    """A bundle whose runner is a shell script; `extra` runs before it prints its line."""
    tree = home / PREFIX / "bundles" / DIGEST[cell]
    (tree / "bin").mkdir(parents=True, exist_ok=True)
    (tree / "model").mkdir(exist_ok=True)
    (tree / "bin/runner").write_text(RUNNER % extra)
    (tree / "bin/runner").chmod(0o755)


def request(**changes: Any) -> Request:
    made = Request(
        run="r1",
        model="face-cnn",
        entrants=(Entrant("one", DIGEST["one"], {"flags": "-O2"}), Entrant("two", DIGEST["two"])),
        batches=(1, 2),
        passes=3,
        warmup=1,
        threads=2,
        seed=7,
        tool="0.1.0",
    )
    return replace(made, **changes)


def collect(shell: LocalShell, **changes: Any) -> bench.Collected:
    settings: dict[str, Any] = {"reporter": RecordingReporter(), "deadline": 30.0, "poll": 0.05}
    return bench.collect(shell, **(settings | changes))


def calls(shell: LocalShell) -> list[str]:
    """What the fake runners were asked for, in order: bundle and batch."""
    return (shell.home / "calls").read_text().splitlines()


def expected_calls(asked: Request) -> list[str]:
    return [f"{DIGEST[b.cell][0]} {b.batch}" for b in request_blocks(asked)]


def run_folder(shell: LocalShell) -> Path:
    return shell.home / PREFIX / "runs" / "r1"


def wait_for(path: Path) -> None:
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


def agent_pid(shell: LocalShell) -> int:
    leases = sorted((run_folder(shell) / "leases").iterdir(), key=lambda p: int(p.name))
    return int(str(leases[-1].readlink()).split(".")[0])


def test_a_run_from_start_to_forget(shell: LocalShell) -> None:
    asked = request()
    assert bench.state(shell).status == "none"
    begun = bench.start(shell, asked)
    assert (begun.run, begun.total, begun.request) == ("r1", 5, asked)
    assert begun.status in ("running", "done")
    reporter = RecordingReporter()
    got = collect(shell, reporter=reporter)
    assert reporter.events[-1] == Advanced("r1", 5, 5, "blocks")
    assert got.request == asked
    assert calls(shell) == expected_calls(asked)
    rows = measurements(parse(got.journal), got.request, golden=GOLDEN, device=BOARD)
    assert [(r.cell, r.batch, r.status, r.mean_ms_per_image) for r in rows] == [
        ("one", 1, Status.OK, 1.0),
        ("one", 2, Status.OK, 0.5),
        ("two", 1, Status.OK, 1.0),
        ("two", 2, Status.OK, 0.5),
    ]
    assert rows[0].samples_ns == (1_000_000,) * 3
    assert rows[0].instructions_per_image == 4115.0
    assert rows[0].bundle == DIGEST["one"]
    assert rows[0].environment["facts"] == {"flags": "-O2"}
    bench.forget(shell, "r1")
    bench.forget(shell, "r1")
    assert bench.state(shell).status == "none"
    assert not run_folder(shell).exists()
    assert list((shell.home / PREFIX / "tmp").iterdir()) == []


def test_a_host_that_dies_loses_nothing_and_starts_nothing_twice(shell: LocalShell) -> None:
    bundle(shell.home, "one", "sleep 0.2")

    class Dying(LocalShell):
        """The link breaks at the second look at the journal."""

        looks = 0

        def run(
            self, script: str, *, timeout: float, stdin: Iterable[bytes] | None = None
        ) -> CommandResult:
            self.looks += "\nfollow r1" in script
            if self.looks == 2:
                raise LinkLost("the connection broke")
            return super().run(script, timeout=timeout, stdin=stdin)

    dying = Dying(shell.home)
    bench.start(dying, request())
    with pytest.raises(LinkLost):
        collect(dying)
    other = bench.start(shell, request(run="r2", seed=8))
    assert other.run == "r1"
    assert other.request == request()
    got = collect(shell)
    assert [b.block for b in parse(got.journal)] == [0, 1, 2, 3, 4]
    assert calls(shell) == expected_calls(request())


def test_a_finished_run_is_kept_until_it_is_forgotten(shell: LocalShell) -> None:
    bench.start(shell, request())
    first = collect(shell)
    assert bench.start(shell, request(run="r2")).status == "done"
    assert collect(shell) == first
    bench.forget(shell, "r1")
    assert bench.start(shell, request(run="r2")).run == "r2"
    assert collect(shell).request.run == "r2"


def test_a_killed_agent_is_resumed_and_no_block_is_done_twice(shell: LocalShell) -> None:
    go_on = shell.home / "go-on"
    bundle(shell.home, "two", f'[ -e {go_on} ] || {{ touch "$HOME/stuck"; exec sleep 60; }}')
    bench.start(shell, request())
    wait_for(shell.home / "stuck")
    os.kill(agent_pid(shell), signal.SIGKILL)
    runner = int((run_folder(shell) / "runner").read_text().split(".")[0])
    done = len(parse((run_folder(shell) / "journal.jsonl").read_text()))
    before = bench.state(shell)
    assert (before.status, before.done) == ("stopped", done)
    with (run_folder(shell) / "journal.jsonl").open("a") as journal:
        journal.write('{"block":')  # torn by a power cut
    go_on.touch()
    got = collect(shell)
    assert [b.block for b in parse(got.journal)] == [0, 1, 2, 3, 4]
    interrupted = expected_calls(request())
    interrupted.insert(done, interrupted[done])
    assert calls(shell) == interrupted
    assert gone(runner), "the dead agent's runner would have disturbed the next block"


def gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_block_that_takes_the_board_down_is_given_up(shell: LocalShell) -> None:
    leases = "$HOME/.buildmatrix/runs/r1/leases"
    newest = f"$(readlink {leases}/$(ls {leases} | tail -n 1))"
    bundle(shell.home, "two", f"agent={newest}; kill -KILL ${{agent%%.*}}; exit 1")
    asked = request(entrants=(Entrant("two", DIGEST["two"]),), batches=(1,))
    bench.start(shell, asked)
    rows = measurements(parse(collect(shell).journal), asked, golden=GOLDEN, device=BOARD)
    assert [(r.status, r.void_reason) for r in rows] == [
        (
            Status.FAILED,
            "exit status 70: the agent or the board went down in each of three tries",
        )
    ]


def test_a_lease_of_an_earlier_boot_is_dead(shell: LocalShell) -> None:
    bench.start(shell, request())
    collect(shell)
    (run_folder(shell) / "done").unlink()
    lease = run_folder(shell) / "leases" / "9"
    lease.symlink_to(f"{os.getpid()}.1.some-other-boot")
    assert bench.state(shell).status == "stopped"
    collect(shell)
    assert calls(shell) == expected_calls(request())  # all were in the journal


def test_what_is_measured_is_what_was_asked_for_not_what_is_deployed_meanwhile(
    shell: LocalShell,
) -> None:
    cells = shell.home / PREFIX / "cells"
    cells.mkdir()
    (cells / "one").symlink_to(f"../bundles/{DIGEST['two']}")
    bench.start(shell, request(entrants=(Entrant("one", DIGEST["one"]),)))
    collect(shell)
    assert {line[0] for line in calls(shell)} == {"1"}


def test_a_bundle_that_is_not_there_is_said_before_anything_starts(shell: LocalShell) -> None:
    with pytest.raises(BenchError, match="bundle of ghost is not on the board"):
        bench.start(shell, request(entrants=(Entrant("ghost", "f" * 64),)))
    assert bench.state(shell).status == "none"
    assert list((shell.home / PREFIX / "runs").iterdir()) == []


def test_the_deadline_leaves_the_run_going(shell: LocalShell) -> None:
    bundle(shell.home, "one", "sleep 0.3")
    bench.start(shell, request())
    with pytest.raises(BenchError, match=r"still going: \d of 5 blocks"):
        collect(shell, deadline=0.0)
    with pytest.raises(BenchError, match="not finished"):
        bench.forget(shell, "r1")
    assert len(parse(collect(shell).journal)) == 5


def test_nothing_to_collect(shell: LocalShell) -> None:
    with pytest.raises(BenchError, match="holds no benchmark run"):
        collect(shell)


@pytest.mark.parametrize(
    ("extra", "status", "reason"),
    [
        ("kill -KILL $$", Status.OOM, "out of memory; no batch size ran"),
        ("exit 3", Status.OOM, "out of memory; no batch size ran"),
        ("kill -ILL $$", Status.FAILED, "an illegal instruction: built for another CPU: "
         'WARNING: a "quoted" \\ word ??'),
        ("echo no such layer >&2; exit 4", Status.FAILED, "exit status 4: no such layer"),
        ("echo '{torn'; exit 0", Status.FAILED,
         'exit status 0: WARNING: a "quoted" \\ word ??'),
        ("sleep 9", Status.FAILED, "stopped after 1 s"),
    ],
)  # fmt: skip
def test_how_a_runner_may_end(shell: LocalShell, extra: str, status: Status, reason: str) -> None:
    bundle(shell.home, "one", extra)
    asked = request(entrants=(Entrant("one", DIGEST["one"]),), batches=(2,), limit_seconds=1)
    bench.start(shell, asked)
    rows = measurements(parse(collect(shell).journal), asked, golden=GOLDEN, device=BOARD)
    assert [(r.status, r.void_reason, r.samples_ns) for r in rows] == [(status, reason, ())]


def test_out_of_memory_tells_the_last_good_batch(shell: LocalShell) -> None:
    bundle(shell.home, "one", "[ $batch -lt 8 ] || kill -KILL $$")
    asked = request(entrants=(Entrant("one", DIGEST["one"]),), batches=(1, 2, 4, 8))
    bench.start(shell, asked)
    rows = measurements(parse(collect(shell).journal), asked, golden=GOLDEN, device=BOARD)
    assert rows[-1].void_reason == "out of memory; the largest batch that ran is 4"


def test_two_hosts_at_once_start_one_run(tmp_path: Path) -> None:
    bundle(tmp_path, "one")
    bundle(tmp_path, "two")
    seen: list[str] = []
    threads = [
        Thread(target=lambda n=n: seen.append(
            bench.start(LocalShell(tmp_path), request(run=f"r{n}")).run))
        for n in range(4)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert len(set(seen)) == 1
    shell = LocalShell(tmp_path)
    collect(shell)
    assert calls(shell) == expected_calls(request())
    assert sorted(p.name for p in (tmp_path / PREFIX / "runs").iterdir()) == ["current", seen[0]]


# ---- pure


def block(**changes: Any) -> BlockResult:
    result: dict[str, Any] = {
        "version": 1, "engine": "caffe", "batch": 2, "threads": 2, "passes": 3, "warmup": 1,
        "status": "ok", "message": "", "first_pass_ns": 9, "samples_ns": [4000000] * 3,
        "peak_rss_kib": 1000, "instructions": 600, "page_faults_major": 0,
        "output": [0.25, 0.75], "batch_max_abs_diff": 0.0, "repeat_identical": True,
    }  # fmt: skip
    fields: dict[str, Any] = {
        "block": 0, "cell": "one", "batch": 2, "exit": 0, "started": 1795201500, "seconds": 1,
        "before": QUIET, "after": QUIET, "stderr_tail": "",
        "result": result | changes.pop("result", {}),
    }  # fmt: skip
    return BlockResult(**(fields | changes))


def test_a_right_answer_publishes_its_time() -> None:
    row = measure(block(), request(), golden=GOLDEN, device=BOARD)
    assert (row.status, row.mean_ms_per_image, row.max_rel_error) == (Status.OK, 2.0, 0.0)
    assert row.taken_at == "2026-11-20T19:05:00+00:00"
    assert not row.emulated
    json.dumps(row.environment)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"output": [0.26, 0.74]}, "off by 4.0e-02, allowed is 1.0e-03"),
        ({"output": [0.25]}, "1 outputs instead of 2"),
        ({"output": [None, 0.75]}, "the output is not finite"),
        ({"batch_max_abs_diff": 0.1}, "images of one batch have different answers (1.0e-01 apart)"),
        ({"batch_max_abs_diff": None}, "images of one batch have different answers (not finite)"),
        (
            {"repeat_identical": False},
            "the same input gave different answers in the first and the last pass",
        ),
    ],
)
def test_a_wrong_answer_publishes_no_time(result: dict[str, Any], words: str) -> None:
    row = measure(block(result=result), request(), golden=GOLDEN, device=BOARD)
    assert (row.status, row.void_reason) == (Status.WRONG, words)
    assert (row.samples_ns, row.first_pass_ns, row.instructions) == ((), None, None)
    assert row.mean_ms_per_image is None


@pytest.mark.parametrize(
    ("after", "result", "words"),
    [
        ({"throttled": "0x50005"}, {}, "throttled (firmware bits 0x5)"),
        ({"max_khz": 600000}, {}, "clock limit moved from 1200000 to 600000 kHz"),
        ({"swapped": 12}, {}, "the board swapped 12 pages"),
        ({}, {"page_faults_major": 3}, "3 major page faults during the timed passes"),
    ],
)
def test_a_disturbed_block_is_void_and_keeps_its_samples(
    after: dict[str, Any], result: dict[str, Any], words: str
) -> None:
    disturbed = block(after=QUIET | after, result=result)
    row = measure(disturbed, request(), golden=GOLDEN, device=BOARD)
    assert (row.status, row.void_reason, len(row.samples_ns)) == (Status.VOID, words, 3)
    assert row.mean_ms_per_image is None


def test_throttling_long_ago_voids_nothing() -> None:
    past = QUIET | {"throttled": "0x50000"}
    row = measure(block(before=past, after=past), request(), golden=GOLDEN, device=BOARD)
    assert row.status is Status.OK


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"batch": 4}, "asked for batch 2, the runner says 4"),
        ({"threads": 1}, "asked for threads 2, the runner says 1"),
        ({"samples_ns": [1, 2]}, "2 samples for 3 passes"),
        ({"samples_ns": [0, 1, 1]}, "the runner's samples are not positive whole nanoseconds"),
        ({"samples_ns": "x"}, "the runner's samples are not positive whole nanoseconds"),
        ({"output": None}, "the runner gave no output"),
    ],
)
def test_an_answer_to_another_question_is_a_failure(result: dict[str, Any], words: str) -> None:
    row = measure(block(result=result), request(), golden=GOLDEN, device=BOARD)
    assert (row.status, row.void_reason) == (Status.FAILED, words)


def test_emulation_is_part_of_the_row_and_of_the_series() -> None:
    virtual = replace(BOARD, emulated="device tree says 'linux,dummy-virt'")
    real = measure(block(), request(), golden=GOLDEN, device=BOARD)
    made = measure(block(), request(), golden=GOLDEN, device=virtual)
    assert made.emulated
    assert made.series != real.series


@pytest.mark.parametrize("change", ["batch", "threads", "passes", "warmup", "model", "cell"])
def test_a_series_is_its_controlled_variables(change: str) -> None:
    other: dict[str, Any] = {"threads": 4, "passes": 9, "warmup": 9, "model": "other"}
    asked = request(**{k: v for k, v in other.items() if k == change})
    done = block(
        **({"batch": 1} if change == "batch" else {"cell": "two"} if change == "cell" else {})
    )
    base = measure(block(), request(), golden=GOLDEN, device=BOARD)
    assert measure(done, asked, golden=GOLDEN, device=BOARD).series != base.series
    night = request(run="r9", seed=9, tool="0.2", entrants=(Entrant("one", "9" * 64),))
    assert measure(block(), night, golden=GOLDEN, device=BOARD).series == base.series


def test_the_sentinel_tells_a_board_that_slowed_down() -> None:
    asked = request()
    ends = [block(block=0), block(block=4, result={"samples_ns": [5000000] * 3})]
    assert sentinel_ratio(ends, asked) == 1.25
    rows = measurements(ends, asked, golden=GOLDEN, device=BOARD)
    assert [row.environment["sentinel_ratio"] for row in rows] == [1.25]
    assert sentinel_ratio(ends[:1], asked) is None


def test_order_comes_from_the_seed() -> None:
    cells, batches = [f"c{n}" for n in range(5)], (1, 2, 4, 8)
    first = blocks(cells, batches, 1)
    assert first == blocks(cells, batches, 1)
    assert first != blocks(cells, batches, 2)
    assert {(b.cell, b.batch) for b in first[:-1]} == {(c, n) for c in cells for n in batches}
    assert len(first) == 21
    assert first[0].batch == 1
    assert first[-1] == replace(first[0], index=20, sentinel=True)
    assert [b.cell for b in first] != sorted(b.cell for b in first)


def test_the_plan_is_what_the_agent_reads() -> None:
    assert plan_text(request()).splitlines()[0] == "0 one 1 3 1 2 7200"
    assert len(run_files(request())) < 100_000


def test_a_request_survives_the_journey_and_a_newer_one_is_refused() -> None:
    text = json.dumps(asdict(request()))
    assert read_request(text) == request()
    newer = json.dumps(asdict(request(version=2, tool="9.0")))
    with pytest.raises(BenchError, match=r"started by buildmatrix 9\.0"):
        read_request(newer)


@pytest.mark.parametrize("name", ["../x", "a b", "$(id)", "", "current", "x.previous", "-r"])
def test_hostile_names_reach_no_shell(shell: LocalShell, name: str) -> None:
    with pytest.raises(InputError):
        bench.start(shell, request(run=name))
    with pytest.raises(InputError):
        bench.start(shell, request(entrants=(Entrant(name, "1" * 64),) if name != "current"
                                   else (Entrant("a", "../x"),)))  # fmt: skip
    with pytest.raises(InputError):
        bench.forget(shell, name)
    assert shell.scripts == []


def journal_line(number: int) -> str:
    fields = {"block": number, "cell": "one", "batch": 1, "exit": 0, "started": 1, "seconds": 1}
    return json.dumps(fields | {"before": {}, "after": {}, "stdout": "", "stderr_tail": ""})


def test_only_the_last_line_may_be_torn() -> None:
    whole = journal_line(0) + "\n" + journal_line(1)
    assert [b.block for b in parse(whole + "\n")] == [0, 1]
    for cut in range(len(journal_line(0)) + 1, len(whole)):
        assert [b.block for b in parse(whole[:cut])] == [0]
    with pytest.raises(BenchError, match="line 1 of the journal is not a block"):
        parse(whole[5:] + "\n")


def test_a_run_is_named_by_its_moment() -> None:
    assert run_id(datetime(2026, 11, 20, 19, 5, tzinfo=UTC), "c0ffee") == "20261120T190500Z-c0ffee"


def as_numpy(output: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in output]


finite = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(st.none() | finite, finite), max_size=6), st.booleans())
def test_the_error_is_the_one_the_reference_computes(
    pairs: list[tuple[float | None, float]], longer: bool
) -> None:
    output, expected = [o for o, _ in pairs], [e for _, e in pairs]
    output += [1.0] * longer
    ours = max_relative_error(output, expected)
    assert ours == pytest.approx(
        reference.max_relative_error(as_numpy(output), expected), rel=1e-12
    )
