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


def fitted(rows: Sequence[Row], asked: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """Coefficients by name. `asked`: what each network of the rows asks for.

    Least squares of the logarithms, each coefficient held to its middle; a row that is far off
    counts by its distance, not by the square of it.
    """
    from scipy.optimize import least_squares

    wanted = _wanted()
    middles = np.log([one.middle for one in wanted])
    spreads = np.array([one.spread for one in wanted])
    names = [one.name for one in wanted]
    settings = [*dict.fromkeys(map(_setting, rows))]
    places = [settings.index(_setting(row)) for row in rows]
    asks = np.array([[asked[row.network][part] for part in Part] for row in rows])
    times = np.log([row.ms for row in rows])

    def misses(logs: Vector) -> Vector:
        values = dict(zip(names, np.exp(logs), strict=True))
        each = np.array([[*model.rates(one, values).values()] for one in settings])
        off = (np.log((asks * each[places]).sum(axis=1)) - times) / NOISE
        soft = np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1))
        return np.concatenate([soft, (logs - middles) / spreads])

    best = least_squares(misses, middles).x
    return dict(zip(names, map(float, np.exp(best)), strict=True))


def _wanted() -> tuple[model.Coefficient, ...]:
    every = boards().values()
    cores, groups = (
        [*dict.fromkeys(names)] for names in ((b.core for b in every), (b.group for b in every))
    )
    return model.coefficients(cores, groups)


def _setting(row: Row) -> model.Setting:
    return model.Setting(boards()[row.board], row.threads)
