"""Two stamps are equal where nothing changed, and only there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from buildmatrix.stamp import stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "deep" / "deeper").mkdir(parents=True)
    (root / "deep" / "file").write_text("one")
    (root / "script").write_text("two")
    (tmp_path / "outside").write_text("three")
    (root / "link").symlink_to("../outside")
    (root / "dead").symlink_to("nowhere")
    return root


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "script").write_text("owt"),
    "a new file": lambda root: (root / "deep" / "deeper" / "new").touch(),
    "a file less": lambda root: (root / "deep" / "file").unlink(),
    "a name": lambda root: (root / "script").rename(root / "other"),
    "mode": lambda root: (root / "script").chmod(0o755),
    "what a link leads to": lambda root: (root.parent / "outside").write_text("eerht"),
    "a link that was dead": lambda root: (root / "nowhere").touch(),
    "all of it": lambda root: root.rename(root.parent / "gone"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_below_is_seen(tree: Path, what: str) -> None:
    before = stamp([tree])
    assert stamp([tree]) == before != None  # noqa: E711
    CHANGES[what](tree)
    assert stamp([tree]) != before


def test_a_file_put_back_with_its_old_time_is_seen(tree: Path) -> None:
    script, before = tree / "script", stamp([tree])
    times = script.stat().st_atime_ns, script.stat().st_mtime_ns
    script.write_text("owt")
    os.utime(script, ns=times)
    assert stamp([tree]) != before


def test_what_python_writes_beside_modules_counts_for_nothing(tree: Path) -> None:
    (tree / "__pycache__").mkdir()
    before = stamp([tree])
    (tree / "__pycache__" / "script.pyc").touch()
    assert stamp([tree]) == before


def test_of_a_folder_alone_only_its_names_count(tree: Path) -> None:
    before = stamp([], [str(tree)])
    (tree / "deep" / "file").write_text("changed")
    assert stamp([], [str(tree)]) == before
    (tree / "new").touch()
    assert stamp([], [str(tree)]) != before


def test_what_is_not_there_is_told(tree: Path) -> None:
    missing = tree.parent / "missing"
    before = stamp([missing])
    assert before is not None
    missing.touch()
    assert stamp([missing]) != before


def test_a_link_to_a_folder_cannot_be_told(tree: Path) -> None:
    """It may lead back to where it is."""
    (tree / "deep" / "round").symlink_to(tree)
    assert stamp([tree]) is None
