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

NOISE = 0.15  # of a published time, in the logarithm: versions, systems and cooling differ
OWN_NOISE = 0.05  # of a run of one's own, whose system and libraries are those that are asked for


def fitted(rows: Sequence[Row], asked: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """Coefficients by name. `asked`: what each network of the rows asks for.

    Least squares of the logarithms, each coefficient held to its middle; a row that is far off
    counts by its distance, not by the square of it.
    """
    from scipy.optimize import least_squares

    wanted = _wanted(sorted({row.board for row in rows if row.own}))
    middles = np.log([one.middle for one in wanted])
    spreads = np.array([one.spread for one in wanted])
    names = [one.name for one in wanted]
    settings = [*dict.fromkeys(map(_setting, rows))]
    places = [settings.index(_setting(row)) for row in rows]
    asks = np.array([[asked[row.network][part] for part in Part] for row in rows])
    times = np.log([row.ms for row in rows])
    noise = np.array([OWN_NOISE if row.own else NOISE for row in rows])

    def misses(logs: Vector) -> Vector:
        values = dict(zip(names, np.exp(logs), strict=True))
        each = np.array([[*model.rates(one, values).values()] for one in settings])
        off = (np.log((asks * each[places]).sum(axis=1)) - times) / noise
        soft = np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1))
        return np.concatenate([soft, (logs - middles) / spreads])

    best = least_squares(misses, middles).x
    return dict(zip(names, map(float, np.exp(best)), strict=True))


def _wanted(own: Sequence[str]) -> tuple[model.Coefficient, ...]:
    every = boards().values()
    cores = dict.fromkeys(board.core for board in every)
    groups = dict.fromkeys(board.group for board in every)
    return model.coefficients([*cores], [*groups], own)


def _setting(row: Row) -> model.Setting:
    return model.Setting(boards()[row.board], row.threads, own=row.own)
