"""Expected seconds: on record, or guessed from what is most alike, and said which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix.durations import GUESSES, Estimate, estimates
from buildmatrix.nouns import Stage
from tests.unit import projects

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.works import Graph


@pytest.fixture
def works(tmp_path: Path) -> Graph:
    return projects.works(projects.write(tmp_path))


def test_what_was_timed_is_expected_to_take_as_long_again(works: Graph) -> None:
    assert estimates(works, {"build:net@tc": 61.5})["build:net@tc"] == Estimate(61.5, "record")


def test_what_was_never_timed_is_guessed_as_the_same_recipe_with_other_options(
    works: Graph,
) -> None:
    known = {
        "build:blas[blas=one,neon=false]@tc": 10.0,
        "build:blas[blas=one,neon=true]@tc": 30.0,
        "build:net@tc": 400.0,
    }
    expected = estimates(works, known)
    assert expected["build:blas[blas=two,neon=false]@tc"] == Estimate(20.0, "guess")


def test_then_as_its_kind_here_and_then_as_its_kind_elsewhere(works: Graph) -> None:
    expected = estimates(works, {"build:blas[blas=one,neon=false]@tc": 10.0})
    assert expected["build:net@tc"] == Estimate(10.0, "guess")
    assert expected["runner:net@tc"] == Estimate(GUESSES[Stage.RUNNER], "guess")


def test_every_kind_of_work_has_a_guess() -> None:
    assert set(GUESSES) == set(Stage)
