"""Whether the stacks give the same answer: every output against every other. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Answer:
    """What one cell gave for image 0 of a model."""

    cell: str
    number_format: str
    output: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two answers differ most. `relative` is infinite when they are not comparable."""

    one: str
    other: str
    relative: float
    at: int  # index into the output
    values: tuple[float, float]  # there


@dataclass(frozen=True, slots=True)
class Agreement:
    """The answers of the cells that ran, then that of whoever says what is right, as
    `workload.answerer` names it; and how each pair differs."""

    answers: tuple[Answer, ...]
    pairs: tuple[Difference, ...]

    @property
    def rows(self) -> Iterator[tuple[Answer, Difference | None, Difference | None]]:
        """Each cell's answer, its difference from the right one, and its worst from a cell that
        computes in the same number format: int8 differs from float32, and that is no news."""
        *cells, right = self.answers
        for answer in cells:
            peers = [one.cell for one in cells if one.number_format == answer.number_format]
            yield (
                answer,
                between(answer.cell, right.cell, self.pairs),
                worst_of(answer.cell, peers, self.pairs),
            )

    def words(self) -> Iterator[tuple[str, str, str, str]]:
        """(cell, number format, difference from the reference, worst from another cell)."""
        for answer, reference, worst in self.rows:
            yield (
                answer.cell,
                answer.number_format,
                words(answer.cell, reference),
                words(answer.cell, worst, named=True),
            )


def differences(answers: Iterable[Answer]) -> tuple[Difference, ...]:
    """The worst difference of each pair, the largest first."""
    pairs = [_worst(one, other) for one, other in combinations(answers, 2)]
    return tuple(sorted(pairs, key=lambda d: (-d.relative, d.one, d.other)))


def _worst(one: Answer, other: Answer) -> Difference:
    if len(one.output) != len(other.output):
        sizes = (float(len(one.output)), float(len(other.output)))
        return Difference(one.cell, other.cell, math.inf, 0, sizes)
    floor = _floor(one.output, other.output)
    pairs = zip(one.output, other.output, strict=True)
    relative = [abs(a - b) / max(abs(a), abs(b), floor) for a, b in pairs]
    at = max(range(len(relative)), key=relative.__getitem__)
    return Difference(one.cell, other.cell, relative[at], at, (one.output[at], other.output[at]))


def _floor(*outputs: Sequence[float]) -> float:
    """As in `bench.verdict`: what is below a thousandth of the largest counts as that much."""
    return max(max(map(abs, output), default=0.0) for output in outputs) / 1000 or math.ulp(0.0)


def worst_of(cell: str, peers: Container[str], pairs: Sequence[Difference]) -> Difference | None:
    """The largest difference between one cell and any of its peers."""
    return next(
        (
            d
            for d in pairs
            if (d.one == cell and d.other in peers) or (d.other == cell and d.one in peers)
        ),
        None,
    )


def between(one: str, other: str, pairs: Iterable[Difference]) -> Difference | None:
    """What two answers differ by."""
    return next((d for d in pairs if {one, other} == {d.one, d.other}), None)


def words(cell: str, difference: Difference | None, *, named: bool = False) -> str:
    """'1.2e-06 at output 17', and with `named` which answer `cell` differs from there."""
    if difference is None:
        return "none to compare"
    if math.isinf(difference.relative):
        return "another number of outputs"
    other = difference.other if difference.one == cell else difference.one
    return f"{difference.relative:.1e} at {difference.at}" + (f", {other}" if named else "")
