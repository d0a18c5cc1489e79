"""Estimates: what is said, what is refused, and that nothing takes one for a measured time."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from buildmatrix import network, schema
from buildmatrix.cli.estimating_view import explained, sentence
from buildmatrix.errors import InputError, UsageError
from buildmatrix.estimate import board, calibration, fit, model, shown, validation
from buildmatrix.estimate.validation import Held
from buildmatrix.estimate.work import Part, total, works
from buildmatrix.network import NetworkSpec
from buildmatrix.nouns import Cell, Measurement
from buildmatrix.results import Results
from tests.bench.published_networks import drawn
from tests.documents import valid
from tests.unit.commands import run
from tests.unit.rows import RUN
from tests.unit.rows import row as measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.documents.estimating import Estimate
    from buildmatrix.estimate.board import Row

ROOT = Path(__file__).parents[2]
FACE = schema.load(ROOT / "models" / "face-cnn" / "model.yaml", NetworkSpec)
MOBILE = schema.load(ROOT / "models" / "mobilenet-v1-0.25-128" / "model.yaml", NetworkSpec)
NCNN = Cell("ncnn", "face-cnn", "ncnn", "arm64-bookworm", (("numbers", "float32"),))


def _document(threads: int = 4, name: str = "pi4", bits: int = 64) -> dict[str, object]:
    place = shown.setting(name, threads)
    made = shown.document(NCNN, FACE, place, bits=bits, known=shown.Knowledge(shown.shipped()))
    return dict(valid("estimate", made))


def test_multiply_adds_of_all_layers_are_those_of_the_network() -> None:
    for net in (FACE, MOBILE):
        assert sum(one.multiply_adds for one in works(net)) == network.multiply_adds(net)


def test_a_depthwise_layer_is_told_from_a_convolution_of_one_channel() -> None:
    assert total(works(FACE))[Part.DEPTHWISE] == 0
    assert total(works(MOBILE))[Part.DEPTHWISE] > 0


def test_an_estimate_says_what_it_is_and_has_an_interval_around_it() -> None:
    made = _document()
    assert made["kind"] == "estimated"
    low, high = made["estimated_interval_ms"]  # type: ignore[misc]
    assert low < made["estimated_ms_per_image"] < high  # type: ignore[has-type]
    assert "mean_ms_per_image" not in made
    assert sum(row["share"] for row in made["parts"]) == pytest.approx(1)  # type: ignore[attr-defined]


def test_a_second_and_more_is_told_without_an_exponent() -> None:
    place = shown.setting("pi3", 1)
    known = shown.Knowledge(shown.shipped())
    made = shown.document(NCNN, drawn("vgg16"), place, bits=32, known=known)
    told = sentence(made, place.board).splitlines()[1]
    assert re.fullmatch(r"estimated: \d{4} ms an image, \d{4} to \d{4} in nine of ten .*", told)


def test_more_threads_are_faster_and_less_than_as_many_times() -> None:
    one, four = (_document(threads)["estimated_ms_per_image"] for threads in (1, 4))
    assert one / 4 < four < one  # type: ignore[operator]


def test_a_board_without_published_rows_stands_on_the_wider_error() -> None:
    assert _document(name="pi3")["held_out"] == "both"
    assert _document(name="pi4")["held_out"] == "network"
    assert _document(threads=1, name="pi4")["held_out"] == "both", "one thread was not published"


@pytest.mark.slow
def test_programs_of_another_width_than_those_of_the_published_times_are_noted() -> None:
    said = "the cell's programs are {}-bit; this board's times were published for {}-bit ones"
    little = "rk3399-little"
    assert said.format(32, 64) in _document(name=little, bits=32)["notes"]  # type: ignore[operator]
    for name in ("pi3", "pi4"):
        notes = _document(name=name, bits=64)["notes"]
        assert said.format(64, 32) in notes  # type: ignore[operator]
        assert "32-bit programs take" in notes[-1]  # type: ignore[index]
    assert len(_document(name=little, bits=64)["notes"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "threads", "said"),
    [
        ("pi5", 1, "did you mean 'pi4'"),
        ("rk3399-big", 4, "two Cortex-A72: 1 to 2 can be estimated"),
        ("", 1, "which board"),
        ("pi4", -1, "1 to 4 can be estimated"),
    ],
)
def test_boards_and_threads_that_were_not_shown_are_refused(
    name: str, threads: int, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        shown.setting(name, threads)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (Cell("q", "face-cnn", "ncnn", "t", (("numbers", "int8"),)), "q: computes in int8"),
        (Cell("c", "face-cnn", "caffe", "t", (("numbers", "int8"),)), "c: computes in int8"),
    ],
)
def test_cells_that_the_model_was_not_shown_on_are_refused(cell: Cell, said: str) -> None:
    with pytest.raises(InputError) as caught:
        shown.check(cell, FACE)
    assert str(caught.value).startswith(said)


def test_milliseconds_are_told_of_no_stack_but_that_of_the_published_times() -> None:
    assert shown.is_timed(NCNN)
    assert not shown.is_timed(Cell("c", "face-cnn", "caffe", "t", ()))


def test_no_row_is_estimated_by_a_fit_that_saw_its_family_or_board() -> None:
    rows = board.published()
    seen: list[tuple[Row, ...]] = []

    def method(training: object) -> validation.Guess:
        seen.append(tuple(training))  # type: ignore[arg-type]
        return lambda row: float(len(seen)) if row not in seen[-1] else 0.0

    made = validation.estimates(rows, Held.BOTH, method)
    assert all(made), "a row was fitted to"
    for training in seen:
        assert {one.family for one in training} < {one.family for one in rows}
        assert {one.board for one in training} < {one.board for one in rows}


def test_a_rival_finds_how_far_the_cores_of_a_board_it_has_not_seen_share_the_work() -> None:
    asked = board.asked()
    figures = {name: asks["multiply-adds"] for name, asks in asked.items()}

    def ms(row: Row) -> float:
        return (
            3 * figures[row.network] / (board.boards()[row.board].mhz * math.pow(row.threads, 0.4))
        )

    rows = [replace(row, ms=ms(row)) for row in board.published()]
    simple, fitted = (
        validation.figures(rows, validation.estimates(rows, Held.BOARD, method)).ninth
        for method in (
            validation.by_figure(figures),
            validation.by_figure(figures, validation.POWERS),
        )
    )
    assert fitted == pytest.approx(0.0, abs=1e-9)
    assert simple > 0.5


@pytest.mark.slow
def test_what_is_chosen_is_chosen_without_the_rows_that_are_held_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = board.published()
    seen: list[tuple[Row, ...]] = []

    def fitted(training: Any, asked: object, choice: object) -> Mapping[str, float]:
        seen.append(tuple(training))
        return shown.shipped().coefficients

    monkeypatch.setattr(fit, "fitted", fitted)
    method = validation.by_chosen(board.asked())
    one = next(row for row in rows if row.board == "pi4")
    method([row for row in rows if row.board != "pi4" and row.family != one.family])
    assert len(seen) > len(validation.CHOICES), "each choice was tried, without each board"
    assert not any(row.board == "pi4" or row.family == one.family for each in seen for row in each)


def test_lanes_that_a_core_lacks_cost_cycles_and_early_releases_count_for_their_rows_alone() -> (
    None
):
    values = shown.shipped().coefficients
    wide, narrow = (model.Setting(board.boards()[name], 1) for name in ("rk3288", "imx7d"))
    asks = dict.fromkeys(Part, 0.0) | {Part.PRODUCTS: 1e9}
    cycles = [
        sum(model.milliseconds(asks, one, values).values())
        * one.board.mhz
        / values.get(f"arithmetic of {one.board.core}", 1.0)
        / values.get(f"arithmetic of {one.board.group}", 1.0)
        for one in (wide, narrow)
    ]
    part = values[Part.PRODUCTS.value]
    assert cycles[1] / cycles[0] == pytest.approx((part + 1) / part), "two lanes, not four"
    late, early = (
        sum(model.milliseconds(asks, replace(wide, early=one), values).values())
        for one in (False, True)
    )
    assert early / late == pytest.approx(values["early releases"])
    assert {row.board for row in board.published() if row.early} == {"pi3b+", "rk3288", "hi3519"}


def test_what_the_package_carries_is_what_its_data_give() -> None:
    """Refresh it with: python -m tests.bench.estimates --write"""
    made = fit.fitted(board.published(), board.asked(), shown.shipped().choice)
    assert made == pytest.approx(shown.shipped().coefficients, rel=1e-3)


@pytest.mark.slow
def test_a_fit_finds_the_coefficients_that_rows_were_made_of() -> None:
    others = shown.shipped().coefficients
    moved = {"matrix products": 1.4, "reading weights": 0.7}
    true = {name: value * moved.get(name, 1.0) for name, value in others.items()}
    rows = [_made(row, true) for row in board.published()]
    fitted = fit.fitted(rows, board.asked(), shown.shipped().choice)
    again = [_made(row, fitted).ms / row.ms for row in rows]
    assert again == pytest.approx([1.0] * len(rows), rel=0.1)


def _made(row: Row, values: Mapping[str, float]) -> Row:
    asks = {part: board.asked()[row.network][part] for part in Part}
    ms = sum(model.milliseconds(asks, fit.setting(row), values).values())
    return replace(row, ms=ms)


@pytest.mark.slow
def test_held_out_errors_are_within_the_bound_or_no_milliseconds_are_told() -> None:
    rows, fitted = board.published(), shown.shipped()
    for held, made in fitted.held_out.items():
        assert validation.figures(rows, made).is_within, held
    times = {held: tuple(ms * 3 for ms in made) for held, made in fitted.held_out.items()}
    worse = replace(fitted, held_out=times)
    place = shown.setting("pi4", 4)
    told = shown.document(NCNN, FACE, place, bits=64, known=shown.Knowledge(worse))
    assert told["estimated_ms_per_image"] is None
    assert told["estimated_interval_ms"] is None
    assert told["slower_than"] or told["faster_than"]
    assert {row["estimated_ms"] for row in (*told["parts"], *told["layers"])} == {None}
    assert told["notes"][0] == shown.BEYOND
    moved = replace(worse, coefficients={**worse.coefficients, "matrix products": 3.0})
    after = shown.Knowledge(moved, own=1, before=worse)
    changed = shown.document(NCNN, FACE, place, bits=64, known=after)
    text = sentence(valid("estimate", changed), place.board)
    assert "estimated: no milliseconds, only the order: faster than shufflenet" in text
    assert "changed: this estimate: +" in text
    assert not re.search(r"\d ms", text)
    console = Console(file=io.StringIO())
    console.print(explained(changed))
    parts, _, _ = console.file.getvalue().partition("published milliseconds")  # type: ignore[attr-defined]
    assert re.findall(r"^ *- +\d+%", parts, re.MULTILINE), "shares, and no milliseconds"
    assert not re.search(r"\d\.\d", parts)


def _profile(millions: float, **changes: Any) -> Any:
    works = {"quad multiply-adds": millions * 1e6, "loads": 1e6}
    return {"model": "face-cnn", "batch": 1, "works": works, **changes}


def test_arithmetic_that_emulation_counted_takes_the_place_of_the_layers_own() -> None:
    place = shown.setting("pi4", 4)

    def made(profile: Any) -> Estimate:
        known = shown.Knowledge(shown.shipped(), profile=profile)
        return shown.document(NCNN, FACE, place, bits=64, known=known)

    plain, more = made(None), valid("estimate", made(_profile(30.0)))
    assert plain["counted"] is None
    assert more["counted"]["times"] > 2
    assert more["estimated_ms_per_image"] > plain["estimated_ms_per_image"]
    for other in (_profile(30.0, batch=4), _profile(30.0, model="lenet-5"), _profile(0.0)):
        assert made(other) == plain


def _blocks(ms: float, **changes: Any) -> list[Measurement]:
    return [measured("ncnn", 1, ms, block=block, **changes) for block in range(3)]


@pytest.mark.slow
def test_a_real_run_moves_the_estimate_towards_it_and_says_what_changed(tmp_path: Path) -> None:
    place, path = shown.setting("pi3", 4), tmp_path / "estimates.json"
    before = shown.document(NCNN, FACE, place, bits=32, known=shown.Knowledge(shown.shipped()))
    one = calibration.own(_blocks(40.0), FACE, place, run="r1", cell="ncnn")
    calibration.keep(path, [one], calibration.fitted([one]))
    rows, fitted = calibration.kept(path)
    assert rows == (one,)
    known = shown.Knowledge(fitted, own=1, before=shown.shipped())
    after = valid("estimate", shown.document(NCNN, FACE, place, bits=32, known=known))
    old, new = before["estimated_ms_per_image"], after["estimated_ms_per_image"]
    assert old is not None
    assert old < new <= 40.0
    assert after["changed"][0].startswith("this estimate: ")
    assert after["changed"][1].startswith("own runs on pi3: +")
    assert new == pytest.approx(40.0, rel=0.15)
    others = shown.document(NCNN, FACE, shown.setting("pi4", 4), bits=64, known=known)
    assert others["estimated_ms_per_image"] == pytest.approx(
        _document()["estimated_ms_per_image"], rel=0.05
    ), "what one board's system does says little of another's"
    assert after["errors"] == before["errors"], "no error counts a row of one's own"


def test_the_same_run_counts_once_and_a_damaged_record_not_at_all(tmp_path: Path) -> None:
    place = shown.setting("pi3", 4)
    one, other = (
        calibration.own(_blocks(ms), FACE, place, run="r1", cell="ncnn") for ms in (40.0, 50.0)
    )
    assert calibration.with_row((one,), other) == (other,)
    (tmp_path / "torn.json").write_text('{"version": 1, "rows": [')
    assert calibration.kept(tmp_path / "torn.json") == ((), shown.shipped())


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        (_blocks(40.0, emulated=True), "r1 is an emulated run, whose times say nothing"),
        (_blocks(40.0, threads=1), "r1 has no right answer of ncnn with face-cnn at batch 1"),
        ([], "no run is called 'r1'"),
        (
            _blocks(40.0, environment={"device": {"cpu_parts": ["0xd0b"]}}),
            r"cores are 0xd0b, and pi3 has cortex-a53 \(0xd03\)",
        ),
    ],
)
def test_runs_that_say_nothing_of_the_board_are_refused(
    blocks: list[Measurement], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        calibration.own(blocks, FACE, shown.setting("pi3", 4), run="r1", cell="ncnn")


def test_the_command_takes_a_run_and_tells_what_it_changed(tmp_path: Path) -> None:
    with Results(tmp_path / "results.sqlite") as results:
        results.insert(_blocks(40.0))
    words = ("estimate", "ncnn", "--as", "pi3", "--state", str(tmp_path))
    told = run(*words, "--calibrate", RUN, cwd=ROOT)
    assert told.returncode == 0, told.stderr
    assert "changed: own runs on pi3: +" in told.stdout
    later = run(*words, cwd=ROOT)
    assert "fitted to 1 run of one's own too" in later.stdout
    assert "changed" not in later.stdout
    assert "no run is called" in run(*words, "--calibrate", "r2", cwd=ROOT).stderr


def test_the_command_tells_error_and_interval_and_never_a_bare_time() -> None:
    told = run("estimate", "ncnn", "--as", "pi4", cwd=ROOT)
    assert told.returncode == 0, told.stderr
    assert "estimated: " in told.stdout
    assert "in nine of ten" in told.stdout
    explained = run("estimate", "ncnn", "--as", "pi3", "--explain", cwd=ROOT)
    assert "the largest parts of the estimated time" in explained.stdout
    assert "mobilenet_yolo" in explained.stdout
    assert run("estimate", "ncnn", "--as", "pi4", "--json", cwd=ROOT).returncode == 0


def test_no_command_that_measures_or_judges_knows_of_estimates() -> None:
    """Only `inv estimate`, the table that `inv report --estimated` sets apart, and schemas may name
    them: no row, comparison, night or history can."""
    users = {"cli/estimating.py", "cli/estimating_view.py", "cli/__init__.py", "cli/results.py"}
    users |= {"documents/schemas.py", "documents/verdicts.py", "verdicts/estimating.py"}
    users |= {"report/estimated.py", "verdicts/publishing.py", "verdicts/sections.py"}
    for path in (ROOT / "buildmatrix").rglob("*.py"):
        place = path.relative_to(ROOT / "buildmatrix").as_posix()
        text = path.read_text()
        if "buildmatrix.estimate" in text or "estimating" in text:
            assert place in users or place.startswith("estimate/"), place
