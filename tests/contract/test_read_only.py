"""A state folder on a disk that nobody can write: the results in it are read all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildmatrix.results import Results
from tests.unit.rows import row

ROOT = Path(__file__).parents[2]
READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 90
shift
exec "$@"
"""
READ = """
import os
import sys
from pathlib import Path
from buildmatrix.errors import InputError
from buildmatrix.results import Results
from tests.unit.rows import row
try:
    with Results(Path(sys.argv[1])) as results:
        print([one.cell for one in results.all()])
        results.insert([row("caffe", 2, 50, block=2)])
except InputError as refused:
    print(refused)
"""


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "results.sqlite"
    with Results(path) as results:
        results.insert([row("caffe", 1, 40), row("mxnet", 1, 50, block=1)])
    return path


def read_only(path: Path) -> str:
    """What is read of a file, and what comes of writing to it, where its disk takes nothing."""
    reader = [sys.executable, "-c", READ, str(path)]
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(path.parent), *reader],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def test_results_are_read_and_what_cannot_be_added_is_told(stored: Path) -> None:
    rows, refused = read_only(stored).split("\n", 1)
    assert rows == "['caffe', 'mxnet']"
    assert f"{stored}: cannot be used as a results file: attempt to write a readonly" in refused
    assert [one.name for one in stored.parent.iterdir()] == ["results.sqlite"]
    with Results(stored) as results:
        assert len(results.all()) == 2


def test_rows_that_only_the_log_has_are_not_left_out_in_silence(stored: Path) -> None:
    """A writer that was killed leaves them there; a reader that may write takes them in."""
    log = stored.with_name("results.sqlite-wal")
    killed = f"{READ}\nResults(Path(sys.argv[1])).insert([row('tf', 1, 9, block=3)])\nos._exit(9)"
    subprocess.run([sys.executable, "-c", killed, str(stored)], cwd=ROOT, check=False)
    assert log.stat().st_size
    stored.with_name("results.sqlite-shm").unlink()
    assert "cannot be used as a results file" in read_only(stored)
    with Results(stored) as results:
        assert "tf" in {one.cell for one in results.all()}
