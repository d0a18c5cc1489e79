"""Passes that are still warming up: found at the beginning of a block, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix import report, summary
from buildmatrix.bench.journal import BlockResult
from buildmatrix.bench.verdict import measure
from buildmatrix.bench.warming import warming
from buildmatrix.conditions import conditions, differences
from buildmatrix.nouns import Status
from tests.unit.test_bench_verdict import BOARD, GOLDEN, QUIET, REQUEST, VIRTUAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.nouns import DeviceInfo, Measurement

STEADY = [100, 101, 99, 100, 102, 98, 100, 101, 99, 100]


def test_what_is_slower_at_the_beginning_is_warm_up() -> None:
    assert warming([150, 140, 120, *STEADY]) == 3


def test_a_steady_block_has_none_and_a_late_slow_pass_is_none() -> None:
    assert warming(STEADY) == 0
    assert warming([100, 150, *STEADY]) == 0
    assert warming([*STEADY, 150]) == 0


def test_at_most_half_of_a_block_is_warm_up_and_a_short_block_has_none() -> None:
    assert warming([500] * 5 + [100] * 5) == 5
    assert warming([500] * 9 + [100] * 3) == 0  # the slow ones are the usual ones
    assert warming([500, 100, 100, 100, 100, 100, 100]) == 0


def test_a_block_without_any_noise_takes_two_per_cent_for_none() -> None:
    assert warming([1019] + [1000] * 9) == 0
    assert warming([1021] + [1000] * 9) == 1


@given(st.lists(st.integers(1, 2**40), max_size=60))
def test_half_of_any_block_stays(samples: list[int]) -> None:
    assert 0 <= warming(samples) <= len(samples) // 2


def block(samples: Sequence[object]) -> BlockResult:
    result: dict[str, Any] = {
        "status": "ok",
        "engine": "fake",
        "batch": 1,
        "threads": 2,
        "passes": len(samples),
        "warmup": 1,
        "samples_ns": samples,
        "instructions": 1000 * len(samples),
        "output": [0.25, 0.75],
        "batch_max_abs_diff": 0.0,
        "repeat_identical": True,
    }
    return BlockResult(0, 0, False, "one", 1, 0, QUIET, after=QUIET, result=result)


def measured(board: DeviceInfo = BOARD, *, settle: bool = True) -> Measurement:
    samples = [1_000_000 * ms for ms in (150, 140, 120, *STEADY)]
    request = replace(REQUEST, settle=settle, passes=len(samples))
    return measure(block(samples), request, golden=GOLDEN, device=board)


def test_cold_passes_are_left_out_of_a_mean_and_of_the_instructions() -> None:
    made = measured()
    assert (len(made.samples_ns), made.mean_ms_per_image) == (10, 100.0)
    assert made.instructions_per_image == 1000
    (grid,) = report.grids(summary.rows([made]))
    assert "3 passes were still slower at the beginning of a block, and left out" in grid.notes


def test_passes_that_are_no_times_are_no_warm_up() -> None:
    request = replace(REQUEST, settle=True, passes=13)
    made = measure(block(["a"] * 13), request, golden=GOLDEN, device=BOARD)
    assert made.status is Status.FAILED
    assert "not positive whole nanoseconds" in made.void_reason
    assert made.environment["cold_passes"] == 0


def test_what_was_not_asked_for_and_emulated_times_stay_whole() -> None:
    assert len(measured(settle=False).samples_ns) == len(measured(VIRTUAL).samples_ns) == 13


@pytest.mark.parametrize("swapped", [False, True])
def test_figures_with_cold_passes_and_without_are_not_alike(swapped: bool) -> None:
    pair = [conditions(measured(settle=settle)) for settle in (swapped, not swapped)]
    words = ("counted", "left out")
    first, second = words[::-1] if swapped else words
    assert differences(*pair) == (f"cold passes {first} against {second}",)
    assert len({measured(settle=settle).series for settle in (False, True)}) == 2
