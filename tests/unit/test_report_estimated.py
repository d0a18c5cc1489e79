"""`inv report --estimated BOARD`: a kind of its own in every form, apart from what was measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import report
from buildmatrix.estimate import order, shown
from buildmatrix.results import Results
from tests.documents import valid
from tests.unit.commands import run
from tests.unit.rows import row
from tests.unit.test_estimate import FACE, NCNN, ROOT
from tests.unit.test_estimate_order import PI3, _candidate

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.documents.estimating import Estimate, Estimates, OfCell, Order

HEAD = "estimated, not measured: face-cnn, as on Raspberry Pi 3B, four Cortex-A53, 1200 MHz"
MEASURED = 33.25


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with a board's times of ncnn."""
    with Results(tmp_path / "results.sqlite") as results:
        results.insert([row("ncnn", 1, MEASURED, block=block) for block in range(3)])
    return tmp_path


def _report(state: Path, *words: str) -> Any:
    return run("report", "--state", str(state), "--only", "ncnn*", *words, cwd=ROOT)


def test_the_table_stands_apart_from_that_of_a_board_and_says_estimated(state: Path) -> None:
    told = _report(state, "--estimated", "pi3")
    assert told.returncode == 0, told.stderr
    boards, apart, estimates = told.stdout.partition("estimated, not measured: face-cnn")
    assert apart
    assert "33.25" in boards
    assert "33.25" not in estimates
    assert "estimated" not in boards
    assert "estimated ms" in estimates
    assert "nine of ten between" in estimates
    assert "computes in int8, and only networks of floats are estimated: ncnn-int8" in " ".join(
        estimates.split()
    )
    assert _report(state).stdout.strip() == boards.strip(), "who does not ask sees none"


@pytest.mark.slow
def test_json_has_estimates_under_a_name_of_their_own(state: Path) -> None:
    told = valid("report", json.loads(_report(state, "--estimated", "pi4", "--json").stdout))
    assert [one["mean_ms_per_image"] for one in told["rows"]] == [pytest.approx(MEASURED)]
    assert told["estimated"]["kind"] == "estimated"
    of_cell = {one["cell"]: one for one in told["estimated"]["cells"]}
    assert of_cell["ncnn"]["milliseconds"]["estimated_interval_ms"]
    assert of_cell["ncnn-int8"]["milliseconds"] is None
    assert "computes in int8" in of_cell["ncnn-int8"]["refused"]
    assert "estimated" not in json.loads(_report(state, "--json").stdout)


def test_page_markdown_and_plot_mark_them(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = _report(state, "--estimated", "pi3", "--out", str(out))
    assert told.returncode == 0, told.stderr
    page = (out / "report.html").read_text()
    section = page[page.index('<section id="estimated"') :]
    section = section[: section.index("</section>")]
    assert '<span class="badge estimated">estimated</span>' in section
    assert "33.25" not in section
    assert HEAD in section
    assert HEAD in (out / "report.md").read_text()
    assert "bars take in nine of ten" in (out / "plot-estimated.svg").read_text()
    assert (out / "plot-estimated.png").stat().st_size > 1000
    assert "estimated" not in (out / "report.csv").read_text()
    assert "estimated" not in (out / "plot-1-linear.svg").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--estimated", "pi5"), "'pi5': no times were published for such a board here"),
        (("--estimated", "pi3", "--threads", "5"), "four Cortex-A53: 1 to 4 can be estimated"),
        (("--estimated", "pi3", "--format", "csv"), "--estimated has no place among measured"),
        (("--estimated", "pi3", "--layers", "ncnn"), "--estimated has no place among measured"),
        (("--threads", "2"), "--threads is of estimates"),
    ],
)
def test_what_cannot_be_estimated_or_has_no_room_is_refused(
    state: Path, words: tuple[str, ...], said: str
) -> None:
    told = _report(state, *words)
    assert told.returncode == 2
    assert said in told.stderr


def _document(*cells: OfCell) -> Estimates:
    return {
        "kind": "estimated",
        "model": "face-cnn",
        "board": "pi3",
        "about": shown.about(PI3.board),
        "threads": 4,
        "cells": list(cells),
    }


def _of_cell(made: Estimate | None = None, ranked: Order | None = None) -> OfCell:
    return {"cell": "x", "milliseconds": made, "order": ranked, "refused": ""}


def test_other_stacks_have_a_place_and_no_milliseconds() -> None:
    timed = shown.document(NCNN, FACE, PI3, bits=32, known=shown.Knowledge(shown.shipped()))
    many, few, near = (
        _candidate(*one) for one in (("many", 160.0), ("few", 40.0), ("near", 170.0))
    )
    orders = (
        order.document(many, [few, near], "face-cnn", PI3),
        order.document(few, [many, near], "face-cnn", PI3),
    )
    told = report.estimated(_document(*(_of_cell(None, one) for one in orders), _of_cell(timed)))
    assert [one.cell for one in told.rows] == ["ncnn", "few", "many"]
    assert [one.ms is None for one in told.rows] == [False, True, True]
    assert told.rows[2].fields[1:] == (
        "-",
        "-",
        "2 of 3 by instructions, 160.0 M; not told apart from near",
    )
    assert order.MISSED in told.notes
    assert "| few | - | - | 1 of 3 by instructions, 40.0 M |" in report.estimates_in_markdown(told)
