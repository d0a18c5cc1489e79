"""Records of the state folder that hold something else than they should: a plan is made anyway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import InputError
from buildmatrix.pinned import identify
from buildmatrix.pipeline.planning import plan_all
from buildmatrix.recipe import SourceSpec
from buildmatrix.results import Results
from tests.unit import shelves

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("odd", ["text", ["list"], {"a": "object"}, None, -1])
def test_a_record_of_odd_values_counts_as_one_that_is_not_there(
    tmp_path: Path, odd: object
) -> None:
    shop = shelves.workshop(tmp_path)
    expected = plan_all(shop)
    shop = shelves.workshop(tmp_path / "again")
    state, works = shop.paths, list(shop.project.graph)
    sources = [identify(w.subject) for w in works if isinstance(w.subject, SourceSpec)]
    chain = shop.project.toolchains["tc"]
    names = ("packages", "image", "written")
    for path, record in (
        (
            state.toolchain("tc"),
            {"definition": chain.definition_digest, **dict.fromkeys(names, odd)},
        ),
        (state.seconds, {} if odd == -1 else {work.id: odd for work in works}),
        *(
            (state.sources / "trees" / f"{s}.json", {"archive": odd, "origin": odd})
            for s in sources
        ),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))
    found = plan_all(shop)
    assert [(a.id, a.key, a.verb.makes) for a in found] == [
        (a.id, a.key, a.verb.makes) for a in expected
    ]


def test_a_source_on_record_with_a_path_for_a_hash_is_not_held(tmp_path: Path) -> None:
    """What is not the file of its hash is removed: the record decides which file that is."""
    shop = shelves.workshop(tmp_path)
    mine = tmp_path / "mine"
    mine.write_text("precious")
    folder = shop.paths.sources / "trees"
    folder.mkdir(parents=True)
    (folder / "one.json").write_text(json.dumps({"archive": str(mine), "origin": "x"}))
    assert not shop.sources.holds("one")


def test_a_folder_or_a_circle_in_the_place_of_the_results_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    for name in ("folder", "circle"):
        with pytest.raises(InputError, match="cannot be used as a results file") as caught:
            Results(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
