"""Tests that need a stack wait for the build beside them, and never for one that has gone."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests import rounds

if TYPE_CHECKING:
    from pathlib import Path


def test_where_nobody_builds_nobody_waits(tmp_path: Path) -> None:
    rounds.wait(rounds.FIRST, folder=tmp_path)


def test_a_round_is_waited_for_and_no_other(tmp_path: Path) -> None:
    with rounds.begun(rounds.FIRST, tmp_path) as first, rounds.begun(rounds.ALL, tmp_path):
        waiting = threading.Thread(target=rounds.wait, args=(rounds.FIRST,), kwargs=at(tmp_path))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        first.done()
        waiting.join(60)
        assert not waiting.is_alive()
        rounds.wait(rounds.ALL, lambda: True, folder=tmp_path)  # far enough


def test_what_went_wrong_is_told_to_all_that_wait(tmp_path: Path) -> None:
    with rounds.begun(rounds.FIRST, tmp_path) as first:
        first.failed("caffe: failed")
        for _ in range(2):
            with pytest.raises(AssertionError, match="caffe: failed"):
                rounds.wait(rounds.FIRST, folder=tmp_path)
    with rounds.begun(rounds.FIRST, tmp_path) as first:
        first.done()
    rounds.wait(rounds.FIRST, folder=tmp_path)


@pytest.mark.slow
def test_a_build_that_was_killed_is_waited_for_by_nobody(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom tests import rounds\n"
        "with rounds.begun(rounds.ALL, Path(sys.argv[1])):\n print(flush=True)\n time.sleep(600)"
    )
    argv = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as maker:
        assert maker.stdout
        maker.stdout.readline()
        maker.kill()
    with pytest.raises(AssertionError, match="ended before it had built this"):
        rounds.wait(rounds.ALL, folder=tmp_path)


def at(folder: Path) -> dict[str, Path]:
    return {"folder": folder}
