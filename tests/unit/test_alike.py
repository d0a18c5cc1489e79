"""Only what was measured alike is compared: in compare, in the report and from night to night."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from buildmatrix import report
from buildmatrix.cli import verdicts_view
from buildmatrix.compare import Comparison, Verdict, compare
from buildmatrix.conditions import DECISIVE, conditions
from buildmatrix.nouns import Measurement, Run, Status
from buildmatrix.pipeline import project
from buildmatrix.pipeline.workshop import Workshop
from buildmatrix.records import write_document
from buildmatrix.results import Results
from buildmatrix.summary import rows
from buildmatrix.verdicts import comparing, nights, reporting
from tests.fakes import RecordingReporter
from tests.unit import projects

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent.parent
DEVICE: dict[str, Any] = {
    "model": "Raspberry Pi 3 Model B Rev 1.2",
    "cpu_parts": ["0xd03"],
    "cores": 4,
    "kernel": "6.1.21-v8+",
    "machine": "aarch64",
    "elf_machine": "EM_ARM",
    "libc": "2.36",
    "emulated": "",
    "governor": "ondemand",
}
ENVIRONMENT: dict[str, Any] = {
    "device": DEVICE,
    "before": {"max_khz": 1200000, "governor": "performance"},
    "warmup": 5,
    "model_version": "v1",
    "harness": 2,
    "tool": "0.1.0",
    "number_format": "float32",
    "facts": {"toolchain": "tc"},
}


def block(**changes: Any) -> Measurement:
    fields: dict[str, Any] = {
        "run": "base",
        "cell": "net-one",
        "device": "pi3",
        "emulated": False,
        "model": "face-cnn",
        "batch": 1,
        "threads": 4,
        "passes": 20,
        "status": Status.OK,
        "bundle": "b" * 64,
        "environment": ENVIRONMENT,
    }
    return Measurement(**fields | changes)


def blocks(ms: float, **changes: Any) -> list[Measurement]:
    """Ten blocks near `ms`, a percent apart at the most."""
    figures = [ms * (1 + (n * 7 % 10 - 4.5) / 1000) for n in range(10)]
    return [
        block(block=n, round=n, samples_ns=(round(one * 1e6),), **changes)
        for n, one in enumerate(figures)
    ]


def within(**changes: Any) -> dict[str, Any]:
    return {"environment": ENVIRONMENT | changes}


# One condition changed alone: what changes in a block, and the words that tell it.
UNLIKE: dict[str, tuple[dict[str, Any], str]] = {
    "device": ({"device": "pi4"}, "board pi3 against pi4"),
    "board": (
        within(device=DEVICE | {"model": "Raspberry Pi 4"}),
        "a Raspberry Pi 3 Model B Rev 1.2 against a Raspberry Pi 4",
    ),
    "cpu_parts": (
        within(device=DEVICE | {"cpu_parts": ["0xd08"]}),
        "processors 0xd03 against 0xd08",
    ),
    "cores": (within(device=DEVICE | {"cores": 2}), "4 cores against 2"),
    "model": ({"model": "lenet-5"}, "model face-cnn against lenet-5"),
    "model_version": (within(model_version="v2"), "version v1 of the model against v2"),
    "threads": ({"threads": 2}, "4 threads against 2"),
    "pinned": (within(cores=[0, 1]), "on cores unknown against 0 1"),
    "passes": ({"passes": 2}, "20 passes against 2"),
    "warmup": (within(warmup=0), "5 passes to warm up against 0"),
    "settle": (within(settle=True), "cold passes counted against left out"),
    "number_format": (within(number_format="int8"), "computed in float32 against int8"),
    "kernel_bits": (
        within(device=DEVICE | {"machine": "armv7l"}),
        "a kernel of 64 bits against 32",
    ),
    "kernel": (within(device=DEVICE | {"kernel": "6.6.31-v8+"}), "kernel 6.1 against 6.6"),
    "userland": (
        within(device=DEVICE | {"elf_machine": "EM_AARCH64"}),
        "userland EM_ARM against EM_AARCH64",
    ),
    "clock_limit_khz": (
        within(before={"max_khz": 1000000, "governor": "performance"}),
        "a clock limit of 1200000 kHz against 1000000",
    ),
    "governor": (
        within(before={"max_khz": 1200000, "governor": "powersave"}),
        "governor performance against powersave",
    ),
    "harness": (within(harness=3), "version 2 of the measuring harness against 3"),
    "unknown": (
        within(warmup=None),
        "5 passes to warm up against unknown",
    ),
}
REMARKED: dict[str, tuple[dict[str, Any], str]] = {
    "kernel's patches": (
        within(device=DEVICE | {"kernel": "6.1.63-v8+"}),
        "kernel release 6.1.21-v8+ against 6.1.63-v8+",
    ),
    "libc": (within(device=DEVICE | {"libc": "2.41"}), "libc 2.36 against 2.41"),
    "tool": (within(tool="0.2.0"), "measured by buildmatrix 0.1.0 against 0.2.0"),
    "toolchain": (within(facts={"toolchain": "other"}), "toolchain tc against other"),
}
OTHER: dict[str, Any] = {"run": "new", "bundle": "c" * 64}


def one(base: Sequence[Measurement], new: Sequence[Measurement], **more: Any) -> Comparison:
    (found,) = compare(rows(base), rows(new), **more)
    return found


def test_every_condition_that_decides_is_tried() -> None:
    """A batch is no pair of this table: rows of two batches are two rows. So is emulation."""
    assert set(DECISIVE) - set(UNLIKE) == {"batch", "emulated"}


@pytest.mark.parametrize("changed", UNLIKE)
def test_one_condition_changed_is_not_alike_and_is_named(changed: str) -> None:
    changes, words = UNLIKE[changed]
    found = one(blocks(40), blocks(60, **OTHER | changes))
    assert (found.verdict, found.reason, found.differs) == (Verdict.UNLIKE, words, (words,))
    assert (found.change, found.words) == (None, "not alike")
    assert found.sentence == f"net-one, batch 1: not alike: {words}"


@pytest.mark.parametrize("changed", [*REMARKED, "nothing"])
def test_alike_pairs_get_a_verdict_and_what_may_matter_is_said(changed: str) -> None:
    changes, words = REMARKED.get(changed, ({}, ""))
    found = one(blocks(40), blocks(60, **OTHER | changes))
    assert found.verdict is Verdict.WORSE
    assert found.remarks == ((words,) if words else ())


def test_what_an_old_row_did_not_keep_is_alike_with_unknown_only() -> None:
    old: dict[str, Any] = {"environment": {}}
    assert one(blocks(40, **old), blocks(60, **OTHER | old)).verdict is Verdict.WORSE
    found = one(blocks(40, **old), blocks(60, **OTHER))
    assert found.verdict is Verdict.UNLIKE
    assert "unknown passes to warm up against 5" in found.reason


def test_a_runner_that_failed_told_no_number_format_and_is_still_worse() -> None:
    failed = [block(**OTHER | within(number_format=None), status=Status.FAILED)]
    assert one(blocks(40), failed).verdict is Verdict.WORSE


def test_two_batches_and_two_kinds_of_time_are_never_one_row() -> None:
    found = compare(rows(blocks(40)), rows(blocks(60, **OTHER, batch=2)))
    assert [c.verdict for c in found] == [Verdict.GONE, Verdict.ADDED]
    virtual = blocks(60, **OTHER, emulated=True, instructions=10**6)
    found = compare(rows(blocks(40)), rows([*virtual, *blocks(40, **OTHER, cell="b")]))
    assert {c.verdict for c in found} == {Verdict.UNLIKE, Verdict.ADDED}


def test_the_same_bundle_is_the_same_program() -> None:
    """It took half as long again: whatever that was, no build did it."""
    found = one(blocks(40), blocks(60, run="new"))
    assert found.verdict is Verdict.BOARD
    assert found.reason == "the same program on both sides: this is the board"


def test_two_cells_of_one_run_are_compared_whatever_they_compute_in() -> None:
    int8 = blocks(20, bundle="c" * 64, **within(number_format="int8"))
    found = one(blocks(40), int8, cells=True)
    assert (found.verdict, found.remarks) == (
        Verdict.BETTER,
        ("computed in float32 against int8",),
    )
    other = blocks(20, bundle="c" * 64, passes=2)
    assert one(blocks(40), other, cells=True).verdict is Verdict.UNLIKE


@pytest.mark.parametrize("changed", [name for name in UNLIKE if name != "number_format"])
def test_a_report_never_puts_two_conditions_into_one_table(changed: str) -> None:
    changes, _ = UNLIKE[changed]
    other = blocks(60, **OTHER | {"cell": "net-two"} | changes)
    made = report.grids(rows([*blocks(40), *other]))
    assert [grid.cells for grid in made] in (
        [("net-one",), ("net-two",)],
        [("net-two",), ("net-one",)],
    )
    assert not any(grid.is_best(1, cell) for grid in made for cell in grid.cells)


def test_tables_of_one_board_say_why_they_are_apart() -> None:
    other = blocks(60, **OTHER, cell="net-two", passes=2)
    made = report.grids(rows([*blocks(40), *other]))
    assert made[0].notes[0].startswith("not comparable with this board's other tables: measured")
    assert ["passes 20" in made[0].notes[0], "passes 2," in made[1].notes[0]] == [True, True]


# ---- nights


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    root = projects.write(tmp_path)
    (root / "matrix.yaml").write_text(projects.MATRIX)
    (root / "models" / "face-cnn").mkdir(parents=True)
    text = (ROOT / "models" / "face-cnn" / "model.yaml").read_text()
    (root / "models" / "face-cnn" / "model.yaml").write_text(text)
    return Workshop(
        project=project.load(root / "matrix.yaml"),
        state=root / ".buildmatrix",
        reporter=RecordingReporter(),
        mirror=str,
        index=str,
    )


def night(
    shop: Workshop, number: int, measured: Sequence[Measurement], *, accepted: bool = False
) -> nights.Held | None:
    """One night stored as a good one, beside those before it."""
    run = f"20261101T0000{number:02}Z"
    taken = [replace(one, run=run, bundle=f"{number:064}") for one in measured]
    kept = Run(run, "pi3", emulated=False, request={"model": "face-cnn"}, journal="",
               collected_at="", label="nightly")  # fmt: skip
    before = nights.good_nights(shop, "pi3", "face-cnn")
    with Results(shop.paths.results) as results:
        results.insert(taken, kept)
    held = nights.held(shop, before, run, reporting.with_notes(shop, taken))
    record = {"good": True, "accepted": accepted, "device": "pi3",
              "runs": [{"model": "face-cnn", "run": run}]}  # fmt: skip
    write_document(shop.paths.nights / run / "night.json", record)
    return held


def verdicts(held: nights.Held | None) -> dict[str, Verdict]:
    assert held is not None
    return {c.cell: c.verdict for c in held.newest.comparisons}


@pytest.mark.slow
def test_a_row_that_was_missing_a_night_is_held_against_its_own_newest_night(
    shop: Workshop,
) -> None:
    both = [*blocks(40), *blocks(50, cell="net-two")]
    assert night(shop, 1, both) is None
    night(shop, 2, blocks(50, cell="net-two"))
    held = night(shop, 3, [*blocks(80), *blocks(50, cell="net-two")])
    assert verdicts(held) == {"net-one": Verdict.WORSE, "net-two": Verdict.SAME}


@pytest.mark.slow
@pytest.mark.parametrize("changed", UNLIKE)
def test_a_night_under_other_conditions_has_no_base(shop: Workshop, changed: str) -> None:
    changes, words = UNLIKE[changed]
    night(shop, 1, blocks(40))
    held = night(shop, 2, blocks(60, **changes))
    assert verdicts(held) == {"net-one": Verdict.UNLIKE}
    assert held is not None
    assert [c.reason for c in held.newest.comparisons] == [words]
    assert held.newest.notes[0] == "1 of 1 rows were not measured alike: they get no verdict"


@pytest.mark.slow
def test_a_night_under_the_old_conditions_again_finds_its_base(shop: Workshop) -> None:
    night(shop, 1, blocks(40))
    night(shop, 2, blocks(60, passes=2))
    assert verdicts(night(shop, 3, blocks(60))) == {"net-one": Verdict.WORSE}


@pytest.mark.slow
@pytest.mark.parametrize("virtual_first", [True, False])
def test_a_night_of_the_other_kind_of_time_has_no_base_and_costs_no_verdict(
    shop: Workshop, virtual_first: bool
) -> None:
    """As when the board of a name was a virtual one once."""
    counted: dict[str, Any] = {"emulated": True, "instructions": 10**6}
    one, other = (counted, {}) if virtual_first else ({}, counted)
    night(shop, 1, blocks(40, **one))
    held = night(shop, 2, blocks(40, **other))
    assert verdicts(held) == {"net-one": Verdict.UNLIKE}
    assert held is not None
    assert "emulated" in held.newest.comparisons[0].reason
    again = night(shop, 3, blocks(40, **one))
    assert verdicts(again) == {"net-one": Verdict.SAME}


@pytest.mark.slow
def test_a_night_under_a_wrong_clock_does_not_stay_the_newest(shop: Workshop) -> None:
    night(shop, 1, blocks(40))
    night(shop, 90, blocks(40))  # its clock was months ahead
    night(shop, 2, blocks(60), accepted=True)
    assert verdicts(night(shop, 3, blocks(60))) == {"net-one": Verdict.SAME}
    held = night(shop, 4, blocks(80))
    assert verdicts(held) == {"net-one": Verdict.WORSE}


@pytest.mark.slow
def test_a_cell_that_was_called_otherwise_for_a_night_finds_its_base_again(shop: Workshop) -> None:
    def cells(name: str, ms: float) -> list[Measurement]:
        renamed = [replace(b, block=b.block + 10) for b in blocks(ms, cell=name)]
        return [*blocks(40), *renamed]

    night(shop, 1, cells("net-two", 50))
    other = night(shop, 2, cells("net-2", 50))
    assert verdicts(other)["net-2"] is Verdict.ADDED
    assert verdicts(other)["net-two"] is Verdict.GONE
    back = verdicts(night(shop, 3, cells("net-two", 70)))
    assert (back["net-one"], back["net-two"]) == (Verdict.SAME, Verdict.WORSE)


@pytest.mark.slow
def test_what_creeps_is_told_within_ten_nights(shop: Workshop) -> None:
    """0.4 % a night, never enough for one night: held against the last accepted one it is found."""
    others = [b for n in range(6) for b in blocks(50, cell=f"cell-{n}")]
    worse = []
    for number in range(10):
        slower = blocks(40 * 1.004**number)
        held = night(shop, number, [*slower, *others], accepted=number == 0)
        if held is not None:
            assert Verdict.WORSE not in verdicts(held).values()
            if held.accepted and comparing.regressions(held.accepted):
                worse.append(number)
    assert worse
    assert worse[0] <= 9


# ---- the words on a terminal


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_figure_is_never_cut_however_narrow_the_terminal(width: int) -> None:
    name = "caffe-openblas-0.3.34-neon-with-a-long-name"
    base = [*blocks(60.2, cell=name), *blocks(0.0012345, cell="tiny")]
    new = [*blocks(80.25, cell=name, **OTHER), *blocks(0.0012345, cell="tiny", **OTHER, passes=2)]
    found = compare(rows(base), rows(new))
    shown = comparing.document(comparing.Compared("base", "new", found))
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(verdicts_view.comparison(shown))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    for figure in ("60.20", "80.25", "+33.3%", "0.001234"):
        assert figure in text
    assert "…" not in text


def test_conditions_of_a_block_with_nothing_kept_are_unknown() -> None:
    found = conditions(block(environment={"device": "?", "before": None}))
    assert (found.board, found.governor, found.kernel_bits, found.warmup) == (None,) * 4
