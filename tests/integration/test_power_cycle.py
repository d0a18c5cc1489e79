"""A board that hangs, an emulated Pi whose processor is stopped, comes back by its power."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

from tests import boards
from tests.integration.cli import run

MATRIX = """\
version: 1
toolchain: armv7hf-bookworm
include: [{name: nothing, stack: ncnn}]
devices:
  pi:
    host: %s
    port: %d
    user: %s
    host_key: "%s"
    identity_file: %s
    power: {cycle: %s}
"""


@pytest.mark.nightly
def test_a_hung_board_is_switched_off_and_on_when_asked(tmp_path: Path) -> None:
    name = boards.own("hung")
    try:
        board = boards.boot("hung")
        pid = int(Path(board.identity_file).with_name("pid").read_text())
        state = str(boards.STATE.absolute())
        up = [sys.executable, "-m", "buildmatrix", "device", "up", "--name", name]
        again = f"echo {pid} >> cycled; kill -KILL {pid}; {shlex.join([*up, '--state', state])}"
        (tmp_path / "matrix.yaml").write_text(
            MATRIX
            % (
                board.host,
                board.port,
                board.user,
                board.host_key,
                board.identity_file,
                repr(again),
            )
        )
        os.kill(pid, signal.SIGSTOP)
        out, _ = run("device", "cycle", "--host", "pi", cwd=tmp_path, state=tmp_path / "state")
        assert "pi was switched off and on, and answered after" in out
        assert (tmp_path / "cycled").read_text() == f"{pid}\n"
        run("device", "info", "--host", "pi", cwd=tmp_path, state=tmp_path / "state")
    finally:
        boards.remove("hung")
