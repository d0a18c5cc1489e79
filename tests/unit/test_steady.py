"""One speed or two, steady or drifting: rates on noise of known truth, with fixed seeds.

`python -m tests.unit.test_steady` prints the rates that docs/statistics.md tells.
"""

from __future__ import annotations

import sys
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.bench.steady import drift, two_speeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]

MS = 40e6  # of one pass, in ns


def normal(share: float) -> Noise:
    return lambda rng, passes: rng.normal(1, share, passes)


def late(rng: np.random.Generator, passes: int) -> NDArray[np.float64]:
    """Skewed, and each pass with a chance of 3 % to be 1.2 to 3 times as long."""
    hit = np.where(rng.random(passes) < 0.03, rng.uniform(1.2, 3, passes), 1)
    return rng.lognormal(0, 0.03, passes) * hit


def drifting(rng: np.random.Generator, passes: int) -> NDArray[np.float64]:
    """A tenth slower at the end."""
    return np.linspace(1, 1.1, passes) * rng.normal(1, 0.02, passes)


NOISE: dict[str, Noise] = {
    "normal, 1 %": normal(0.01),
    "normal, 2 %": normal(0.02),
    "normal, 3 %": normal(0.03),
    "normal, 5 %": normal(0.05),
    "log-normal, 3 %, 3 % of passes late": late,
    "normal, 2 %, drifting by 10 %": drifting,
}


def two(noise: str, *, passes: int, runs: int, step: float = 0, share: float = 0) -> float:
    """Share of series said to have two speeds, when `share` of the passes are `step` slower."""
    rng = np.random.default_rng(2017)
    speed = np.where(np.arange(passes) < round(share * passes), 1 + step, 1)
    series = [MS * speed * NOISE[noise](rng, passes) for _ in range(runs)]
    return sum(bool(two_speeds([int(sample) for sample in samples])) for samples in series) / runs


@pytest.mark.slow
@pytest.mark.parametrize("passes", [20, 30, 50, 100])
@pytest.mark.parametrize(
    ("noise", "most"),
    [
        ("normal, 2 %", 0.001),
        ("normal, 5 %", 0.01),
        ("log-normal, 3 %, 3 % of passes late", 0.002),
        ("normal, 2 %, drifting by 10 %", 0.001),
    ],
)
def test_noise_is_one_speed(noise: str, passes: int, most: float) -> None:
    assert two(noise, passes=passes, runs=5000) <= most


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(
    ("noise", "step", "passes", "least"),
    [
        ("normal, 1 %", 0.15, 20, 0.999),
        ("normal, 2 %", 0.15, 20, 0.95),
        ("normal, 2 %", 0.15, 100, 0.999),
        ("normal, 3 %", 0.25, 30, 0.95),
        ("normal, 5 %", 0.5, 30, 0.99),
    ],
)
def test_a_step_is_two_speeds(
    noise: str, step: float, passes: int, least: float, share: float
) -> None:
    assert two(noise, passes=passes, runs=1000, step=step, share=share) >= least


@pytest.mark.parametrize("order", ["at once", "alternating"])
def test_two_speeds_are_told_with_figures(order: str) -> None:
    rng = np.random.default_rng(1)
    fast = [int(sample) for sample in rng.normal(40.1e6, 2e5, 61)]
    slow = [int(sample) for sample in rng.normal(62.0e6, 2e5, 39)]
    if order == "at once":
        samples = fast + slow
    else:
        turns = cycle((fast, slow))
        samples = [side.pop() for side, _ in zip(turns, range(78), strict=False)] + fast
    assert two_speeds(samples) == "two speeds: 61 passes near 40.1 ms, 39 near 62.0 ms"


def test_a_late_pass_does_not_hide_two_speeds() -> None:
    """One pass in forty waited for something and took twenty times as long."""
    samples = [40_000_000, 40_400_000] * 10 + [46_000_000, 46_400_000] * 10
    samples[7] *= 20
    assert two_speeds(samples) == "two speeds: 19 passes near 40.0 ms, 21 near 46.0 ms"


def test_few_passes_say_nothing() -> None:
    assert two_speeds([40, 62] * 9) == ""
    assert two_speeds([40_000_000, 62_000_000] * 10) != ""
    assert two_speeds([40_000_000] * 100) == ""


@given(st.lists(st.integers(1, 10**12), max_size=200))
def test_any_samples_are_judged_whatever_their_order(samples: list[int]) -> None:
    assert two_speeds(samples) == two_speeds(samples[::-1])


def flagged(level: NDArray[np.floating[Any]], *, noise: float, runs: int = 1000) -> float:
    """Share of runs whose sentinel is flagged; `level` is the board's true speed at each block."""
    rng = np.random.default_rng(2017)
    drifts = [drift((level * rng.normal(1, noise, len(level))).tolist()) for _ in range(runs)]
    return sum(moved is not None and moved.flagged for moved in drifts) / runs


@pytest.mark.parametrize("blocks", [4, 6, 11, 31])
def test_block_noise_is_no_drift(blocks: int) -> None:
    assert flagged(np.ones(blocks), noise=0.02) <= 0.02


@pytest.mark.parametrize("blocks", [4, 6, 11, 31])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_drift_or_a_step_of_a_fifth_is_found(blocks: int, sign: int) -> None:
    along = np.linspace(0, 1, blocks)
    assert flagged(1 + sign * 0.2 * along, noise=0.02) >= 0.95
    assert flagged(1 + sign * 0.2 * (along >= 0.5), noise=0.02) >= 0.95


def test_a_noisy_board_is_allowed_more() -> None:
    """5 % noise over 31 blocks moves the ends by chance; the steps between blocks tell that."""
    assert flagged(np.ones(31), noise=0.05) <= 0.03


@pytest.mark.parametrize(
    ("figures", "change", "is_flagged"),
    [
        ([40.0, 44.8], 0.12, True),
        ([40.0, 41.6], 0.04, False),
        ([40.0, 99.0, 36.0], -0.1, True),
        ([40.0, 40.0, 40.1, 44.7, 44.8, 44.8], 0.12, True),
        ([40.0, 40.0, 40.0, 40.0], 0.0, False),
    ],
)
def test_the_end_stands_against_the_start(
    figures: list[float], change: float, is_flagged: bool
) -> None:
    moved = drift(figures)
    assert moved is not None
    assert moved.change == pytest.approx(change)
    assert moved.flagged is is_flagged


def test_a_drift_is_told_in_words() -> None:
    slower, faster = drift([40.0, 44.8]), drift([40.0, 32.0])
    assert slower is not None
    assert faster is not None
    assert slower.words == "the board was 12% slower at the end than at the start"
    assert faster.words == "the board was 20% faster at the end than at the start"


def test_one_figure_tells_no_drift() -> None:
    assert drift([]) is None
    assert drift([40.0]) is None


if __name__ == "__main__":
    for name in NOISE:
        rates = [f"{two(name, passes=n, runs=10_000):.2%}" for n in (20, 30, 50, 100)]
        sys.stdout.write(f"two speeds, none there; 20, 30, 50, 100 passes; {name}: {rates}\n")
    for name in list(NOISE)[:4]:
        for step in (0.15, 0.25, 0.5):
            rates = [
                f"{two(name, passes=n, runs=2000, step=step, share=share):.1%}"
                for n in (20, 30, 100)
                for share in (0.2, 0.5, 0.8)
            ]
            sys.stdout.write(
                f"two speeds, {step:.0%}; 20, 30, 100 by 20, 50, 80 %; {name}: {rates}\n"
            )
    for blocks in (3, 4, 6, 11, 31):
        along = np.linspace(0, 1, blocks)
        for noise in (0.005, 0.01, 0.02, 0.03, 0.05):
            levels = (np.ones(blocks), 1 + 0.2 * along, 1 + 0.2 * (along >= 0.5), 1 + 0.05 * along)
            rates = [f"{flagged(level, noise=noise, runs=10_000):.1%}" for level in levels]
            sys.stdout.write(f"drift, {blocks} blocks, {noise:.1%}; 0, 20, step 20, 5 %: {rates}\n")
