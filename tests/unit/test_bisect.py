"""The first version that is worse: how it is searched for, and what is measured of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.bisect import Search
from buildmatrix.bisecting import Asked, Measured, OnBoard, bisect
from buildmatrix.boards.reach import Access
from buildmatrix.compare import compare
from buildmatrix.errors import InputError
from buildmatrix.nouns import BoardAddress
from buildmatrix.summary import rows
from tests.fakes import RecordingReporter
from tests.unit import commands, projects, shelves
from tests.unit.rows import emulated, row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from buildmatrix.nouns import Measurement

NAMES = tuple(f"v{number}" for number in range(8))
ASKED = Asked("caffe", "openblas", NAMES, "face-cnn", "pi3")


class Planted:
    """A bench on which every version from `first` on takes 6 % more; it keeps what it ran."""

    def __init__(self, first: str, *, missing: Sequence[str] = (), counted: bool = False) -> None:
        self.first, self.missing, self.counted = first, missing, counted
        self.runs: list[list[str]] = []

    def __call__(self, versions: Sequence[str]) -> Measured:
        self.runs.append(list(versions))
        good, *others = versions
        found = {
            one: compare(rows(self.blocks(good, one)), rows(self.blocks(one, one)), cells=True)
            for one in others
            if one not in self.missing
        }
        return Measured("run-" + "-".join(versions), found)

    def blocks(self, version: str, name: str) -> list[Measurement]:
        factor = 1.06 if version >= self.first else 1.0
        if self.counted:
            return [replace(emulated(name, 1, 50.0, 40.0 * factor), bundle=version)]
        noise = [0.2 * ((7 * number) % 10 - 4.5) / 10 for number in range(10)]
        return [
            row(name, batch, 50 * factor + away, block=at, round=at, bundle=version)
            for batch in (1, 4)
            for at, away in enumerate(noise)
        ]


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("first", NAMES[1:])
def test_the_planted_version_of_eight_is_found_in_three_measurements(
    tmp_path: Path, first: str, counted: bool
) -> None:
    bench = Planted(first, counted=counted)
    found = bisect(ASKED, bench, folder=tmp_path, reporter=RecordingReporter())
    assert found.first_bad == first
    assert NAMES.index(found.last_good) == NAMES.index(first) - 1
    assert found.unclear == ()
    assert len(bench.runs) == found.measurements <= 3
    assert bench.runs[0] == ["v0", "v3", "v7"]  # the bad one once, to know by how much it is worse
    assert {run[0] for run in bench.runs} == {"v0"}


def test_a_search_that_was_broken_off_measures_nothing_twice(tmp_path: Path) -> None:
    class PowerCut(Planted):
        def __call__(self, versions: Sequence[str]) -> Measured:
            if len(self.runs) == 2:
                raise KeyboardInterrupt
            return super().__call__(versions)

    before = PowerCut("v6")
    with pytest.raises(KeyboardInterrupt):
        bisect(ASKED, before, folder=tmp_path, reporter=RecordingReporter())
    after = Planted("v6")
    found = bisect(ASKED, after, folder=tmp_path, reporter=RecordingReporter())
    assert found.first_bad == "v6"
    assert len(before.runs) + len(after.runs) == found.measurements == 3
    again = Planted("v6")
    assert bisect(ASKED, again, folder=tmp_path, reporter=RecordingReporter()) == found
    assert again.runs == []


def test_a_version_that_cannot_be_built_is_gone_round_and_told(tmp_path: Path) -> None:
    bench = Planted("v4", missing=("v3",))
    found = bisect(ASKED, bench, folder=tmp_path, reporter=RecordingReporter())
    assert (found.last_good, found.first_bad, found.unclear) == ("v2", "v4", ("v3",))


def test_where_the_bad_one_is_no_worse_there_is_nothing_to_find(tmp_path: Path) -> None:
    bench = Planted("v9")
    with pytest.raises(InputError, match="v7 is not worse than v0"):
        bisect(ASKED, bench, folder=tmp_path, reporter=RecordingReporter())


def test_a_bad_version_that_cannot_be_built_is_not_said_to_be_no_worse(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="v7 was not built, or not measured"):
        bisect(ASKED, Planted("v4", missing=("v7",)), folder=tmp_path, reporter=RecordingReporter())


@given(st.integers(3, 200), st.data())
def test_any_search_ends_after_the_logarithm_of_its_versions(
    count: int, data: st.DataObject
) -> None:
    versions = tuple(str(number) for number in range(count))
    first = data.draw(st.integers(1, count - 1))
    search, measured = Search(versions, {}), 0
    while (version := search.next) is not None:
        search = search.knowing(version, "bad" if int(version) >= first else "good")
        measured += 1
    assert (search.good, search.bad) == (first - 1, first)
    assert measured <= (count - 1).bit_length()


@pytest.mark.slow
def test_the_command_says_what_is_no_option_and_no_version(tmp_path: Path) -> None:
    root = projects.write(tmp_path)
    (root / "matrix.yaml").write_text(projects.MATRIX)
    model = root / "models" / "face-cnn"
    model.mkdir(parents=True)
    (model / "model.yaml").write_text(shelves.MODEL.read_text())
    for flags, words in (
        (("one", "two", "--source", "bals"), "did you mean 'blas'"),
        (("one", "three", "--source", "blas"), "they are: one, two"),
        (("one", "two", "--source", "blas"), "nothing between one and two"),
    ):
        done = commands.run("bisect", "net-one", *flags, "--host", "pi3", cwd=root)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr


def test_only_the_versions_that_are_measured_are_built(tmp_path: Path) -> None:
    whole = shelves.workshop(tmp_path)
    bench = OnBoard(
        whole, BoardAddress("pi3", "pi3.local"), {}, whole.project.matrix.bench, "me", Access()
    )
    some = bench.shop(["net-two"]).project
    assert [cell.id for cell in some.cells] == ["net-two"]
    assert list(some.graph.goals) == ["net-two"]
    works = {work.id for work in some.graph}
    assert works < {work.id for work in whole.project.graph}
    assert some.graph.audit_of("net-two").id in works
    assert not [name for name in works if "net-one" in name]
    assert all(need in works for work in some.graph for need in work.needs)
