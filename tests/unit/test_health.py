"""A board that is not as on earlier nights says so before anybody believes its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix.verdicts.health import health
from tests.unit.rows import row

if TYPE_CHECKING:
    from buildmatrix.nouns import Measurement


def night(ms: float = 50.0, *, bundle: str = "b", **changes: Any) -> list[Measurement]:
    facts = {
        "disk_free_kib": 4_000_000,
        "skew_s": 1.0,
        "millicelsius": 45_000,
        "max_khz": 1_200_000,
    }
    facts |= changes
    environment = {"device": facts, "before": facts}
    return [
        row("caffe", 1, ms + at / 100, sentinel=True, bundle=bundle, environment=environment)
        for at in range(3)
    ]


BEFORE = [night(50.0 + number / 10) for number in range(5)]


@pytest.mark.parametrize(
    ("tonight", "words"),
    [
        (night(), []),
        (night(disk_free_kib=102400), ["the board has 100 MiB left on its disk"]),
        (night(skew_s=-3600.0), ["the board's clock is -3600 s away from ours"]),
        (night(millicelsius=58_000), ["the board had 58 °C at rest, 45 °C on earlier nights"]),
        (
            night(max_khz=600_000),
            ["the clock's limit is 600000 kHz, 1200000 kHz on earlier nights"],
        ),
        (night(53.0), ["the sentinel, the same program, took +5.6% against earlier nights"]),
        (night(53.0, bundle="other"), []),
        (night(disk_free_kib=None, skew_s=None, millicelsius=None, max_khz=None), []),
        ([], []),
    ],
)
def test_what_is_not_as_usual_is_told(tonight: list[Measurement], words: list[str]) -> None:
    assert health(tonight, BEFORE) == words


def test_a_board_of_which_little_is_known_is_told_nothing_beside_itself() -> None:
    assert health(night(60.0, millicelsius=70_000), BEFORE[:2]) == []
    assert health(night(disk_free_kib=1), []) == ["the board has 0 MiB left on its disk"]
