"""What the page says of where instructions go, and which kept profile it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix.page.executed import tables
from buildmatrix.profile import kept
from buildmatrix.results import Results
from buildmatrix.verdicts import reporting
from buildmatrix.verdicts.provenance import built
from tests.unit import shelves
from tests.unit.profiles import IM2COL, NEON, WITH_NEON, WITHOUT_NEON, kernel, profile, row
from tests.unit.rows import row as measured

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.documents.profiling import Profile

FULL: Profile = {**WITHOUT_NEON, "works": {"loads": 11e6, "scalar multiply-adds": 50e6}}


def test_the_leanest_cell_stands_first_and_each_other_has_its_sentence() -> None:
    (table,) = tables([WITHOUT_NEON, WITH_NEON])
    assert [one.cell for one in table.cells] == ["0.3.34-neon", "0.3.34"]
    (sentence,) = table.sentences
    assert sentence.startswith("0.3.34 executes 2.04 times the instructions of 0.3.34-neon")
    assert (table.title, table.needed) == ("face-cnn, batch 1, pi3-counted", "12.34")


def test_profiles_of_two_batch_sizes_stand_in_two_tables() -> None:
    batches = tables([WITH_NEON, {**WITH_NEON, "batch": 4}])
    assert [table.title for table in batches] == [
        "face-cnn, batch 1, pi3-counted",
        "face-cnn, batch 4, pi3-counted",
    ]
    assert [table.sentences for table in batches] == [(), ()]


def test_only_kinds_of_work_that_some_cell_does_are_columns() -> None:
    (table,) = tables([FULL, WITH_NEON])
    assert table.works == ("scalar multiply-adds", "loads")
    assert [one.works for one in table.cells] == [("0.00", "0.00"), ("50.00", "11.00")]


def test_a_function_has_its_two_main_kinds_and_what_is_not_shown_is_one_sum() -> None:
    small = (row("libc.so.6", f"f{n}", f"f{n}", {"loads": 1e5}) for n in range(20))
    (table,) = tables([profile("many", 31e6, kernel(NEON), row(*IM2COL), *small)])
    first, second, *_ = table.cells[0].functions
    assert first.works == "12.51 quad multiply-adds, 6.69 loads"
    assert second.name == "void caffe::im2col_cpu<float>"
    assert len(table.cells[0].functions) == 12
    others = 31e6 - sum(NEON.values()) - sum(IM2COL[3].values()) - 10 * 1e5
    assert float(table.cells[0].rest) == pytest.approx(others / 1e6, abs=0.005)


def test_a_kept_profile_is_read_again_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "profiles" / "one.json"
    assert kept.read(path) is None
    kept.write(path, WITH_NEON)
    assert kept.read(path) == WITH_NEON
    path.write_text('{"version": 1, "cell": "one"}')
    assert kept.read(path) is None


def test_a_profile_of_another_bundle_or_model_is_not_shown(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    blocks = [measured("net-one", 1, 40), measured("net-two", 1, 50, block=1)]
    with Results(shop.paths.results) as results:
        results.insert(blocks)
    rows = reporting.latest(shop, device=None).rows
    first = {one.cell: one.first for one in rows}["net-one"]
    mine: Profile = {**WITH_NEON, "bundle": first.bundle, "model": first.model}
    kept.write(shop.paths.profile("net-one"), mine)
    kept.write(shop.paths.profile("net-two"), {**mine, "bundle": "e" * 64})
    assert [one.profile for one in built(shop, rows)] == [mine, None]
    kept.write(shop.paths.profile("net-one"), {**mine, "model": "lenet-5"})
    assert [one.profile for one in built(shop, rows)] == [None, None]
