"""What a killed maker left goes; what a living one works in stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

LATER = time.time() + 3600
MAKER = """
import sys, time
from pathlib import Path
from buildmatrix import scratch
with scratch.folder(Path(sys.argv[1]), "work-") as folder, scratch.file(Path(sys.argv[1]), "f-"):
    (folder / "half").write_text("made")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_killed_maker_leaves_nothing_and_a_living_one_keeps_all(tmp_path: Path) -> None:
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(tmp_path)], stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert maker.stdout is not None
    maker.stdout.readline()
    assert scratch.sweep(tmp_path, now=LATER) == ()
    assert len(list(tmp_path.iterdir())) == 2
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    maker.stdout.close()
    assert len(scratch.sweep(tmp_path, now=LATER)) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_is_young_may_have_a_maker_about_to_lock_it(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    assert scratch.sweep(tmp_path) == ()
    assert scratch.sweep(tmp_path, now=LATER) == (tmp_path / "new",)


def test_only_what_the_pattern_names_goes(tmp_path: Path) -> None:
    for name in ("fetch-1", "archives"):
        (tmp_path / name).mkdir()
    scratch.sweep(tmp_path, "fetch-*", now=LATER)
    assert [path.name for path in tmp_path.iterdir()] == ["archives"]


def test_a_file_that_was_moved_to_its_place_stays(tmp_path: Path) -> None:
    with scratch.file(tmp_path, "write-") as path:
        path.write_text("content")
        path.rename(tmp_path / "object")
    assert [path.name for path in tmp_path.iterdir()] == ["object"]


def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    command = (
        "import sys; from pathlib import Path; from buildmatrix import scratch; "
        "print(scratch.claim(Path(sys.argv[1]), 'owner-').name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", command, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert not scratch.is_claimed(tmp_path / done.stdout.strip())
    assert scratch.is_claimed(scratch.claim(tmp_path, "owner-"))
    assert not scratch.is_claimed(tmp_path / "gone")


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder of a user who is not root, as whom the test runs."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o777)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            yield Path(parent)
        finally:
            if root:
                os.seteuid(0)


def test_folders_that_a_build_made_unwritable_or_unreadable_go_too(nobodys: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "a" / "b" / "c").mkdir(parents=True)
        (folder / "a" / "b" / "c" / "file").write_text("made")
        (folder / "a" / "out").symlink_to("/etc")
        for name, mode in (("a/b/c", 0o555), ("a/b", 0), ("a", 0o555)):
            (folder / name).chmod(mode)

    with scratch.folder(nobodys, "work-") as work:
        fill(work)
    assert list(nobodys.iterdir()) == []
    (nobodys / "left").mkdir()
    fill(nobodys / "left")
    assert scratch.sweep(nobodys, now=LATER) == (nobodys / "left",)
    assert list(nobodys.iterdir()) == []
