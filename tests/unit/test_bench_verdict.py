"""Journal to measurements: correct before fast, disturbed is void, and every reason has figures."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from buildmatrix import reference
from buildmatrix.bench import door, events
from buildmatrix.bench.journal import BlockResult, parse, readable
from buildmatrix.bench.request import Entrant, Request
from buildmatrix.bench.verdict import Golden, max_relative_error, measure, measurements
from buildmatrix.errors import BenchError
from buildmatrix.nouns import DeviceInfo, LayerFigures, Measurement, Right, Status
from buildmatrix.summary import rows

FACTS = {"toolchain": "armv7hf", "flags": ["-O2"], "stack": "caffe"}
REQUEST = Request(
    run="r1",
    model="face-cnn",
    model_version="v1",
    entrants=(Entrant("one", "1" * 64, FACTS), Entrant("two", "2" * 64, FACTS)),
    batches=(1, 2),
    passes=3,
    warmup=1,
    threads=2,
    seed=7,
    tool="0.1.0",
)
GOLDEN = Golden((0.25, 0.75), {"float32": 1e-3, "float16": 0.1})
BOARD = DeviceInfo(
    name="pi3",
    model="Raspberry Pi 3 Model B Rev 1.2",
    kernel="6.1",
    machine="armv7l",
    elf_machine="EM_ARM",
    cpu_parts=("0xd03",),
    features=frozenset({"neon", "vfpv4"}),
    cores=4,
    memory_kib=1000000,
    memory_available_kib=900000,
    disk_free_kib=9000000,
    libc="2.36",
    emulated="",
    load1=0.1,
)
VIRTUAL = replace(BOARD, emulated="device tree says 'linux,dummy-virt'")
QUIET: dict[str, Any] = {
    "max_khz": 1200000,
    "cur_khz": 1200000,
    "governor": "performance",
    "millicelsius": 50000,
    "throttled": "0x0",
    "load1": 0.1,
    "swapped": 0,
    "busy_ticks": 1000,
    "uptime": 50.0,
    "available_kib": 748544,
}
AFTER = QUIET | {"busy_ticks": 1410, "uptime": 60.0}  # 4.1 s of all cores in 10 s


def block(**changes: Any) -> BlockResult:
    result: dict[str, Any] = {
        "version": 1,
        "engine": "caffe",
        "batch": 2,
        "threads": 2,
        "passes": 3,
        "warmup": 1,
        "status": "ok",
        "message": "",
        "first_pass_ns": 9,
        "samples_ns": [4000000] * 3,
        "peak_rss_kib": 1000,
        "instructions": 600,
        "page_faults_major": 0,
        "output": [0.25, 0.75],
        "batch_max_abs_diff": 0.0,
        "repeat_identical": True,
        "number_format": "float32",
        "cpu_ns": 4_000_000_000,
        "probe_ns": [3_000_000, 3_100_000],
    }
    fields: dict[str, Any] = {
        "block": 0,
        "round": 0,
        "sentinel": False,
        "cell": "one",
        "batch": 2,
        "exit": 0,
        "started": 1795201500,
        "seconds": 10,
        "before": QUIET,
        "after": AFTER,
        "stderr_tail": "",
        "result": result | changes.pop("result", {}),
    }
    return BlockResult(**(fields | changes))


TOLD = {
    "cores": "4-5",
    "classes": [1, 0, 1, 1],
    "layers": [["conv1", 6_000_000, 1200], ["prob", 300_000, None]],
}
TRAINED = replace(GOLDEN, labels=(1, 0, 0, 1))
BOUND = replace(REQUEST, cores="4-5", layers=True)


def test_what_was_asked_beside_times_is_kept_with_the_row() -> None:
    made = measure(block(result=TOLD), BOUND, golden=TRAINED, device=BOARD)
    (row,) = rows([made])
    assert (row.status, row.right) == (Status.OK, Right(3, 4))
    assert row.layers == (LayerFigures("conv1", 1.0, 200.0), LayerFigures("prob", 0.05, None))
    assert row.conditions.pinned == "4-5"
    assert made.series != judged(block()).series, "bound to other cores is another figure"


def test_rows_that_were_asked_nothing_are_as_ever() -> None:
    made = judged(block(result={"cores": "0-3", "classes": None, "layers": None}))
    assert not {"cores", "held_out", "layers"} & made.environment.keys()
    assert made.series == judged(block()).series
    (row,) = rows([made])
    assert (row.right, row.layers, row.silence, row.conditions.pinned) == (None, (), "", None)


def test_a_stack_that_tells_nothing_of_its_layers_says_so() -> None:
    silent = {"cores": "4-5", "layers": None, "layers_message": "this stack does not tell"}
    (row,) = rows([measure(block(result=silent), BOUND, golden=TRAINED, device=BOARD)])
    assert (row.layers, row.silence) == ((), "this stack does not tell")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cores": "0-3"}, "asked for cores 4-5, the runner says 0-3"),
        ({"cores": None}, "asked for cores 4-5, the runner says none"),
        ({"classes": [1, 0]}, "2 answers for 4 pictures that were held out"),
    ],
)
def test_an_answer_to_something_else_is_a_failure(change: dict[str, Any], reason: str) -> None:
    done = block(result={**TOLD, **change})
    made = measure(done, BOUND, golden=TRAINED, device=BOARD)
    assert (made.status, made.void_reason) == (Status.FAILED, reason)


@pytest.mark.parametrize(
    "change", [{"classes": [1, "one"]}, {"layers": [["conv1", -1, 0]]}, {"layers": [["conv1"]]}]
)
def test_words_that_are_no_answer_are_none(change: dict[str, Any]) -> None:
    assert next(iter(change)) in door.fault({**TOLD, **change})
    assert door.fault(TOLD) == ""


def test_every_clock_of_the_board_is_watched() -> None:
    """Those of the big cores too: cpu0's alone would say that all is well."""
    held = AFTER | {"limits_khz": "1416000 1800000", "clocks_khz": "1416000 408000"}
    made = judged(block(after=held, before=QUIET | {"limits_khz": "1416000 1800000"}))
    assert made.status is Status.VOID
    assert made.void_reason == "the clock stood at 408000 kHz, its limit is 1800000 kHz"


def judged(done: BlockResult, device: DeviceInfo = BOARD, **more: Any) -> Measurement:
    return measure(done, REQUEST, golden=GOLDEN, device=device, **more)


EIGHTS = replace(GOLDEN, tolerances={"int8": 2.0}, step=1 / 256, answerer="LiteRT")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"output": [0.25 + 2 / 256, 0.75 - 2 / 256]}, ""),
        ({"output": [0.25, 0.75], "batch_max_abs_diff": 2 / 256}, ""),
        ({"output": [0.25, 0.75 - 3 / 256]}, "off by 3.0 steps of 0.00391, allowed are 2"),
        ({"output": [None, 0.75]}, "the output is not finite"),
        (
            {"output": [0.25, 0.75], "batch_max_abs_diff": 3 / 256},
            "images of one batch have different answers (1.2e-02 apart)",
        ),
    ],
)
def test_a_quantized_output_is_judged_in_its_steps(result: dict[str, Any], words: str) -> None:
    done = block(result=result | {"number_format": "int8"})
    row = measure(done, REQUEST, golden=EIGHTS, device=BOARD)
    assert (row.status, row.void_reason) == (Status.WRONG if words else Status.OK, words)
    told = {name: row.environment[name] for name in ("tolerance", "step", "answerer")}
    assert told == {"tolerance": 2.0, "step": 1 / 256, "answerer": "LiteRT"}
    assert not {"step", "answerer"} & judged(block()).environment.keys()


def test_a_quantized_output_that_should_be_zero_is_right_beside_it() -> None:
    """No relative error of it is a number: the row has none."""
    done = block(result={"output": [0.0, 1 / 256], "number_format": "int8"})
    row = measure(done, REQUEST, golden=replace(EIGHTS, expected=(0.0, 0.0)), device=BOARD)
    assert (row.status, row.max_rel_error) == (Status.OK, None)


def test_a_right_answer_publishes_its_time() -> None:
    row = judged(block(block=4, round=1))
    assert (row.status, row.mean_ms_per_image, row.max_rel_error) == (Status.OK, 2.0, 0.0)
    assert (row.block, row.round, row.sentinel) == (4, 1, False)
    assert row.taken_at == "2026-11-20T19:05:00+00:00"
    assert not row.emulated
    assert (row.environment["number_format"], row.environment["tolerance"]) == ("float32", 1e-3)
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
    row = judged(block(result=result))
    assert (row.status, row.void_reason) == (Status.WRONG, words)
    assert (row.samples_ns, row.first_pass_ns, row.instructions) == ((), None, None)
    assert row.mean_ms_per_image is None


@pytest.mark.parametrize(
    ("numbers", "status", "reason", "tolerance"),
    [
        ("float16", Status.OK, "", 0.1),
        ("float32", Status.WRONG, "off by 4.0e-02, allowed is 1.0e-03", 1e-3),
        (None, Status.WRONG, "off by 4.0e-02, allowed is 1.0e-03", 1e-3),  # an older runner
        (
            "bfloat16",
            Status.FAILED,
            "the runner computes in bfloat16, for which the model has no tolerance",
            None,
        ),
    ],
)
def test_the_tolerance_is_that_of_the_number_format(
    numbers: str | None, status: Status, reason: str, tolerance: float | None
) -> None:
    row = judged(block(result={"output": [0.26, 0.74], "number_format": numbers}))
    assert (row.status, row.void_reason) == (status, reason)
    assert row.environment["tolerance"] == tolerance


EVERYWHERE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"throttled": "0x50005"}, {}, "throttled (firmware bits 0x5)"),
    ({"max_khz": 600000}, {}, "clock limit moved from 1200000 to 600000 kHz"),
    ({"cur_khz": 1130000}, {}, "the clock stood at 1130000 kHz, its limit is 1200000 kHz"),
    ({"swapped": 12}, {}, "the board swapped 12 pages"),
    ({}, {"page_faults_major": 3}, "3 major page faults during the timed passes"),
]
ON_HARDWARE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"probe_ns": [3000000, 3330000]}, "the processor was 11% slower at the end"),
    ({}, {"probe_ns": [3500000, 3000000]}, "the processor was 14% faster at the end"),
    (
        {},
        {"probe_ns": [3500000, 3600000]},
        "the processor was 17% slower than in the run's fastest block",
    ),
    ({"busy_ticks": 1540}, {}, "others took 1.4 s of processor time in 10.0 s"),
]


@pytest.mark.parametrize(("after", "result", "words"), EVERYWHERE + ON_HARDWARE)
def test_a_disturbed_block_is_void_and_keeps_its_samples(
    after: dict[str, Any], result: dict[str, Any], words: str
) -> None:
    row = judged(block(after=AFTER | after, result=result), fastest=3_000_000)
    assert (row.status, row.void_reason, len(row.samples_ns)) == (Status.VOID, words, 3)
    assert row.mean_ms_per_image is None


@pytest.mark.parametrize(("after", "result", "words"), EVERYWHERE + ON_HARDWARE)
def test_under_emulation_times_and_load_void_nothing(
    after: dict[str, Any], result: dict[str, Any], words: str
) -> None:
    row = judged(block(after=AFTER | after, result=result), VIRTUAL, fastest=3_000_000)
    real = (after, result, words) in EVERYWHERE
    assert (row.status, row.void_reason) == ((Status.VOID, words) if real else (Status.OK, ""))


@pytest.mark.parametrize(("limit", "void"), [(0, False), (81, False), (80, True)])
def test_a_block_that_ended_hotter_than_was_allowed_is_void(limit: int, void: bool) -> None:
    request = replace(REQUEST, max_celsius=limit)
    hot = block(after=AFTER | {"millicelsius": 80500})
    row = measure(hot, request, golden=GOLDEN, device=BOARD)
    words = "the board had 80.5 °C, the limit is 80 °C" if void else ""
    assert (row.status, row.void_reason) == (Status.VOID if void else Status.OK, words)
    blind = block(before=QUIET | {"millicelsius": None}, after=AFTER | {"millicelsius": None})
    assert measure(blind, request, golden=GOLDEN, device=BOARD).status is Status.OK


def test_passes_at_two_speeds_are_void_on_hardware() -> None:
    request = replace(REQUEST, passes=40)
    samples = [4_000_000 + n for n in range(20)] + [8_000_000 + n for n in range(20)]
    done = block(result={"samples_ns": samples, "passes": 40})
    real, made = (measure(done, request, golden=GOLDEN, device=d) for d in (BOARD, VIRTUAL))
    assert (real.status, made.status) == (Status.VOID, Status.OK)
    assert real.void_reason.startswith("two speeds: ")


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        ({"throttled": "0x50000"}, {"throttled": "0x50000"}, {}),  # long ago
        ({}, {"governor": "ondemand", "cur_khz": 600000}, {}),  # that is its nature
        ({}, {"cur_khz": None, "governor": ""}, {}),  # a board without a clock to read
        ({}, {"busy_ticks": 1500}, {}),  # others took 1 s of 10
        ({}, {"busy_ticks": 9000}, {"cpu_ns": None}),  # a runner that does not say
        ({}, {}, {"probe_ns": None}),
        ({}, {}, {"probe_ns": [3000000, 3290000]}),
        (
            {"busy_ticks": 0, "uptime": 50.0},
            {"busy_ticks": 59, "uptime": 50.9},
            {"cpu_ns": 410_000_000},
        ),  # starting a short block
    ],
)
def test_what_is_no_disturbance(
    before: dict[str, Any], after: dict[str, Any], result: dict[str, Any]
) -> None:
    done = block(before=QUIET | before, after=AFTER | after, result=result)
    assert judged(done, fastest=3_000_000).status is Status.OK


def test_the_fastest_probe_is_that_of_the_run() -> None:
    blocks = [block(block=n, result={"probe_ns": [ns, ns]}) for n, ns in enumerate((300, 320, 400))]
    rows = measurements(blocks, REQUEST, golden=GOLDEN, device=BOARD)
    assert [row.status for row in rows] == [Status.OK, Status.OK, Status.VOID]
    assert rows[2].void_reason == "the processor was 33% slower than in the run's fastest block"


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
    row = judged(block(result=result))
    assert (row.status, row.void_reason) == (Status.FAILED, words)


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        (
            {"needs_kib": 1130496, "available_kib": 748544, "by": [32, 64]},
            "needs about 1,104 MB by batches 32 and 64, 731 MB are free",
        ),
        ({"out_of_memory": 64}, "batch 64 ran out of memory"),
    ],
)
def test_a_skipped_block_says_why(why: dict[str, Any], reason: str) -> None:
    row = judged(block(skipped=why, after=None, result={}))
    assert (row.status, row.void_reason, row.samples_ns) == (Status.SKIPPED, reason, ())


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (
            {"exit": 137, "result": {"peak_rss_kib": None}},
            "out of memory, 731 MB were free; the largest batch that ran is 4",
        ),
        (
            {"exit": 3, "result": {"status": "oom", "peak_rss_kib": 830000}},
            "out of memory at a peak of 811 MB; the largest batch that ran is 4",
        ),
        (
            {"exit": 0, "result": {"status": "oom", "peak_rss_kib": None}},
            "out of memory, 731 MB were free; the largest batch that ran is 4",
        ),
        (
            {"exit": 3, "before": {}, "result": {"status": "oom", "peak_rss_kib": None}},
            "out of memory; the largest batch that ran is 4",
        ),
    ],
)
def test_out_of_memory_tells_what_is_known(end: dict[str, Any], reason: str) -> None:
    ran = block(block=1, batch=4, result={"batch": 4, "output": [0, 0]})  # wrong, but it ran
    rows = measurements([ran, block(block=2, batch=8, **end)], REQUEST, golden=GOLDEN, device=BOARD)
    assert (rows[1].status, rows[1].void_reason) == (Status.OOM, reason)


# ---- series

OTHER: dict[str, dict[str, Any]] = {
    "threads": {"threads": 4},
    "passes": {"passes": 9},
    "warmup": {"warmup": 9},
    "model": {"model": "other"},
    "model version": {"model_version": "v2"},
    "bundle": {"entrants": (Entrant("one", "9" * 64, FACTS),)},
    "flags": {"entrants": (Entrant("one", "1" * 64, FACTS | {"flags": ["-O3"]}),)},
    "toolchain": {"entrants": (Entrant("one", "1" * 64, FACTS | {"toolchain": "aarch64"}),)},
}
SAME: dict[str, dict[str, Any]] = {
    "night": {"run": "r9", "seed": 9, "tool": "0.2", "owner": "x", "rounds": 9, "retakes": 0},
    "name": {"entrants": (Entrant("one", "1" * 64, FACTS | {"stack": "other"}),)},
}


@pytest.mark.parametrize("change", [*OTHER, *SAME])
def test_a_series_is_its_controlled_variables(change: str) -> None:
    request = replace(REQUEST, **(OTHER | SAME)[change])
    row = measure(block(), request, golden=GOLDEN, device=BOARD)
    assert (row.series == judged(block()).series) == (change in SAME)


def test_a_series_is_of_one_kind_of_board() -> None:
    series = judged(block()).series
    assert judged(block(), replace(BOARD, name="other", kernel="6.6")).series == series
    unnamed = replace(BOARD, model="")
    others = [
        VIRTUAL,
        replace(BOARD, cpu_parts=("0xd08",)),
        unnamed,
        replace(unnamed, name="other"),
    ]
    assert len({series, *(judged(block(), device).series for device in others)}) == 5
    assert judged(block(batch=1, result={"batch": 1})).series != series


# ---- the journal


def journal_line(number: int) -> str:
    fields = {
        "block": number,
        "round": 0,
        "sentinel": False,
        "cell": "one",
        "batch": 1,
        "exit": 0,
        "started": 1,
        "seconds": 1,
    }
    return json.dumps(fields | {"before": {}, "after": {}, "stdout": "", "stderr_tail": ""})


EVENT = json.dumps({"event": "conditions", "at": 1, "governor": "performance"})


def test_only_the_last_line_may_be_torn() -> None:
    whole = journal_line(0) + "\n" + journal_line(1)
    assert [b.block for b in parse(whole + "\n").blocks] == [0, 1]
    for cut in range(len(journal_line(0)) + 1, len(whole)):
        assert [b.block for b in parse(whole[:cut]).blocks] == [0]


@pytest.mark.parametrize(
    "why",
    [{"ouory": 2}, {"by": [1, 2]}, {"needs_kib": 2, "available_kib": 1}, {"out_of_memory": None}],
)
def test_a_skipped_block_that_does_not_say_why_is_named(why: dict[str, Any]) -> None:
    line = json.loads(journal_line(0))
    names = ("block", "round", "sentinel", "cell", "batch", "started", "before")
    kept = {name: line[name] for name in names}
    with pytest.raises(BenchError, match="line 2 of the journal is not a block"):
        parse(f"{EVENT}\n{json.dumps(kept | {'skipped': why})}\n{journal_line(1)}\n")
    parse(f"{EVENT}\n{json.dumps(kept | {'skipped': {'out_of_memory': 2}})}\n")


@pytest.mark.parametrize(
    "line",
    [
        journal_line(0)[5:],
        "",
        "[]",
        "7",
        '{"block":1}',
        '{"block":1,"skipped":{}}',
        journal_line(0).replace('"exit": 0, ', ""),
        journal_line(0).replace('"after"', '"later"'),
    ],
)
def test_any_other_line_is_named(line: str) -> None:
    with pytest.raises(BenchError, match="line 2 of the journal is not a block"):
        parse(f"{EVENT}\n{line}\n{journal_line(1)}\n")


def test_events_stand_beside_blocks_and_a_block_counts_once() -> None:
    skipped = json.dumps(
        {
            "block": 2,
            "round": 0,
            "sentinel": False,
            "cell": "one",
            "batch": 4,
            "started": 1,
            "before": {},
            "skipped": {"out_of_memory": 2},
        }
    )
    again = journal_line(0).replace('"exit": 0', '"exit": 1')
    journal = parse("\n".join([EVENT, journal_line(0), again, skipped, ""]))
    assert [(b.block, b.exit) for b in journal.blocks] == [(0, 0), (2, 0)]
    assert journal.blocks[1].skipped == {"out_of_memory": 2}
    assert [event["governor"] for event in journal.events] == ["performance"]


# ---- the error


def as_numpy(output: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in output]


finite = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(st.none() | finite, finite), max_size=6), st.booleans())
@example([(1.0, 2.225073858507e-311)], False)  # its share is beyond what a float64 holds
def test_the_error_is_the_one_the_reference_computes(
    pairs: list[tuple[float | None, float]], longer: bool
) -> None:
    output, expected = [o for o, _ in pairs], [e for _, e in pairs]
    output += [1.0] * longer
    ours = max_relative_error(output, expected)
    assert ours == pytest.approx(
        reference.max_relative_error(as_numpy(output), expected), rel=1e-12
    )


# ---- the door: what is stored can always be read


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("started", 10**30, "started"),
        ("batch", 0, "batch"),
        ("before", {"throttled": "many"}, "before.throttled"),
        ("before", {"millicelsius": "hot"}, "before.millicelsius"),
        ("before", {"swapped": "x"}, "before.swapped"),
        ("after", {"uptime": math.nan}, "NaN"),
        ("cell", "\ud800", "surrogates"),
        ("exit", None, "exit"),
    ],
)
def test_a_line_that_could_not_be_kept_is_refused_by_name(
    field: str, value: object, words: str
) -> None:
    line = json.dumps(json.loads(journal_line(0)) | {field: value})
    with pytest.raises(BenchError, match="line 1 of the journal is not a block") as caught:
        parse(line + "\n")
    assert words in caught.value.details
    assert readable(f"{line}\n{journal_line(1)}\n").blocks[0].block == 1


def test_a_number_that_overflows_is_refused_wherever_it_stands() -> None:
    line = journal_line(0).replace('"before": {', '"before": {"another": 1411e9990', 1)
    with pytest.raises(BenchError, match="line 1 of the journal is not a block") as caught:
        parse(line + "\n")
    assert "not JSON compliant" in caught.value.details


@pytest.mark.parametrize("answer", [{"output": ["x"]}, {"samples_ns": [-1]}, {"probe_ns": "no"}])
def test_a_runner_that_answers_in_another_form_failed_and_says_where(
    answer: dict[str, Any],
) -> None:
    line = json.loads(journal_line(0)) | {"cell": "one", "stdout": json.dumps(answer)}
    (found,) = parse(json.dumps(line) + "\n").blocks
    row = judged(found)
    assert row.status is Status.FAILED
    assert f"the runner's line is none: {next(iter(answer))}" in row.void_reason


@pytest.mark.parametrize("event", ["takeover", "resumed", "unrestored", "conditions", "other"])
def test_an_event_that_tells_less_is_read_all_the_same(event: str) -> None:
    (found,) = parse(json.dumps({"event": event}) + "\n").events
    assert isinstance(events.words(found), str)


def test_a_block_that_nobody_asked_for_is_a_clean_error() -> None:
    with pytest.raises(BenchError, match="which run r1 did not ask for"):
        judged(block(cell="stranger"))


mutated = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(name=st.sampled_from([*json.loads(journal_line(0)), "event", "skipped"]), value=mutated)
def test_no_journal_raises_anything_but_a_clean_error(name: str, value: object) -> None:
    line = json.dumps(json.loads(journal_line(0)) | {name: value})
    try:
        journal = parse(line + "\n")
    except BenchError:
        return
    for event in journal.events:
        assert isinstance(events.words(event), str)
    for found in journal.blocks:
        try:
            row = judged(found)
        except BenchError:
            continue
        assert json.dumps(row.environment, allow_nan=False)
