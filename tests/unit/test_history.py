"""Many nights on record: which steps are told, in which words, and the site made of them."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from buildmatrix.history.steps import FEW_NIGHTS, cheapest, common, jumps, steps
from buildmatrix.nouns import Status
from buildmatrix.state import State
from buildmatrix.verdicts import histories
from tests.documents import valid
from tests.nights import NOISE, ROUNDS, Plan, Planted, plan, record
from tests.unit import commands
from tests.unit.rows import row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NIGHTS = 40
STEP = Planted(row=4, night=20, size=0.08)


def night_figures(made: Plan, rng: np.random.Generator) -> NDArray[np.float64]:
    noise: NDArray[np.float64] = rng.normal(0, NOISE / ROUNDS**0.5, made.levels.shape)
    return made.levels + noise


def of_levels(figures: NDArray[np.float64]) -> list[list[int]]:
    return steps(list(figures - common(figures)))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    """Forty nights of six cells, one of which takes 8 % longer from the twentieth on."""
    paths = State(tmp_path_factory.mktemp("record"))
    rng = np.random.default_rng(1)
    made = plan(rng, rows=6, nights=NIGHTS)
    levels = np.log(np.linspace(40, 90, 6))[:, None] + np.linspace(0, 0.04, NIGHTS)
    levels[STEP.row, STEP.night :] += np.log1p(STEP.size)
    record(paths, replace(made, steps=(STEP,), levels=levels), rng)
    return paths


def cost(row: Floats, cut: Sequence[int], price: float) -> float:
    parts = np.split(row, list(cut))
    return sum(float(((part - part.mean()) ** 2).sum()) for part in parts) + price * len(cut)


@given(
    figures=st.lists(st.integers(0, 6), min_size=4, max_size=11),
    price=st.sampled_from([0.5, 1.0, 3.0]),
)
@example([1, 5, 5, 2, 2, 5], 1.0)  # where PELT, by its pruning, finds a dearer one
def test_no_cut_costs_less(figures: list[int], price: float) -> None:
    row = np.array(figures, dtype=float)
    found = cheapest(row, price)
    nights = range(1, len(row))
    others = [
        cost(row, cut, price)
        for many in range(len(row) // FEW_NIGHTS)
        for cut in itertools.combinations(nights, many)
        if all(b - a >= FEW_NIGHTS for a, b in itertools.pairwise((0, *cut, len(row))))
    ]
    assert cost(row, found, price) == pytest.approx(min(others))
    assert all(b - a >= FEW_NIGHTS for a, b in itertools.pairwise((0, *found, len(row))))


@pytest.mark.slow
def test_steps_of_5_percent_are_told_within_three_nights_and_nothing_else_is() -> None:
    rng = np.random.default_rng(2017)
    made = plan(rng)
    figures = night_figures(made, rng)
    found = of_levels(figures)
    for step in (one for one in made.steps if abs(one.size) >= 0.05):
        then = of_levels(figures[:, : step.night + 3])
        for places in (found, then):
            assert min(abs(place - step.night) for place in places[step.row]) <= 3
    planted = {(step.row, night) for step in made.steps for night in range(step.night - 3, 204)}
    false = [(at, p) for at, places in enumerate(found) for p in places if (at, p) not in planted]
    assert len(false) <= 1


def test_a_board_that_drifts_is_no_step_and_one_that_jumps_is() -> None:
    rng = np.random.default_rng(3)
    drift = np.linspace(0, 0.1, 100) + rng.normal(0, 0.002, 100)
    assert jumps(drift) == []
    drift[60:] += 0.04
    assert jumps(drift) == [60]
    figures = np.log(50) + drift + rng.normal(0, 0.009, (20, 100))
    assert of_levels(figures) == [[]] * 20


@pytest.mark.slow
def test_one_bad_night_and_nights_that_are_alike_are_no_steps() -> None:
    rng = np.random.default_rng(4)
    figures = rng.normal(0, 0.009, (20, 100))
    figures[3, 50] += 0.3
    assert of_levels(figures) == [[]] * 20
    alike = rng.normal(0, 0.009, (20, 100))
    for night in range(1, 100):
        alike[:, night] = 0.8 * alike[:, night - 1] + 0.6 * alike[:, night]
    assert sum(map(len, of_levels(alike))) <= 1


@pytest.mark.slow
def test_a_step_is_told_with_what_changed_that_night_and_who_accepted_it(state: State) -> None:
    (board,) = valid("history", histories.document(histories.history(state)))["boards"]
    assert len(board["nights"]) == NIGHTS
    assert board["steps"] == []
    stepped = {one["cell"]: one["steps"] for one in board["rows"] if one["steps"]}
    assert list(stepped) == ["cell-04"]
    (step,) = stepped["cell-04"]
    assert step["night"] == board["nights"][STEP.night]["id"]
    assert step["change"] == pytest.approx(STEP.size, abs=0.015)
    assert step["changed"] == ["source blas 111111111111 -> 222222222222"]
    accepted = [night["id"] for night in board["nights"] if night["accepted"]]
    assert [step["accepted"]] == accepted


@pytest.mark.slow
def test_the_command_tells_it_and_writes_pages_that_ask_nobody(state: State) -> None:
    folder = state.root
    shown = commands.run("history", "--state", str(folder), cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"2026-01-21\s+cell-04, batch 1\s+\+[78]\.\d%", shown.stdout)
    made = commands.run("history", "--state", str(folder), "--out", "site", cwd=folder)
    assert made.returncode == 0, made.stderr
    pages = {path.name: path.read_text() for path in (folder / "site").iterdir()}
    assert len(pages) == 8  # the index, the board, six cells
    index = pages["index.html"]
    assert "cell-04" in index
    assert "source blas" in index
    for text in pages.values():
        assert "script" not in text
        assert not re.search(r"(src|href)=\"(?!index\.html|1-)", text)
    assert all(f'href="{name}"' in index for name in pages if name != "index.html")


def test_a_command_without_results_says_how_to_get_some(tmp_path: Path) -> None:
    refused = commands.run("history", "--state", str(tmp_path), cwd=tmp_path)
    assert refused.returncode == 3
    assert "buildmatrix nightly" in refused.stderr


def test_other_conditions_break_a_series_and_are_told(tmp_path: Path) -> None:
    from buildmatrix.history import judged
    from buildmatrix.history.series import Night
    from buildmatrix.summary import rows

    nights = [Night(f"n{at}", (f"r{at}",), f"2026-01-{at + 1:02}T02:00") for at in range(12)]
    blocks = [
        replace(
            row("caffe", 1, (50 if at < 6 else 70) + number / 20, run=f"r{at}", block=number),
            environment={"device": {"kernel": "6.1.21" if at < 6 else "6.6.20"}},
            status=Status.OK,
        )
        for at in range(12)
        for number in range(5)
    ]
    (board,) = judged(nights, rows(blocks)).boards
    (series,) = board.series
    assert series.steps == ()
    assert [(one.night, one.words) for one in series.breaks] == [
        (6, ("kernel 6.1 against 6.6",)),
    ]
