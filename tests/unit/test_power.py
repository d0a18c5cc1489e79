"""Joules of an image: which readings of a meter count, and where they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix import report, summary
from buildmatrix.bench import journal
from buildmatrix.bench.energy import watts
from buildmatrix.bench.journal import BlockResult
from buildmatrix.bench.request import run_files
from buildmatrix.errors import BenchError, InputError
from buildmatrix.nouns import Meter
from buildmatrix.page.render import field
from tests.contract.bench_board import only
from tests.unit import projects
from tests.unit.rows import FORMAT, emulated, row

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.nouns import Measurement

SUPPLY = "the whole board, behind its supply"


def block(*power: tuple[float | None, float | None], ended: float = 110.0) -> BlockResult:
    return BlockResult(0, 0, False, "one", 1, 0, {}, after={"uptime": ended}, power=power)


def metered(*readings: float, block: int = 0) -> Measurement:
    """A block of 40 ms an image, with what its meter read."""
    read = {**FORMAT, "watts": [*readings], "power_of": SUPPLY}
    return row("net", 2, 40.0, environment=read, block=block, round=block)


def test_only_readings_during_the_timed_passes_count() -> None:
    loading, timed, ending = (100.0, 9.0), [(107.0, 2.0), (109.0, 3.0)], (109.9, 1.0)
    assert watts(block(loading, *timed, ending), [2_000_000_000] * 2) == (2.0, 3.0)


def test_a_reading_that_was_no_number_counts_for_nothing() -> None:
    assert watts(block((109.0, None), (None, 2.0)), [2_000_000_000]) == ()


def test_joules_are_the_mean_watts_for_as_long_as_an_image_takes() -> None:
    (made,) = summary.rows([metered(2.0, 3.0), metered(4.0, block=1)])
    assert made.watts == 3.0
    assert made.joules_per_image == pytest.approx(0.12)


def test_two_readings_are_no_mean() -> None:
    (made,) = summary.rows([metered(2.0, 3.0)])
    assert (made.watts, made.joules_per_image) == (None, None)


def test_joules_stand_beside_milliseconds_with_what_was_measured() -> None:
    rows = summary.rows([metered(2.0, 3.0, 4.0)])
    (grid,) = report.grids(rows)
    note = f"J: joules an image of {SUPPLY}, the mean of readings during the timed passes"
    assert note in grid.notes
    text = report.markdown([grid])
    assert "net, ms, J" in text
    assert "40.00, 0.1200 J" in text
    assert field(grid, 2, "net").below == "±?, 0.1200 J"
    assert "joules_per_image" in report.csv(rows).splitlines()[0]


def test_joules_beside_an_emulated_board_are_marked() -> None:
    counted = emulated("net", 1, 40.0, 81.0)
    read = {**FORMAT, "watts": [2.0, 3.0, 4.0], "power_of": SUPPLY}
    (grid,) = report.grids(summary.rows([replace(counted, environment=read)]))
    (note,) = [one for one in grid.notes if one.startswith("J:")]
    assert note.endswith("emulated: the meter's board is not the one that is emulated")


def test_a_board_without_a_meter_has_no_word_of_joules() -> None:
    (grid,) = report.grids(summary.rows([row("net", 1, 40.0)]))
    assert " J" not in report.markdown([grid])


def test_the_meter_is_in_the_settings_that_the_agent_reads() -> None:
    command = "cat /sys/class/hwmon/hwmon0/power1_input"
    assert f"\npower {command}\n".encode() in run_files(only("one", power=command), "")
    assert b"\npower " not in run_files(only("one"), "")


@pytest.mark.parametrize("readings", ['[[1.0,"2"]]', "[[1.0]]", "[3]", "[[1.0,-2]]"])
def test_a_journal_whose_readings_are_none_is_refused(readings: str) -> None:
    line = (
        '{"block":0,"round":0,"sentinel":false,"cell":"one","batch":1,"started":1,"exit":0,'
        '"seconds":1,"before":{},"after":{},"stdout":"","stderr_tail":"","power":%s}\n'
    )
    (read,) = journal.parse(line % "[[1.0,null],[1.5,2.25]]").blocks
    assert read.power == [[1.0, None], [1.5, 2.25]]
    with pytest.raises(BenchError, match="power"):
        journal.parse(line % readings)


DEVICE = "\ndevices: {pi3: {host: a, power: {command: %s, measures: the board}}}\n"


def test_a_device_names_its_meter_and_what_that_measures(tmp_path: Path) -> None:
    root = projects.write(tmp_path)
    made = projects.expand(root, projects.MATRIX + DEVICE % "cat /sys/power1_input")
    assert made.devices["pi3"].power == Meter("cat /sys/power1_input", "the board")
    with pytest.raises(InputError, match="command"):
        projects.expand(root, projects.MATRIX + DEVICE % '"one\\ntwo"')


@pytest.mark.parametrize("name", ["millicelsius", "uptime", "cur_khz", "available_kib"])
def test_a_number_that_is_text_in_a_journal_is_refused_at_the_door(name: str) -> None:
    line = (
        '{"block":0,"round":0,"sentinel":false,"cell":"one","batch":1,"started":1,"exit":0,'
        '"seconds":1,"before":{"%s":"50"},"after":{},"stdout":"","stderr_tail":""}\n'
    )
    with pytest.raises(BenchError, match="line 1 of the journal") as caught:
        journal.parse(line % name)
    assert f"before.{name}" in (caught.value.details or "")
