"""What `inv gc` removes from a state folder, and what it leaves alone."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.errors import BuildmatrixError
from buildmatrix.garbage import DAY, Item, Kind, garbage
from buildmatrix.images import tag_of
from buildmatrix.nouns import Stage
from buildmatrix.pipeline.clearing import clear
from buildmatrix.presence import Presence
from tests.documents import valid
from tests.fakes import LocalEngine
from tests.unit import shelves

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.documents.clearing import Gc
    from buildmatrix.pipeline.workshop import Workshop

ITEMS = st.lists(
    st.builds(
        Item,
        st.sampled_from(Kind),
        st.uuids().map(str),
        st.just("a thing"),
        st.integers(0, 1000),
        st.integers(0, int(100 * DAY)).map(float),
        st.booleans(),
    )
)


@given(ITEMS, st.integers(0, 100), st.none() | st.integers(0, 3000))
def test_what_is_needed_stays_and_the_rest_goes_by_age_and_size(
    items: list[Item], days: int, at_most: int | None
) -> None:
    now = 100 * DAY
    gone = garbage(items, now=now, unused_days=days, at_most=at_most)
    assert not any(one.needed for one in gone)
    spare = [one for one in items if not one.needed and one not in gone]
    assert all(now - one.used < days * DAY for one in spare), "what is old goes"
    assert all(one.used <= other.used for one in gone for other in spare), "the oldest go first"
    left = sum(one.size for one in items) - sum(one.size for one in gone)
    if at_most is None:
        assert all(now - one.used >= days * DAY for one in gone)
    else:
        assert left <= at_most or not spare, "no more stays than was asked for, where that can be"


def swept(shop: Workshop, *, days: float = 30, dry_run: bool = False) -> Gc:
    found = clear(shop, unused_days=days, at_most=None, engine=None, dry_run=dry_run)
    valid("gc", found)
    return found


def aged(path: Path) -> None:
    """Make a file look as if it was of use two months ago."""
    then = time.time() - 60 * DAY
    os.utime(path, (then, then))


def workshop(root: Path) -> Workshop:
    shop = shelves.workshop(root)
    shelves.put(shop, Stage.MODEL, Stage.BUNDLE, Stage.AUDIT)
    return shop


@pytest.mark.slow
def test_what_the_matrix_needs_stays_however_old_it_is(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    keys = shop.store.stored()
    for key in keys:
        aged(shop.store.entry_path(key))
    assert swept(shop, days=0)["removed"] == []
    assert shop.store.stored() == keys


@pytest.mark.slow
def test_an_entry_that_nothing_needs_goes_with_the_content_that_only_it_has(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    keys = shop.store.stored()
    for name, content in (("shared", bytes(16)), ("own", b"x" * 5000)):
        (tmp_path / "tree").mkdir(exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(content)
    old = shop.store.add("0ld", tmp_path / "tree", material={"id": "build:gone"}, provenance={})
    assert swept(shop)["removed"] == [], "of use today"
    aged(shop.store.entry_path("0ld"))
    would = swept(shop, dry_run=True)
    assert [one["title"] for one in would["removed"]] == ["build:gone"]
    assert shop.store.stored() == {*keys, "0ld"}, "a dry run removes nothing"
    assert swept(shop)["removed"] == would["removed"]
    assert shop.store.stored() == keys
    there = {path.name for path in shop.store.root.glob("objects/*/*")}
    shared, own = (next(f for f in old.files if f.path == name) for name in ("shared", "own"))
    assert shared.sha256[2:] in there, "a model's answer is the same bytes"
    assert own.sha256[2:] not in there
    for key in keys:
        shop.store.checkout(key, tmp_path / "out" / key)


@pytest.mark.slow
def test_a_checkout_is_a_use(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"1")
    shop.store.add("0ld", tmp_path / "tree", material={"id": "build:gone"}, provenance={})
    aged(shop.store.entry_path("0ld"))
    shop.store.checkout("0ld", tmp_path / "out")
    assert swept(shop)["removed"] == []


def test_content_without_a_work_and_downloads_and_caches_of_nobody_go(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    orphan = shop.store.root / "objects" / "ab" / ("c" * 62)
    archive = shop.paths.sources / "archives" / ("d" * 64)
    cache = shop.paths.ccache("former", "tc") / "file"
    log = shop.paths.log("build", "former")
    image = shop.paths.virtual / "root-armhf-0123456789abcdef"
    layers = shop.paths.networks / "0123.json"
    for path in (orphan, archive, cache, log, layers, image / "disk.img"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
        aged(path)
    for folder in (image, cache.parent):
        aged(folder)
    kinds = sorted(one["kind"] for one in swept(shop)["removed"])
    assert kinds == [
        "compiler cache",
        "download",
        "layers of a model's file",
        "log",
        "stored work",
        "virtual board image",
    ]
    assert not any(path.exists() for path in (orphan, archive, cache, log, layers, image))


def test_a_folder_in_the_place_of_a_file_is_removed_too(tmp_path: Path) -> None:
    """It once ended every `inv gc`."""
    shop = workshop(tmp_path)
    odd = (
        shop.store.root / "objects" / "ab" / ("c" * 62),
        shop.paths.sources / "archives" / ("d" * 64),
        shop.paths.networks / "0123.json",
    )
    for folder in odd:
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
        aged(folder / "file")
        aged(folder)
    swept(shop)
    assert not any(folder.exists() for folder in odd)


def test_an_image_of_a_former_toolchain_goes_and_todays_stays(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    today = tag_of(shop.project.toolchains["tc"])
    engine = LocalEngine()
    engine.tags = dict.fromkeys((today, "buildmatrix/tc:former", "elsewhere/image:1"), "sha256:1")
    clear(shop, unused_days=30, at_most=None, engine=engine, dry_run=False)
    assert sorted(engine.tags) == [today, "elsewhere/image:1"]


@pytest.mark.slow
def test_nothing_goes_while_another_command_is_at_work(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    other = Presence(shop.paths.presence)
    other.enter()
    with pytest.raises(BuildmatrixError, match="another command is at work"):
        swept(shop)
    assert swept(shop, dry_run=True)["removed"] == []
    del other
    assert swept(shop)["removed"] == []
