"""The model's coefficients, from rows of published times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.estimate import model
from buildmatrix.estimate.board import boards
from buildmatrix.estimate.work import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from buildmatrix.estimate.board import Row

    Vector = NDArray[np.float64]

STEP = 1e-6  # by which a logarithm is moved to see what that changes
OWN_NOISE = 0.05  # of a run of one's own, whose system and libraries are those that are asked for


def fitted(
    rows: Sequence[Row], asked: Mapping[str, Mapping[str, float]], choice: model.Choice
) -> Mapping[str, float]:
    """Coefficients by name. `asked`: what each network of the rows asks for.

    Least squares of the logarithms, each coefficient held to its middle; a row that is far off
    counts by its distance, not by the square of it.
    """
    from scipy.optimize import least_squares

    wanted = _wanted(sorted({row.board for row in rows if row.own}), choice)
    middles = np.log([one.middle for one in wanted])
    spreads = np.array([one.spread for one in wanted])
    names = [one.name for one in wanted]
    settings = [*dict.fromkeys(map(setting, rows))]
    places = [settings.index(setting(row)) for row in rows]
    asks = np.array([[asked[row.network][part] for part in Part] for row in rows])
    times = np.log([row.ms for row in rows])
    noise = np.array([OWN_NOISE if row.own else choice.noise for row in rows])

    def misses(logs: Vector) -> Vector:
        """Of one set of coefficients, or of several: the last dimension counts them."""
        values = dict(zip(names, np.exp(logs.T), strict=True))
        each = model.rates(settings, values)[..., places, :]
        off = (np.log((asks * each).sum(axis=-1)) - times) / noise
        soft = np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1))
        return np.concatenate([soft, (logs - middles) / spreads], axis=-1)

    def slopes(logs: Vector) -> Vector:
        moved = misses(logs + STEP * np.eye(len(logs)))
        return (moved - misses(logs)).T / STEP

    best = least_squares(misses, middles, slopes, method="lm", ftol=1e-6, xtol=1e-6).x
    return dict(zip(names, map(float, np.exp(best)), strict=True))


def _wanted(own: Sequence[str], choice: model.Choice) -> tuple[model.Coefficient, ...]:
    every = boards().values()
    cores = dict.fromkeys(board.core for board in every)
    groups = dict.fromkeys(board.group for board in every)
    return model.coefficients([*cores], [*groups], own, choice)


def setting(row: Row) -> model.Setting:
    """The board, threads and release that a row was measured with."""
    return model.Setting(boards()[row.board], row.threads, own=row.own, early=row.early)
