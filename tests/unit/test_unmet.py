"""What a run was asked for and its board could not do is said beside its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix.bench.unmet import unmet
from buildmatrix.nouns import Run
from buildmatrix.verdicts import reporting
from tests.unit import shelves
from tests.unit.rows import row

if TYPE_CHECKING:
    from pathlib import Path


def said(request: dict[str, Any], *environments: dict[str, Any]) -> list[str]:
    """The sentences of a run whose blocks have these environments."""
    blocks = [row("net", 1, 40.0, environment=one) for one in environments]
    return list(unmet(request, blocks))


WARM: dict[str, Any] = {"before": {"millicelsius": 51000}}


def test_limits_of_a_temperature_that_the_board_does_not_tell_are_not_taken_for_kept() -> None:
    asked = {"max_celsius": 75, "cool_down": 55}
    assert said(asked, {}, {"before": {"millicelsius": None}}) == [
        "the board tells no temperature: no block was held against 75 °C",
        "the board tells no temperature: nothing waited for 55 °C",
    ]
    assert said(asked, {}, WARM) == []
    assert said({}, {}) == []


@pytest.mark.parametrize(
    ("watts", "words"),
    [
        ([[], []], "the meter gave no reading during the timed passes"),
        ([[5.1, 5.2], []], "the meter gave no reading in 1 of 2 blocks"),
        ([[5120.0], [5130.0]], "the meter read 5130 W: a command of `power` prints watts"),
        ([[5.1], [5.2]], ""),
    ],
)
def test_a_meter_that_is_silent_or_speaks_of_milliwatts_is_told(
    watts: list[list[float]], words: str
) -> None:
    found = said({"power": "meter"}, *({"watts": one} for one in watts))
    assert found == ([words] if words else [])


def test_a_run_of_no_block_and_rows_of_another_make_say_nothing() -> None:
    assert said({"power": "meter"}, {"watts": "5 W"}) == [
        "the meter gave no reading during the timed passes"
    ]
    assert said({}) == []


def test_it_stands_among_the_notes_of_the_run(tmp_path: Path) -> None:
    shop, blocks = shelves.workshop(tmp_path), [row("net-one", 1, 40.0)]
    run = Run(
        id=blocks[0].run,
        device="pi3",
        emulated=False,
        request={"max_celsius": 75},
        journal="",
        collected_at="",
    )
    with shop.results() as results:
        results.insert(blocks, run)
    (words,) = reporting.with_notes(shop, blocks).notes[run.id]
    assert words == "the board tells no temperature: no block was held against 75 °C"
