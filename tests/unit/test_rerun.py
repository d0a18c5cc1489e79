"""The archive of a row: unpacked and repeated with nothing but sh, and never trusted blindly."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildmatrix import bundle, rerun
from buildmatrix.bench.request import Entrant, Request
from buildmatrix.bench.verdict import Golden, max_relative_error, wrong
from buildmatrix.errors import InputError
from buildmatrix.nouns import Bundle, FileRecord, Measurement, Run, Status
from buildmatrix.summary import rows
from tests.documents import valid

if TYPE_CHECKING:
    from collections.abc import Sequence

CELL = "caffe-openblas-0.3.34-neon"
REQUEST = Request(
    run="20261120T190500Z-c0ffee",
    model="face-cnn",
    entrants=(Entrant(CELL, "b" * 64),),
    batches=(1, 2),
    passes=3,
    warmup=1,
    threads=2,
    seed=7,
    rounds=2,
    owner="ann@desk",
)
RUN = Run(
    id=REQUEST.run,
    device="pi3",
    emulated=False,
    request=asdict(REQUEST),
    journal="",
    collected_at="2026-11-20T19:45:00+00:00",
)
NAME = f"{CELL}-{RUN.id}"
DEVICE = {
    "name": "pi3",
    "model": "Raspberry Pi 3 Model B Rev 1.2",
    "kernel": "Linux 6.1",
    "emulated": "",
    "elf_machine": "EM_X86_64",  # of the machine that runs these tests: it emulates nothing
}
EXPECTED = (0.25, 0.75)
RIGHT = "[0.25,0.75]"
# Says how it was called, and answers as the runner does; $extra may change the answer.
RUNNER = r"""#!/bin/sh
echo "$* $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS" >> calls
while [ $# -gt 0 ]; do case $1 in
    --model) model=$2 ;; --batch) batch=$2 ;; --passes) passes=$2 ;; esac; shift 2; done
[ -f "$model/expected.f64" ] || exit 4
echo "I1120 loading" >&2
output='[0.25,0.75]' status=ok message= diff=0 same=true instructions=$((passes * batch * 4000000))
%s
samples=$(i=0; while [ $i -lt $passes ]; do printf "$c${batch}0000000"; c=,; i=$((i+1)); done)
printf '{"version":1,"engine":"fake, \\"samples_ns\\":[9]",'
printf '"batch":%%s,"status":"%%s",' $batch $status
printf '"message":"%%s","first_pass_ns":5,"samples_ns":[%%s],' "$message" $samples
printf '"peak_rss_kib":900,"instructions":%%s,"output":%%s,' $instructions "$output"
printf '"batch_max_abs_diff":%%s,"repeat_identical":%%s}\n' $diff $same
"""


class Objects:
    """Stored content, which nobody may read in one piece."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def open(self, sha256: str) -> BinaryIO:
        class Small(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                assert size is not None
                assert 0 < size <= 1 << 20
                return super().read(size)

        return Small(self.content[sha256])


def made(
    tmp_path: Path, extra: str = "", expected: Sequence[float] = EXPECTED
) -> tuple[Bundle, Objects]:
    """A bundle whose runner is a shell script, and its content."""
    work = tmp_path / "made"
    shutil.rmtree(work, ignore_errors=True)
    (work / "model").mkdir(parents=True)
    (work / "runner").write_text(RUNNER % extra)
    (work / "libx.so.0").write_bytes(b"\177ELF" * 300_000)  # more than one read
    (work / "model/expected.f64").write_bytes(struct.pack(f"<{len(expected)}d", *expected))
    packed = bundle.assemble(
        work / "bundle",
        cell=CELL,
        runner=work / "runner",
        material={},
        libraries={"libx.so.0": work / "libx.so.0"},
        model=work / "model",
    )
    objects = Objects()
    for record in packed.files:
        content = (work / "bundle" / record.path).read_bytes()
        objects.content[hashlib.sha256(content).hexdigest()] = content
    return packed, objects


def blocks(packed: Bundle, **changes: Any) -> list[Measurement]:
    """Round 0: batch 1, 2; round 1: 2, 1; a void block was taken again in a retake round."""
    turns = [(1, 0, 1), (3, 0, 2), (6, 1, 2), (8, 1, 1), (11, 2, 2)]
    block = Measurement(
        run=RUN.id,
        cell=CELL,
        device="pi3",
        emulated=False,
        model="face-cnn",
        batch=1,
        threads=2,
        passes=3,
        status=Status.OK,
        peak_rss_kib=40000,
        max_rel_error=1e-6,
        bundle=packed.digest,
        environment={
            "device": DEVICE,
            "tolerance": 1e-4,
            "before": {"throttled": "0x0"},
            "facts": {"flags": "-O2"},
        },
    )
    return [
        replace(
            block,
            block=index,
            round=turn,
            batch=batch,
            samples_ns=(batch * 20_000_000,) * 3,
            instructions=batch * 3 * 4_000_000,
            **changes,
        )
        for index, turn, batch in turns
    ]


PER = "an image"


def pack(
    tmp_path: Path,
    extra: str = "",
    expected: Sequence[float] = EXPECTED,
    per: str = PER,
    **changes: Any,
) -> rerun.Archive:
    packed, objects = made(tmp_path, extra, expected)
    found = rows(blocks(packed, **changes))
    return rerun.pack(found, packed, RUN, objects, folder=tmp_path / "out", per=per)


def tools(tmp_path: Path, *, without: Sequence[str] = (), busybox: bool = False) -> str:
    """A PATH with little on it: the tools that rerun.sh names, and tar's."""
    folder = tmp_path / "tools"
    folder.mkdir(exist_ok=True)
    for name in {"sh", "tar", "gzip", "sha256sum", "awk", "od"} - {*without}:
        program = shutil.which("busybox" if busybox else name)
        assert program
        (folder / name).symlink_to(program)
    return str(folder)


def board(
    packed: rerun.Archive, path: str, arguments: str = ""
) -> subprocess.CompletedProcess[str]:
    """The one command, where the archive lies."""
    return subprocess.run(
        ["sh", "-c", f"{packed.command} {arguments}"],
        cwd=packed.path.parent,
        check=False,
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )


def calls(packed: rerun.Archive) -> list[str]:
    """How the runner was called, in order; empty when it was not."""
    found = packed.path.parent / NAME / "calls"
    return found.read_text().splitlines() if found.exists() else []


def lines(said: str) -> dict[str, list[str]]:
    """Rows of the table by batch size."""
    split = [line.split() for line in said.splitlines()]
    return {words[0]: words[1:] for words in split if words and words[0].isdigit()}


@pytest.mark.parametrize("busybox", [False, True], ids=["dash", "busybox"])
def test_one_command_repeats_the_row(tmp_path: Path, busybox: bool) -> None:
    packed = pack(tmp_path)
    assert packed.command == f"tar xzf {NAME}.tar.gz && sh {NAME}/rerun.sh"
    done = board(packed, tools(tmp_path, busybox=busybox))
    assert (done.returncode, done.stderr.count("running batch")) == (0, 4), done.stderr
    turn = "--model model --batch {} --passes 3 --warmup 1 --threads 2 2 2"
    assert calls(packed) == [turn.format(batch) for batch in (1, 2, 2, 1)]
    assert lines(done.stdout) == {
        "1": ["20.00", "10.00", "0.500", "4.000", "4.000", "1.000", "right"],
        "2": ["20.00", "10.00", "0.500", "4.000", "4.000", "1.000", "right"],
    }
    assert f"recorded on {DEVICE['model']}, Linux 6.1" in done.stdout
    assert "emulated" not in done.stdout
    kept = packed.path.parent / NAME / "results-1.jsonl"
    results = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [(r["batch"], r["exit"], r["result"]["status"]) for r in results] == [
        (batch, 0, "ok") for batch in (1, 2, 2, 1)
    ]
    assert "loading" in kept.with_suffix(".err").read_text()


@pytest.mark.parametrize("awk", [True, False])
def test_figures_are_of_what_was_measured(tmp_path: Path, awk: bool) -> None:
    """Of a library's own function they were said to be of an image."""
    path = tools(tmp_path, without=[] if awk else ["awk"])
    told = board(pack(tmp_path, per="a call"), path).stdout
    assert ("ms a call" in told, "instructions a call" in told) == (True, True)
    assert "an image" not in told


def test_the_count_of_a_short_call_keeps_its_digits(tmp_path: Path) -> None:
    """6518 instructions are 0.007 million to three places, as 6600 would be."""
    done = board(pack(tmp_path, extra="instructions=$((passes * batch * 6518))"), tools(tmp_path))
    assert lines(done.stdout)["1"][4:6] == ["0.006518", "0.002"]


def test_what_was_measured_is_in_row_json(tmp_path: Path) -> None:
    packed = pack(tmp_path)
    with tarfile.open(packed.path) as tar:
        text = cast("BinaryIO", tar.extractfile(f"{NAME}/row.json")).read().decode()
    row = valid("rerun", json.loads(text))
    assert (row["version"], row["run"], row["cell"], row["emulated"]) == (1, RUN.id, CELL, False)
    assert row["device"] == DEVICE
    assert row["settings"].items() >= {"rounds": 2, "warmup": 1, "seed": 7}.items()
    assert row["order"] == [1, 2, 2, 1]
    assert [(r["batch"], r["mean_ms_per_image"]) for r in row["rows"]] == [(1, 20.0), (2, 20.0)]
    block = row["rows"][1]["blocks"][2]
    assert (block["round"], block["samples_ns"]) == (2, [40_000_000] * 3)
    assert block["environment"] == {"tolerance": 1e-4, "before": {"throttled": "0x0"}}
    assert "ann@desk" not in text, "who asked is not part of what was measured"


def test_the_same_row_gives_the_same_bytes(tmp_path: Path) -> None:
    first = pack(tmp_path).path.read_bytes()
    os.utime(tmp_path / "made/bundle/lib/libx.so.0", (1, 1))
    again = pack(tmp_path)
    assert again.path.read_bytes() == first
    assert again.size == len(first)
    assert first[4:8] == bytes(4), "gzip's own time"
    with tarfile.open(again.path) as tar:
        members = tar.getmembers()
    assert [m.name.removeprefix(f"{NAME}/") for m in members] == [
        "SHA256SUMS",
        "bin/runner",
        "lib/libx.so.0",
        "manifest.json",
        "model/expected.f64",
        "rerun.sh",
        "row.json",
        "table.awk",
    ]
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {
        (0, 0, "", "", 1_795_203_900)  # 2026-11-20T19:45:00Z, when the run was collected
    }
    assert [m.name for m in members if m.mode & 0o111] == [f"{NAME}/bin/runner"]
    assert list(again.path.parent.iterdir()) == [again.path]


HARM = {
    "a flipped bit": "printf X | dd of={0}/lib/libx.so.0 bs=1 seek=9 conv=notrunc",
    "a missing file": "rm {0}/model/expected.f64",
    "another runner": "cp {0}/row.json {0}/bin/runner",
    "a list that is short": "sed -i '$d' {0}/SHA256SUMS",
    "no list": "rm {0}/SHA256SUMS",
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_of_damaged_files_nothing_is_run(tmp_path: Path, harm: str) -> None:
    packed = pack(tmp_path)
    unpack, again = packed.command.split(" && ")
    harmed = replace(packed, command=f"{unpack} && {harm.format(NAME)} && {again}")
    done = board(harmed, os.environ["PATH"])
    assert done.returncode == 3, done.stderr
    assert "nothing was run; unpack the archive again" in done.stderr
    assert calls(packed) == []
    if "libx" in harm:
        assert "damaged or missing: lib/libx.so.0" in done.stderr


BAD = {
    "off": ("output=[0.25,0.7502]", "WRONG: off by 2.7e-04, allowed is 1.0e-04"),
    "not finite": ("output=[0.25,null]", "WRONG: the output is not finite"),
    "short": ("output=[0.25]", "WRONG: 1 outputs instead of 2"),
    "images differ": ("diff=0.5", "WRONG: images of one batch have different answers (0.5 apart)"),
    "passes differ": ("same=false", "WRONG: the first and the last pass differ"),
    "its own words": ('status=error message="no {such}, layer"; bad=4', "no {such}, layer"),
    "memory": ("status=oom bad=3", "failed: out of memory"),
    "killed": ("kill -KILL $$", "failed: out of memory"),
    "another CPU": ("bad=132; exit", "failed: an illegal instruction: built for another CPU"),
    "ended after its answer": ("bad=4", "failed: exit status 4"),
    "torn": ("printf '{\"batch\":2,'; exit", "failed: exit status 0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("busybox", [False, True], ids=["mawk", "busybox"])
@pytest.mark.parametrize(("extra", "told"), BAD.values(), ids=BAD)
def test_a_wrong_answer_shows_no_time(tmp_path: Path, extra: str, told: str, busybox: bool) -> None:
    """Of one turn of batch 2; the other was right, and so was batch 1."""
    second = f"""[ "$batch $(grep -c 'batch 2' calls)" != "2 2" ] || {{ {extra}; }}"""
    packed = pack(tmp_path, f"bad=0; trap 'exit $bad' EXIT; {second}")
    done = board(packed, f"{tools(tmp_path, busybox=busybox)}:{os.environ['PATH']}")
    assert done.returncode == 1, done.stdout
    found = lines(done.stdout)
    assert found["1"][-1] == "right"
    assert found["2"][:3] == ["20.00", "-", "-"]
    assert found["2"][-1] == ("WRONG" if "WRONG" in told else "failed")
    assert f"batch 2: {found['2'][-1]}: " in done.stdout
    assert told in done.stdout


@pytest.mark.parametrize("busybox", [False, True], ids=["mawk", "busybox"])
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_its_judgement_is_that_of_bench(tmp_path: Path, busybox: bool, data: st.DataObject) -> None:
    """Many answers in one go, each as the output of its own batch size."""
    value = st.floats(-1e6, 1e6, width=32)
    expected = data.draw(st.lists(value, min_size=1, max_size=4))
    step = data.draw(st.sampled_from([0.0, 0.004]))
    near = st.tuples(
        *(
            st.sampled_from([e, *(e + n * step for n in (1, -2, 3, 2.4))])
            if step
            else st.sampled_from([e, e * 1.00005, e * 1.0002, e + 1e-5])
            for e in expected
        )
    )
    answers = data.draw(st.lists(near, min_size=1, max_size=20))
    folder = tmp_path / "expected.f64"
    folder.write_bytes(struct.pack(f"<{len(expected)}d", *expected))
    results = tmp_path / "results"
    line = '{{"batch":{},"exit":0,"result":{{"status":"ok","samples_ns":[1],"instructions":null,'
    line += '"output":{},"batch_max_abs_diff":0,"repeat_identical":true}}}}\n'
    results.write_text(
        "".join(
            line.format(i, json.dumps(answer, separators=(",", ":")))
            for i, answer in enumerate(answers, 1)
        )
    )
    tool = "busybox " if busybox else ""
    table = Path(rerun.__file__).with_name("table.awk")
    recorded = "\n".join(f"{i} ok 1 1" for i in range(1, len(answers) + 1))
    judging = {"tolerance": "2" if step else "0.0001", "step": repr(step)}
    done = subprocess.run(
        [
            "sh",
            "-c",
            f"{tool}od -A n -v -t f8 {folder} | {tool}awk -f {table} part=expected - "
            f"part=results {results}",
        ],
        env={**os.environ, "LC_ALL": "C", "recorded": recorded, **judging},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    found = [words[-1] for words in lines(done.stdout).values()]
    golden = Golden(expected, {"int8": 2.0 if step else 1e-4}, step=step)
    for answer, word in zip(answers, found, strict=True):
        result = {"output": answer, "batch_max_abs_diff": 0, "repeat_identical": True}
        error = max_relative_error(answer, expected)
        assert (word == "WRONG") == bool(wrong({**result, "number_format": "int8"}, golden, error))


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("awk", "batch 2: ns of each whole batch: 20000000,20000000,20000000"),
        ("od", "not checked: without od, answers are not compared"),
    ],
)
def test_what_cannot_be_checked_is_not_called_right(
    tmp_path: Path, missing: str, told: str
) -> None:
    done = board(pack(tmp_path), tools(tmp_path, without=[missing]))
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
    assert "not checked" in done.stdout
    assert "right" not in done.stdout


def test_files_that_cannot_be_checked_are_not_run(tmp_path: Path) -> None:
    packed = pack(tmp_path)
    done = board(packed, tools(tmp_path, without=["sha256sum"]))
    assert (done.returncode, calls(packed)) == (1, [])
    assert "there is no sha256sum here" in done.stderr


def test_a_failure_is_one_without_awk_too(tmp_path: Path) -> None:
    packed = pack(tmp_path, "[ $batch = 1 ] || exit 139")
    done = board(packed, tools(tmp_path, without=["awk"]))
    assert done.returncode == 1
    assert "batch 2: failed" in done.stdout


def test_an_emulated_time_is_marked_and_compared_with_nothing(tmp_path: Path) -> None:
    done = board(pack(tmp_path, emulated=True), os.environ["PATH"])
    assert done.returncode == 0
    assert lines(done.stdout)["1"][:3] == ["20.00", "10.00", "-"]
    assert lines(done.stdout)["1"][3:] == ["4.000", "4.000", "1.000", "right"]
    assert "such a time says nothing about a board" in done.stdout


def test_arm_on_another_processor_is_emulated_here(tmp_path: Path) -> None:
    device = {**DEVICE, "elf_machine": "EM_ARM"}
    packed = pack(tmp_path, environment={"device": device, "tolerance": 1e-4})
    done = board(packed, os.environ["PATH"])
    assert done.returncode == 0
    foreign = "vendor_id" in Path("/proc/cpuinfo").read_text()
    assert lines(done.stdout)["1"][2] == ("-" if foreign else "0.500")
    assert ("emulated" in done.stdout) is foreign


def test_a_row_without_a_time_says_why(tmp_path: Path) -> None:
    done = board(pack(tmp_path, status=Status.OOM, void_reason="out of memory"), os.environ["PATH"])
    assert lines(done.stdout)["2"][:3] == ["oom", "10.00", "-"]


@pytest.mark.slow
def test_flags_shorten_it_and_results_are_kept_apart(tmp_path: Path) -> None:
    packed = pack(tmp_path)
    assert board(packed, os.environ["PATH"], "--batch 2 --passes 1").returncode == 0
    assert [c.split()[3:6] for c in calls(packed)] == [["2", "--passes", "1"]] * 2
    done = board(packed, os.environ["PATH"], "--batch 1,2")
    assert len(calls(packed)) == 6
    assert set(lines(done.stdout)) == {"1", "2"}
    folder = packed.path.parent / NAME
    counts = [len((folder / f"results-{n}.jsonl").read_text().splitlines()) for n in (1, 2)]
    assert counts == [2, 4]


@pytest.mark.parametrize(
    "arguments",
    [
        "--batch 3",
        "--batch ''",
        "--batch 1,",
        "--batch '*'",
        "--passes 0",
        "--passes '1;id'",
        "--passes 1000000",
        "--passes",
        "--bath 1",
        "1",
    ],
)
def test_a_misunderstanding_runs_nothing(tmp_path: Path, arguments: str) -> None:
    packed = pack(tmp_path)
    done = board(packed, os.environ["PATH"], arguments)
    assert (done.returncode, done.stdout, calls(packed)) == (2, "", [])
    assert done.stderr.startswith("rerun.sh: ")


def test_help_names_the_flags_and_the_recorded_settings(tmp_path: Path) -> None:
    packed = pack(tmp_path)
    done = board(packed, os.environ["PATH"], "--help")
    assert (done.returncode, calls(packed)) == (0, [])
    for words in ("--batch LIST", "in order: 1 2 2 1", "--passes N", "recorded: 3", RUN.id):
        assert words in done.stdout


def test_a_board_may_call_itself_what_it_likes(tmp_path: Path) -> None:
    words = "Pi'; touch hurt; $(touch hurt) `touch hurt` \\033[2J %s\nfiles=0\x1b[2J"
    packed = pack(tmp_path, environment={"device": {**DEVICE, "model": words}, "tolerance": 1e-4})
    done = board(packed, os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    assert "Pi'; touch hurt; $(touch hurt) `touch hurt` \\033[2J %s?files=0?[2J" in done.stdout
    assert not list(packed.path.parent.rglob("hurt"))


def test_what_no_board_could_hold_is_refused(tmp_path: Path) -> None:
    packed, objects = made(tmp_path)
    found = blocks(packed)
    escaping = FileRecord("../bin/sh", "0" * 64, 1)
    refused: list[tuple[Bundle, Run, dict[str, Any]]] = [
        (packed, replace(RUN, id="../x"), {"run": "../x"}),
        (replace(packed, cell="a b"), RUN, {"cell": "a b"}),
        (replace(packed, files=(*packed.files, escaping)), RUN, {}),
    ]
    for odd, run, changes in refused:
        measured = rows(replace(block, **changes) for block in found)
        with pytest.raises(InputError):
            rerun.pack(measured, odd, run, objects, folder=tmp_path / "out", per=PER)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bundle": "1" * 64}, "it was built anew since"),
        ({"run": "r0"}, f"run {RUN.id} did not measure {CELL}"),
        ({"cell": "other"}, f"run {RUN.id} did not measure {CELL}"),
        ({"environment": {"device": DEVICE}}, "was judged by its answer"),
        ({"status": Status.SKIPPED}, "nothing of"),
    ],
)
def test_only_what_was_measured_is_packed(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    packed, objects = made(tmp_path)
    found = rows(replace(block, **changes) for block in blocks(packed))
    with pytest.raises(InputError, match=told):
        rerun.pack(found, packed, RUN, objects, folder=tmp_path / "out", per=PER)


@pytest.mark.parametrize("odd", [{}, {"device": None}, {"device": {"model": "Pi"}}])
def test_a_board_of_which_nothing_was_kept_is_named(tmp_path: Path, odd: dict[str, Any]) -> None:
    """A row may be another's, written by hand."""
    packed, objects = made(tmp_path)
    found = rows(replace(block, environment=odd) for block in blocks(packed))
    with pytest.raises(InputError, match=r"does not say of its board: .*elf_machine"):
        rerun.pack(found, packed, RUN, objects, folder=tmp_path / "out", per=PER)


@pytest.mark.parametrize("moment", ["", "yesterday", "12:00"])
def test_a_run_collected_at_no_time_is_named(tmp_path: Path, moment: str) -> None:
    packed, objects = made(tmp_path)
    run = replace(RUN, collected_at=moment)
    with pytest.raises(InputError, match="which is no time"):
        rerun.pack(rows(blocks(packed)), packed, run, objects, folder=tmp_path / "out", per=PER)
    assert not (tmp_path / "out").exists()


def test_a_pack_that_fails_leaves_nothing(tmp_path: Path) -> None:
    packed, objects = made(tmp_path)
    objects.content.clear()
    with pytest.raises(KeyError):
        rerun.pack(rows(blocks(packed)), packed, RUN, objects, folder=tmp_path / "out", per=PER)
    assert list((tmp_path / "out").iterdir()) == []
