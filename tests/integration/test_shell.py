"""`inv shell`: a step's container for a person, as the build has it, and nothing of it kept."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration import cli
from tests.integration.builds import containers
from tests.tiny import SCRIPT, write_recipe

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.docker

BROKEN = "touch /work/begun\n{% if option.answer == 1 %}\nexit 3\n{% endif %}\n"
LOOK = """\
id -u; ls /sys/class/net; ls /src/src; touch /src/src/x 2>&1 | tail -c 22
ls /work; sh /script.sh; echo ended with $?; ls /work; exit 7
"""


@pytest.fixture(name="project")
def _project(project: Path) -> Path:
    """Of its two cells one fails."""
    write_recipe(project, "tiny", BROKEN + SCRIPT)
    return project


def enter(cell: str, text: str, *, cwd: Path, state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "buildmatrix", "shell", cell],
        cwd=cwd,
        env={**os.environ, "BUILDMATRIX_STATE": str(state)},
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_failed_step_is_opened_and_a_failure_says_how(project: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    _, err = cli.run("build", cwd=project, state=state, code=4)
    assert "buildmatrix shell tiny-1" in err
    ended = enter("tiny-1", LOOK, cwd=project, state=state)
    assert ended.returncode == 7, ended.stderr
    user, network, *rest = ended.stdout.splitlines()
    assert (int(user) != 0, network) == (True, "lo")
    assert rest == ["tiny.c", "Read-only file system", "ended with 3", "begun"]
    assert "build:tiny[answer=1]@armv7hf-bookworm, as the build has it" in ended.stderr
    assert containers(state) == []
    assert not list((state / "store" / "tmp").glob("shell-*"))


def test_of_a_cell_that_is_built_the_last_step_is_opened(project: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    cli.run("build", "--only", "tiny-2", cwd=project, state=state)
    ended = enter("tiny-2", "sh /script.sh && ls /out/lib\n", cwd=project, state=state)
    assert (ended.returncode, ended.stdout) == (0, "libtiny.so.1\n"), ended.stderr


def test_what_comes_before_it_has_to_be_there(project: Path, tmp_path: Path) -> None:
    ended = enter("tiny-1", "", cwd=project, state=tmp_path / "state")
    assert ended.returncode == 3
    assert "cannot be opened: not everything before it is there" in ended.stderr
    assert "next: buildmatrix build --only tiny-1" in ended.stderr


def test_a_terminal_is_a_terminal_inside(project: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    cli.run("build", "--only", "tiny-2", cwd=project, state=state)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "buildmatrix", "shell", "tiny-2"],
        cwd=project,
        env={**os.environ, "BUILDMATRIX_STATE": str(state)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, b"test -t 0 && echo it-is-$((40 + 2)); exit 5\n")
        shown = b""
        while piece := _read(ours):
            shown += piece
        assert process.wait(timeout=60) == 5, shown
    os.close(ours)
    assert b"it-is-42" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other side is closed
        return b""
