"""Blocks put together: what counts, what takes a row's time away, and how sure a mean is.

`python -m tests.unit.test_summary` prints the rates that docs/statistics.md tells.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from buildmatrix.nouns import INSTRUCTIONS, TIME, Measurement, Status
from buildmatrix.summary import (
    CONFIDENCE,
    FEWEST,
    Row,
    drift_of,
    resampled_means,
    rows,
    spread,
    tail,
    wide,
)
from tests.unit.rows import row as block_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Noise = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]


def block(*ms: float, status: Status = Status.OK, batch: int = 2, **changes: Any) -> Measurement:
    """One block with a pass for each time, in ms an image."""
    fields: dict[str, Any] = {
        "run": "r",
        "cell": "caffe",
        "device": "pi3",
        "emulated": False,
        "model": "face-cnn",
        "threads": 4,
        "samples_ns": tuple(round(time * 1e6 * batch) for time in ms),
    } | changes
    return Measurement(batch=batch, passes=len(ms), status=status, **fields)


def row(*blocks: Measurement) -> Row:
    (found,) = rows(blocks)
    return found


def timed(figures: Iterable[float]) -> Row:
    return row(*(block(ms) for ms in figures))


def test_a_row_is_its_blocks_together() -> None:
    found = row(block(40, 42), block(44, 46))
    assert (found.status, found.reason) == (Status.OK, "")
    assert found.mean_ms_per_image == pytest.approx(43)
    assert found.figures(TIME) == pytest.approx((41, 45))
    assert found.samples_ns == (80_000_000, 84_000_000, 88_000_000, 92_000_000)


def test_rows_are_told_apart_and_sentinels_are_none() -> None:
    blocks = [
        block(40),
        block(40, run="s"),
        block(40, device="pi4"),
        block(40, model="lenet"),
        block(40, cell="tf"),
        block(40, batch=4),
        block(40, threads=1),
        block(40),
        block(9, sentinel=True),
    ]
    assert [len(found.blocks) for found in rows(blocks)] == [2, 1, 1, 1, 1, 1, 1]
    assert rows([]) == ()


@pytest.mark.parametrize(
    ("statuses", "status", "used"),
    [
        ("ok void ok", Status.OK, 2),
        ("void void", Status.VOID, 0),
        ("ok wrong ok", Status.WRONG, 0),
        ("ok failed", Status.FAILED, 0),
        ("oom ok", Status.OOM, 0),
        ("wrong oom failed", Status.WRONG, 0),
        ("ok skipped", Status.OK, 1),
        ("skipped void", Status.VOID, 0),
    ],
)
def test_one_block_may_take_the_time_away(statuses: str, status: Status, used: int) -> None:
    """A void block adds nothing; a wrong, failed or out-of-memory one leaves no time at all."""
    found = row(*(block(40, status=Status(word)) for word in statuses.split()))
    assert (found.status, len(found.used)) == (status, used)
    assert (found.mean_ms_per_image is None) == (used == 0)
    assert len(found.blocks) == len(statuses.split())


def test_reasons_are_told_once_with_their_number() -> None:
    reasons = ["throttled", "swapped 3 pages", "throttled"]
    found = row(*(block(40, status=Status.VOID, void_reason=reason) for reason in reasons))
    assert found.reason == "throttled (2 blocks); swapped 3 pages"


def test_emulated_rows_are_compared_by_instructions() -> None:
    emulated = row(*(block(9, emulated=True, instructions=n) for n in (80, 82)))
    assert emulated.metric is INSTRUCTIONS
    assert emulated.figures(emulated.metric) == (40, 41)
    assert emulated.instructions_per_image == 40.5
    assert row(block(9)).metric is TIME
    half = row(block(9, emulated=True, instructions=80), block(9, emulated=True))
    assert half.instructions_per_image is None
    assert half.figures(INSTRUCTIONS) == (40,)


def test_what_a_counter_or_a_clock_that_stands_still_says_is_no_drift() -> None:
    """Such rows are let in, and once no report could be read any more."""
    blocks = [block_of("caffe", 1, 4.0) for _ in range(4)]
    counted = [replace(one, emulated=True, instructions=0) for one in blocks]
    assert drift_of(counted) is None
    assert drift_of([replace(one, samples_ns=(0, 0)) for one in blocks]) is None
    (row,) = rows(counted)
    assert row.instructions_per_image is None


def test_spread_is_over_passes_and_blocks() -> None:
    found = spread(row(*(block(40, 41, 42, 43, 44) for _ in range(FEWEST))))
    assert found is not None
    assert found.median == 42
    assert found.quartiles == (41, 43)
    assert found.interval == (42, 42)  # equal blocks leave no doubt, to the last bit


def test_without_time_there_is_no_spread_and_from_few_blocks_no_interval() -> None:
    assert spread(row(block(status=Status.VOID))) is None
    few = spread(timed([40.0] * (FEWEST - 1)))
    assert few is not None
    assert few.interval is None


def coverage(noise: str, *, blocks: int, runs: int) -> float:
    """Share of rows with the true mean 40 whose interval holds it."""
    figures = NOISE[noise](np.random.default_rng(2017), (runs, blocks))
    found = [spread(timed(line)) for line in figures.tolist()]
    intervals = [one.interval for one in found if one is not None and one.interval is not None]
    return sum(low <= 40 <= high for low, high in intervals) / runs


NOISE: dict[str, Noise] = {
    "normal, 2 %": lambda rng, shape: rng.normal(40, 0.8, shape),
    "heavy tails": lambda rng, shape: 40 + 0.8 * rng.standard_t(3, shape),
    "skewed": lambda rng, shape: 38 + rng.gamma(1, 2, shape),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "blocks", "low", "high"),
    [
        ("normal, 2 %", 30, 0.93, 0.97),
        ("normal, 2 %", 10, 0.93, 0.97),
        ("normal, 2 %", FEWEST, 0.90, 0.97),
        ("heavy tails", 30, 0.92, 0.97),
        ("skewed", 30, 0.91, 0.97),
    ],
)
def test_the_interval_holds_the_true_mean(noise: str, blocks: int, low: float, high: float) -> None:
    assert low <= coverage(noise, blocks=blocks, runs=2000) <= high


def test_resampling_agrees_with_scipy() -> None:
    figures = np.random.default_rng(1).normal(40, 0.8, 30)
    ours = np.quantile(resampled_means(figures), (0.025, 0.975))
    theirs = stats.bootstrap(
        (figures,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours == pytest.approx([theirs.low, theirs.high], abs=0.02)


def test_rows_are_resampled_together_as_alone_and_streams_apart() -> None:
    figures = np.random.default_rng(1).normal(40, 0.8, (3, 12))
    together = resampled_means(figures)
    assert together[:, 1] == pytest.approx(resampled_means(figures[1]))
    other = resampled_means(figures[1], stream=1)
    assert abs(np.corrcoef(together[:, 1], other)[0, 1]) < 0.05


def test_few_blocks_widen_the_interval() -> None:
    tails = [tail(blocks) for blocks in (5, 10, 30, 1000)]
    assert tails == sorted(tails)
    assert tails[-1] == pytest.approx((1 - CONFIDENCE) / 2, rel=0.01)


@given(st.lists(st.floats(0.01, 1e4), min_size=FEWEST, max_size=40))
def test_the_interval_lies_within_the_figures(figures: list[float]) -> None:
    made = timed(figures)
    found = spread(made)
    assert found is not None
    assert found.interval is not None
    low, high = found.interval
    least, most = min(made.figures(TIME)), max(made.figures(TIME))
    assert least * (1 - 1e-9) <= low <= high <= most * (1 + 1e-9)


if __name__ == "__main__":
    for name in NOISE:
        for blocks in (FEWEST, 8, 10, 15, 30):
            held = coverage(name, blocks=blocks, runs=10_000)
            sys.stdout.write(f"{name}, {blocks} blocks: {held:.1%}\n")


def test_a_row_is_wide_while_half_of_its_interval_is_more_than_was_asked_for() -> None:
    rng = np.random.default_rng(5)
    blocks = [
        block_of(cell, 1, float(ms), block=number)
        for cell, spread_ in (("calm", 0.1), ("noisy", 3.0))
        for number, ms in enumerate(50 + spread_ * rng.normal(size=8))
    ]
    few = [block_of("few", 1, 50.0, block=number) for number in range(4)]
    ended = [block_of("ended", 1, 50.0, status=Status.OOM)]
    found = wide(rows([*blocks, *few, *ended]), 0.01)
    assert [one.cell for one in found] == ["noisy", "few"]
    assert not wide(rows(blocks), 0.1)
