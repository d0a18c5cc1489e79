"""`cores`: words and numbers as processors of one board, and what a run that is bound keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from buildmatrix.device import numbered
from buildmatrix.errors import InputError
from buildmatrix.nouns import Cluster
from tests.unit.test_bench_verdict import BOARD

LITTLE = Cluster((0, 1, 2, 3), "0xd03", 485, 1416000)
BIG = Cluster((4, 5), "0xd08", 1024, 1800000)
RK3399 = replace(BOARD, name="rock", clusters=(LITTLE, BIG))
PI3 = replace(BOARD, clusters=(replace(LITTLE, capacity=1024),))


@pytest.mark.parametrize(
    ("cores", "numbers"),
    [
        ("all", "all"),
        ("little", "0-3"),
        ("big", "4-5"),
        ("0,1,2,3", "0-3"),
        ("5,0-1", "0-1,5"),
        ("4", "4"),
    ],
)
def test_words_become_numbers_of_the_board(cores: str, numbers: str) -> None:
    assert numbered(RK3399, cores) == numbers


@pytest.mark.parametrize(
    ("board", "cores", "words"),
    [
        (PI3, "big", "pi3 has processors of one kind, none of which is big"),
        (RK3399, "0-7", "rock has no processor 6-7, but 0-5"),
        (RK3399, "3-1", "cores 3-1 are none: the lower number comes first"),
    ],
)
def test_processors_that_a_board_does_not_have_are_refused(
    board: Any, cores: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        numbered(board, cores)


def test_a_board_that_says_nothing_of_its_processors_takes_numbers() -> None:
    assert numbered(replace(BOARD, clusters=()), "2-3") == "2-3"
