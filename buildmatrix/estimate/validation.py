"""Every published time beside what was estimated without it, and how far that was off.

Held out three ways: a row's network with its family, its board with all its placings, and both.
The two rivals are fitted to the same rows: milliseconds proportional to a figure of the network
(its multiply-adds, or the instructions that emulation counts), over cores and clock; and once more
with a power of the cores that is fitted too, which is more than was asked of a simple rival.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import correlation, median
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.estimate import fit, model
from buildmatrix.estimate.board import boards
from buildmatrix.estimate.model import Choice
from buildmatrix.estimate.work import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from buildmatrix.estimate.board import Row

    Asked = Mapping[str, Mapping[str, float]]
    Guess = Callable[[Row], float]  # milliseconds
    Method = Callable[[Sequence[Row]], Guess]

BOUND, TAIL, ORDER = 0.25, 0.5, 0.9  # median and ninth decile of errors; rank correlation
CHOICES = tuple(Choice(*each) for each in itertools.product((0.15, 0.3), (0.1, 0.25)))
FOLDS = 3  # of boards, in what is fitted to, to choose by
COVERED = 0.9  # of held-out rows that an interval takes in
ALL_CORES = (1.0,)  # a rival's power of threads: each adds as much as the first
POWERS = tuple(tenth / 10 for tenth in range(11))


class Held(StrEnum):
    """What a fit did not see of a row that it is asked for."""

    NETWORK = "network"
    BOARD = "board"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Figures:
    """Relative errors of held-out rows, and the least rank correlation over networks of any board
    and its placing."""

    rows: int
    median: float
    ninth: float  # of ten: the ninth decile
    ranks: float

    @property
    def is_within(self) -> bool:
        """Whether milliseconds may be told."""
        return self.median <= BOUND and self.ninth <= TAIL and self.ranks >= ORDER


def by_model(asked: Asked, choice: Choice) -> Method:
    """The model itself, as a method that is fitted to rows."""

    def method(rows: Sequence[Row]) -> Guess:
        values = fit.fitted(rows, asked, choice)

        def guess(row: Row) -> float:
            asks = {part: asked[row.network][part] for part in Part}
            return sum(model.milliseconds(asks, fit.setting(row), values).values())

        return guess

    return method


def by_chosen(asked: Asked) -> Method:
    """The model, with what is chosen chosen anew in the rows that it is fitted to: so a row that
    is held out has no say in it either."""

    def method(rows: Sequence[Row]) -> Guess:
        return by_model(asked, chosen(rows, asked))(rows)

    return method


def chosen(rows: Sequence[Row], asked: Asked) -> Choice:
    """The choice whose estimates of these rows, with a third of their boards held out at a time,
    are off by the least: the mean distance of the logarithms."""
    groups = sorted({boards()[row.board].group for row in rows})

    def off(choice: Choice) -> float:
        misses = []
        for first in range(FOLDS):
            out = groups[first::FOLDS]
            guess = by_model(asked, choice)([r for r in rows if boards()[r.board].group not in out])
            tried = [row for row in rows if boards()[row.board].group in out]
            misses += [abs(math.log(guess(row) / row.ms)) for row in tried]
        return sum(misses)

    return min(CHOICES, key=off)


def by_figure(figures: Mapping[str, float], powers: Sequence[float] = ALL_CORES) -> Method:
    """The rival: time is a figure of the network over cores and clock, times what the rows of the
    board say, or those of all boards where the board was held out. The cores count to that one of
    `powers` which brings the rows nearest to one another."""

    def method(rows: Sequence[Row]) -> Guess:
        def alone(row: Row) -> float:
            return figures[row.network] / boards()[row.board].mhz

        def apart(power: float) -> float:
            each = [math.log(row.ms / alone(row) * row.threads**power) for row in rows]
            middle = median(each)
            return sum(abs(one - middle) for one in each)

        power = min(powers, key=apart)

        def base(row: Row) -> float:
            return alone(row) / math.pow(row.threads, power)

        def guess(row: Row) -> float:
            placed = [one for one in rows if (one.board, one.threads) == (row.board, row.threads)]
            return median(one.ms / base(one) for one in placed or rows) * base(row)

        return guess

    return method


def estimates(rows: Sequence[Row], held: Held, method: Method) -> tuple[float, ...]:
    """Milliseconds for each row, by the method fitted to all rows that are not held out with it."""
    guesses: dict[tuple[str, ...], Guess] = {}

    def guess(row: Row) -> float:
        key = _key(row, held)
        if key not in guesses:
            guesses[key] = method([one for one in rows if not _is_out(one, row, held)])
        return guesses[key](row)

    return tuple(guess(row) for row in rows)


def _key(row: Row, held: Held) -> tuple[str, ...]:
    group = boards()[row.board].group
    match held:
        case Held.NETWORK:
            return (row.family,)
        case Held.BOARD:
            return (group,)
        case Held.BOTH:
            return (row.family, group)


def _is_out(one: Row, row: Row, held: Held) -> bool:
    family = one.family == row.family
    group = boards()[one.board].group == boards()[row.board].group
    match held:
        case Held.NETWORK:
            return family
        case Held.BOARD:
            return group
        case Held.BOTH:
            return family or group


def figures(rows: Sequence[Row], made: Sequence[float]) -> Figures:
    """How far off estimates of published rows were."""
    errors = [abs(ms / row.ms - 1) for row, ms in zip(rows, made, strict=True)]
    ranks = _ranks(rows, made).values()
    return Figures(len(rows), float(np.median(errors)), float(np.quantile(errors, 0.9)), min(ranks))


def _ranks(rows: Sequence[Row], made: Sequence[float]) -> Mapping[tuple[str, int], float]:
    """Spearman's rank correlation of each board and placing; no two times are the same."""
    placed: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for row, ms in zip(rows, made, strict=True):
        placed.setdefault((row.board, row.threads), []).append((row.ms, ms))
    return {
        key: correlation(*map(_order, zip(*pairs, strict=True))) for key, pairs in placed.items()
    }


def _order(times: Sequence[float]) -> list[int]:
    """The place of each among them."""
    ordered = sorted(times)
    return [ordered.index(ms) for ms in times]


def factor(rows: Sequence[Row], made: Sequence[float]) -> float:
    """By how much an estimate is divided and multiplied for an interval that takes in nine of ten
    held-out rows: split conformal prediction on the logarithm of the error."""
    errors = sorted(abs(math.log(ms / row.ms)) for row, ms in zip(rows, made, strict=True))
    place = math.ceil((len(errors) + 1) * COVERED) - 1
    return math.exp(errors[min(place, len(errors) - 1)])
