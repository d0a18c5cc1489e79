"""Which earlier row each row is held against, and how much rows differ from run to run anyway.

Pure: rows in, rows and figures out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from buildmatrix.compare.board import MAD_FREEDOM, Between
from buildmatrix.compare.pairing import Side
from buildmatrix.compare.rounds import FEW_BLOCKS, centres
from buildmatrix.conditions import differences

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.summary import Row

FEW_DEGREES = 3.0  # of fewer, kept runs say nothing about the noise between runs


def nearest_alike(rows: Sequence[Row], runs: Iterable[Sequence[Row]]) -> tuple[Row, ...]:
    """For each row the first earlier one that it may be held against, in the order of `rows`.

    `runs` come in the order of preference and are read no further than needed. A row that none of
    them has under the same conditions gets the first under others, so that it can be said what
    differs; then come the rows of the first run that are no longer measured.
    """
    waiting, unlike = list(rows), dict[int, "Row"]()
    alike: dict[int, Row] = {}
    gone: list[Row] = []
    measured = {(row.cell, row.batch) for row in rows}
    for number, run in enumerate(runs):
        if not number:
            gone = [row for row in run if (row.cell, row.batch) not in measured]
        for row in waiting:
            for other in run:
                if (other.cell, other.batch) != (row.cell, row.batch):
                    continue
                if not differences(Side(other).conditions, Side(row).conditions):
                    alike.setdefault(id(row), other)
                else:
                    unlike.setdefault(id(row), other)
        waiting = [row for row in waiting if id(row) not in alike]
        if not waiting:
            break
    earlier = [alike.get(id(row)) or unlike.get(id(row)) for row in rows]
    once = {id(row): row for row in earlier if row is not None}  # two rows may have one base
    return (*once.values(), *gone)


def between_runs(runs: Iterable[Sequence[Row]]) -> Between | None:
    """How far the level of one program differs from run to run, beside its whole run's level.

    Of rows of the same bundle under the same conditions in two runs or more; None where there are
    too few to say.
    """
    levels: dict[tuple[object, ...], dict[int, tuple[float, float]]] = defaultdict(dict)
    for number, run in enumerate(runs):
        for row in run:
            side = Side(row)
            if row.first.bundle and len(side.figures) >= FEW_BLOCKS:
                what = (row.cell, row.first.bundle, side.conditions)
                centre, error, _ = centres(np.log(side.figures)[None], 0.0)
                levels[what][number] = float(centre[0]), float(error[0])
    repeated = [of_row for of_row in levels.values() if len(of_row) > 1]
    away = _without_runs(repeated)
    numbers = {number for of_row in repeated for number in of_row}
    freedom = MAD_FREEDOM * (len(away) - len(repeated) - len(numbers) + 1)
    if freedom < FEW_DEGREES:
        return None
    lost = len(away) / (len(away) - len(repeated) - len(numbers) + 1)
    seen = float(stats.median_abs_deviation(away, center=_zero, scale="normal")) ** 2 * lost
    explained = float(np.median([error for of_row in repeated for _, error in of_row.values()]))
    return Between(math.sqrt(max(0.0, seen - explained)), freedom)


def _zero(_values: object, axis: object = None) -> float:  # noqa: ARG001 - scipy's signature
    return 0.0


def _without_runs(repeated: Sequence[dict[int, tuple[float, float]]]) -> list[float]:
    """Each level beside the mean of its row, and then beside what its run's rows share."""
    centred = [
        {
            number: level - np.mean([x for x, _ in of_row.values()])
            for number, (level, _) in of_row.items()
        }
        for of_row in repeated
    ]
    of_run: dict[int, list[float]] = defaultdict(list)
    for of_row in centred:
        for number, level in of_row.items():
            of_run[number].append(float(level))
    shared = {number: float(np.median(levels)) for number, levels in of_run.items()}
    return [float(level) - shared[number] for of_row in centred for number, level in of_row.items()]
