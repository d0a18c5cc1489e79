"""Tables of two runs in which the board moves in a known way: what a verdict must not fall for.

The logarithm of a figure is the level of its row, what the board does to all rows of a run, a level
that the row takes in that run alone, and the noise of its blocks (docs/statistics.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.nouns import Measurement, Status
from buildmatrix.summary import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Kind = Callable[[np.random.Generator, int, int], Floats]

NOISE = 0.02  # of a block, where a kind says nothing else
KEYS = [(cell, batch) for cell in ("caffe", "mxnet", "tf") for batch in range(1, 10)]
CHANGED = 13  # the row that is shifted, where one is


def autoregressive(
    rng: np.random.Generator, shape: tuple[int, ...], alike: float, spread: float
) -> Floats:
    """A stationary AR(1) series along the last axis."""
    found = rng.normal(0, spread, shape)
    for at in range(1, shape[-1]):
        fresh = np.sqrt(1 - alike**2) * found[..., at]
        found[..., at] = alike * found[..., at - 1] + fresh
    return found


def _noise(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
    return rng.normal(0, NOISE, (2, rows, blocks))


def _slow(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
    board = autoregressive(rng, (2, 1, blocks), 0.95, 0.03)
    return _noise(rng, rows, blocks) + board


def _warm(side: int) -> Kind:
    def made(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
        found = _noise(rng, rows, blocks)
        found[side] += np.log(1.03)
        return found

    return made


def _step(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
    found = _noise(rng, rows, blocks)
    found[1, :, blocks // 2 :] += np.log(1.05)
    return found


def _drift(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
    found = _noise(rng, rows, blocks)
    found[1] += np.linspace(0, 0.06, blocks)
    return found


def _cycle(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
    phase = rng.uniform(0, 2 * np.pi, (2, 1, 1))
    return _noise(rng, rows, blocks) + 0.03 * np.sin(np.arange(blocks) * 2 * np.pi / 10 + phase)


def _level_of_run(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
    return _noise(rng, rows, blocks) + rng.normal(0, 0.02, (2, 1, 1))


def _level_of_row(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
    return _noise(rng, rows, blocks) + rng.normal(0, 0.01, (2, rows, 1))


def _unequal(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
    spread = np.array([0.005, 0.05])[:, None, None]
    return spread * rng.normal(0, 1, (2, rows, blocks))


def _correlated(alike: float) -> Kind:
    def made(rng: np.random.Generator, rows: int, blocks: int) -> Floats:
        return autoregressive(rng, (2, rows, blocks), alike, NOISE)

    return made


KINDS: dict[str, Kind] = {
    "nothing but noise of 2 %": _noise,
    "slow noise of 3 % that all rows share": _slow,
    "the new run 3 % warmer": _warm(1),
    "the base 3 % warmer": _warm(0),
    "a step of 5 % in the middle of the new run": _step,
    "a drift of 6 % over the new run": _drift,
    "a cycle of ±3 %, ten rounds long": _cycle,
    "a level of its own a run, 2 %": _level_of_run,
    "a level of its own a row and run, 1 %": _level_of_row,
    "spread of 0.5 % in the base, 5 % in the new run": _unequal,
    "each row's blocks correlated, AR(1) 0.5": _correlated(0.5),
    "each row's blocks correlated, AR(1) 0.8": _correlated(0.8),
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and sentinels of both runs."""

    base: list[Row]
    new: list[Row]
    sentinels: tuple[tuple[Measurement, ...], tuple[Measurement, ...]]


def table(kind: str, rng: np.random.Generator, *, blocks: int, shift: float = 0.0) -> Table:
    """27 rows, 3 cells at 9 batch sizes; one of them is changed by `shift`."""
    noise = KINDS[kind](rng, len(KEYS) + 1, blocks)
    noise[1, CHANGED] += np.log1p(shift)
    levels = np.linspace(40, 100, len(KEYS) + 1)[:, None]
    sides = levels * np.exp(noise)
    runs = [
        [
            Row(Status.OK, blocks_of(run, cell, batch, figures))
            for (cell, batch), figures in zip(KEYS, side[:-1].tolist(), strict=True)
        ]
        for run, side in zip(("base", "new"), sides, strict=True)
    ]
    sentinels = [
        blocks_of(run, "caffe", 1, side[-1].tolist(), bundle="5" * 64, sentinel=True)
        for run, side in zip(("base", "new"), sides, strict=True)
    ]
    return Table(runs[0], runs[1], (sentinels[0], sentinels[1]))


def blocks_of(
    run: str,
    cell: str,
    batch: int,
    figures: list[float],
    *,
    bundle: str = "",
    sentinel: bool = False,
) -> tuple[Measurement, ...]:
    """One block a round. Every program is another one in each run, unless `bundle` names it."""
    return tuple(
        Measurement(
            run=run,
            cell=cell,
            device="pi3",
            emulated=False,
            model="face-cnn",
            batch=batch,
            threads=4,
            passes=1,
            status=Status.OK,
            block=number,
            round=number,
            sentinel=sentinel,
            samples_ns=(round(ms * 1e6 * batch),),
            bundle=bundle or f"{run}-{cell}",
        )
        for number, ms in enumerate(figures)
    )
