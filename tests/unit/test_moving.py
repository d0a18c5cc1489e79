"""A board that moves is not a program that changed: a few tables of each kind of movement.

docs/statistics.md has the rates of 300 tables: `python -m tests.bench.statistics`.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from buildmatrix.compare import Verdict, compare
from buildmatrix.compare.board import Move, changes
from buildmatrix.compare.judge import FALSE_DISCOVERIES, Ground
from tests.unit.moving import CHANGED, KINDS, table

TABLES = 3  # of each kind; one claim in all of them is more than the rates allow for by far
CLAIMS = (Verdict.BETTER, Verdict.WORSE)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["the new run 3 % warmer", "a drift of 6 % over the new run"])
def test_a_change_of_5_percent_is_found_beside_the_board(kind: str) -> None:
    rng = np.random.default_rng(8)
    for _ in range(TABLES):
        made = table(kind, rng, blocks=30, shift=0.05)
        found = compare(made.base, made.new, sentinels=made.sentinels)
        assert found[CHANGED].verdict is Verdict.WORSE


def test_a_few_far_blocks_are_no_spread_and_a_real_one_takes_welch_alone() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(1, 0.005, 30)
    far, wide = rng.normal(1, 0.005, 30), rng.normal(1, 0.05, 30)
    far[:3] *= 1.9
    quiet, noisy = changes([(base, far), (base, wide)], 0.0)
    assert (quiet.uneven, noisy.uneven) == (False, True)
    assert noisy.freedom[-1] == 29  # of the side that spreads more
    assert noisy.p(Move()) == pytest.approx(
        2 * stats.t.sf(abs(noisy.change[-1]) / noisy.variance[-1] ** 0.5, 29)
    )


@pytest.mark.parametrize("move", [Move(level=0.03), Move(rounds=True)])
def test_a_move_that_was_taken_out_costs_half_of_the_chance(move: Move) -> None:
    def ground(move: Move, *, uneven: bool = False) -> Ground:
        return Ground((8, 8), 27, up=True, drift=0, same_program=False, uneven=uneven, move=move)

    assert ground(Move()).level == FALSE_DISCOVERIES
    assert ground(move).level == ground(Move(), uneven=True).level == FALSE_DISCOVERIES / 2
    assert ground(move).least_p < ground(move).level  # 8 blocks are still enough for 27 rows
