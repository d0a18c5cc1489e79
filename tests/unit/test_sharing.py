"""Images of virtual boards that several projects share: where they are, and which of them stay."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from buildmatrix.cli.common import share_board_images
from buildmatrix.virtual import sharing

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("root-armhf-0123456789abcdef", "kernel-armmp-0123456789abcdef")


def image(shelf: Path, name: str, *, days: float = 0) -> Path:
    path = shelf / name
    path.mkdir(parents=True)
    os.utime(path, (time.time() - days * 86_400,) * 2)
    return path


def board(state: Path, *uses: str) -> None:
    """What is written down of a board that stands on these."""
    folder = state / "virtual" / "boards" / "pi"
    folder.mkdir(parents=True)
    record = {"kind": "pi3", "uses": uses, "port": 1, "host_key": "SHA256:x"}
    (folder / "board.json").write_text(json.dumps(record))


def test_projects_that_share_have_one_shelf_and_others_their_own(tmp_path: Path) -> None:
    shelf, one, two, alone = (tmp_path / name for name in ("shelf", "one", "two", "alone"))
    image(alone / "virtual", NAMES[0])
    for state in (one, two, alone):
        sharing.share(state, shelf)
    assert (sharing.shelf_of(one), sharing.shelf_of(two)) == (shelf, shelf)
    assert sharing.shelf_of(alone) == alone / "virtual"


def test_what_a_board_of_another_project_stands_on_is_needed(tmp_path: Path) -> None:
    shelf, one, two = (tmp_path / name for name in ("shelf", "one", "two"))
    for state in (one, two):
        sharing.share(state, shelf)
    board(two, *NAMES)
    assert sharing.needed(one) == set(NAMES)
    shutil.rmtree(two)
    assert sharing.needed(one) == set()


def test_another_form_removes_none_that_somebody_used_this_month(tmp_path: Path) -> None:
    shelf, state = tmp_path / "shelf", tmp_path / "state"
    sharing.share(state, shelf)
    image(shelf, NAMES[0], days=2)
    image(shelf, NAMES[1], days=40)
    assert sharing.lasting(state) == {NAMES[0]}


def test_a_shelf_that_was_emptied_fills_again(tmp_path: Path) -> None:
    shelf, state = tmp_path / "shelf", tmp_path / "state"
    sharing.share(state, shelf)
    shutil.rmtree(shelf)
    assert sharing.needed(state) == set()
    sharing.share(state, tmp_path / "another")
    assert sharing.shelf_of(state) == shelf
    board(state, NAMES[0])
    other = tmp_path / "other"
    sharing.share(other, shelf)
    assert sharing.needed(other) == {NAMES[0]}


@pytest.mark.parametrize("says_where", ["", "--state", "BUILDMATRIX_STATE"])
def test_who_says_where_everything_is_has_the_images_there_too(
    says_where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    state = tmp_path / ".buildmatrix"
    if says_where.startswith("B"):
        monkeypatch.setenv(says_where, str(state))
    matrix = str(tmp_path / "matrix.yaml")
    share_board_images(matrix, str(state) if says_where == "--state" else "")
    shared = tmp_path / "cache" / "buildmatrix" / "boards"
    assert sharing.shelf_of(state) == (state / "virtual" if says_where else shared)
