"""What a report says of results that are on record, and of what the store has of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from buildmatrix.nouns import Measurement, Run, Status
from buildmatrix.results import Results
from buildmatrix.verdicts import publishing, reporting, sections
from tests.unit import shelves
from tests.unit.rows import RUN, row

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.verdicts.reporting import RowsWithNotes


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return shelves.workshop(tmp_path)


def measured(shop: Workshop, *blocks: Measurement) -> RowsWithNotes:
    """The blocks on record as one run, and read again as a report does."""
    run = Run(RUN, "pi3", emulated=False, request={}, journal="", collected_at="")
    with Results(shop.paths.results) as results:
        results.insert(blocks, run)
    return reporting.latest(shop, device=None)


@pytest.mark.slow
def test_tables_of_one_board_say_on_the_page_too_why_they_are_apart(shop: Workshop) -> None:
    other = row("net-two", 1, 60, block=1, passes=3)
    page = sections.content(shop, measured(shop, row("net-one", 1, 40), other))
    words = [board.grid.notes[0] for board in page.boards]
    assert len(words) == 2
    assert all(one.startswith("not comparable with this board's other tables") for one in words)
    assert [board.grid.cells for board in page.boards] == [("net-one",), ("net-two",)]


def test_a_run_has_its_own_sentinels_beside_its_rows(shop: Workshop) -> None:
    fixed = [row("net-one", 1, ms, block=n, sentinel=True) for n, ms in ((1, 40), (3, 41))]
    of_other_run = row("net-two", 1, 9, run="earlier", sentinel=True)
    read = measured(shop, of_other_run, *fixed, row("net-one", 1, 40, block=2))
    assert [one.block for one in read.sentinels] == [1, 3]
    assert [run.id for run in read.runs] == [RUN]


def test_who_measured_and_how_the_board_is_switched_are_not_published(shop: Workshop) -> None:
    request = {"owner": "me@laptop", "power": "ssh me@meter read", "rounds": 3}
    run = Run(RUN, "pi3", emulated=False, request=request, journal="", collected_at="")
    with Results(shop.paths.results) as results:
        results.insert([row("net-one", 1, 40)], run)
    document = publishing.document(shop, reporting.latest(shop, device=None))
    assert document["runs"][0]["request"] == {"rounds": 3}
    assert "me@" not in json.dumps(document)


@pytest.mark.slow
def test_a_board_on_which_nothing_ran_is_reported_without_a_plot(
    shop: Workshop, tmp_path: Path
) -> None:
    blocks = [row("net-one", 1, 0, status=Status.FAILED, void_reason="no such instruction")]
    names = publishing.write(shop, measured(shop, *blocks), tmp_path / "out")
    assert names == ["report.csv", "report.html", "report.json", "report.md"]
    assert "no such instruction" in (tmp_path / "out" / "report.html").read_text()
