"""Agreement: the worst difference of each pair, and where it is."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.agreement import Answer, between, differences, worst_of
from buildmatrix.workload import REFERENCE

OUTPUTS = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=8).map(tuple)


def answer(cell: str, *output: float) -> Answer:
    return Answer(cell, "float32", output)


def test_the_worst_of_every_pair_and_where() -> None:
    found = differences(
        [answer("a", 0.5, 0.25), answer("b", 0.5, 0.26), answer(REFERENCE, 0.5, 0.25)]
    )
    assert [(d.one, d.other) for d in found[2:]] == [("a", REFERENCE)]
    worst = worst_of("a", {"a", "b"}, found)
    assert worst is not None
    assert (worst.other, worst.at, worst.values) == ("b", 1, (0.25, 0.26))
    assert math.isclose(worst.relative, 0.01 / 0.26)
    exact = between(REFERENCE, "a", found)
    assert exact is not None
    assert exact.relative == 0


def test_tiny_values_count_as_a_thousandth_of_the_largest() -> None:
    (found,) = differences([answer("a", 1.0, 1e-9), answer("b", 1.0, 2e-9)])
    assert math.isclose(found.relative, 1e-6)


def test_answers_of_different_sizes_do_not_agree_at_all() -> None:
    (found,) = differences([answer("a", 1.0), answer("b", 1.0, 2.0)])
    assert found.relative == math.inf


def test_a_cell_without_peers_has_nobody_to_differ_from() -> None:
    found = differences([answer("a", 1.0), answer(REFERENCE, 1.0), answer("int8", 2.0)])
    assert worst_of("a", {"a"}, found) is None


@given(OUTPUTS, OUTPUTS)
def test_the_order_of_two_answers_decides_nothing(
    one: tuple[float, ...], other: tuple[float, ...]
) -> None:
    (there,) = differences([Answer("a", "f", one), Answer("b", "f", other)])
    (back,) = differences([Answer("b", "f", other), Answer("a", "f", one)])
    assert there.relative == back.relative >= 0
    if there.relative == 0:  # the smallest of all differences, 5e-324, is nothing beside 2000
        assert all(math.isclose(a, b, abs_tol=1e-300) for a, b in zip(one, other, strict=True))
    assert there.relative == 0 or one != other
