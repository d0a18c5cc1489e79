"""A board that moves is not a program that changed: a few tables of each kind of movement.

docs/statistics.md has the rates of 100 to 300 tables: `python -m tests.bench.statistics`.
"""

from __future__ import annotations

import numpy as np
import pytest

from buildmatrix.compare import Verdict, compare
from tests.unit.moving import CHANGED, KINDS, table

TABLES = 3  # of each kind; one claim in all of them is more than the rates allow for by far
CLAIMS = (Verdict.BETTER, Verdict.WORSE)


@pytest.mark.parametrize("blocks", [8, pytest.param(30, marks=pytest.mark.slow)])
def test_no_kind_of_movement_is_told_as_a_change(blocks: int) -> None:
    claimed = []
    for kind in KINDS:
        rng = np.random.default_rng(7)
        for _ in range(TABLES):
            made = table(kind, rng, blocks=blocks)
            found = compare(made.base, made.new, sentinels=made.sentinels)
            claimed += [kind for one in found if one.verdict in CLAIMS]
    assert len(claimed) <= 1, claimed


@pytest.mark.parametrize("kind", ["the new run 3 % warmer", "a drift of 6 % over the new run"])
def test_a_change_of_5_percent_is_found_beside_the_board(kind: str) -> None:
    rng = np.random.default_rng(8)
    for _ in range(TABLES):
        made = table(kind, rng, blocks=30, shift=0.05)
        found = compare(made.base, made.new, sentinels=made.sentinels)
        assert found[CHANGED].verdict is Verdict.WORSE
