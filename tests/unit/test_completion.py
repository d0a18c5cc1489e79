"""What a shell is told of the commands, and what it is offered of a project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildmatrix import completion
from buildmatrix.cli import completing, namespace, shells
from tests.unit.commands import run

ROOT = Path(__file__).parents[2]
COMMANDS = completing.table(namespace)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert run("init", ".", cwd=tmp_path).returncode == 0
    return tmp_path


def offered(noun: str, folder: Path) -> list[str]:
    return completion.answer([noun, str(folder / "matrix.yaml"), ""]).splitlines()


def test_a_short_flag_means_one_thing_whichever_command_it_stands_behind() -> None:
    meanings = {(flag.short, flag.name) for one in COMMANDS for flag in one.flags if flag.short}
    letters = [letter for letter, _ in meanings]
    assert len(letters) == len(set(letters))
    assert "h" not in letters, "everybody's letter for help"


@pytest.mark.parametrize("shell", shells.SHELLS)
def test_a_script_has_every_command_and_every_flag(shell: str) -> None:
    script = shells.SHELLS[shell](COMMANDS, "buildmatrix")
    for one in COMMANDS:
        assert one.name in script
        for flag in one.flags:
            assert (f"-l {flag.name}" if shell == "fish" else f"--{flag.name}") in script


def test_every_flag_that_is_offered_says_what_it_does() -> None:
    silent = [f"{one.name} --{f.name}" for one in COMMANDS for f in one.flags if not f.summary]
    assert silent == []


def test_no_flag_that_a_command_has_is_refused(tmp_path: Path) -> None:
    """All of a command at once, and one more that it lacks, which ends it there."""
    for one in COMMANDS:
        words = [w for f in one.flags for w in (f"--{f.name}", *([] if f.values is None else "x"))]
        done = run(one.name, *words, "--no-such-flag", cwd=tmp_path)
        assert "No idea what '--no-such-flag' is!" in done.stderr


def test_an_unknown_shell_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    done = run("completion", "fisch", cwd=tmp_path)
    assert (done.returncode, "did you mean 'fish'?" in done.stderr) == (2, True)


def test_cells_boards_and_what_may_be_named_are_offered(project: Path) -> None:
    with (project / "matrix.yaml").open("a") as matrix:
        matrix.write("devices:\n  desk: {host: desk.local}\n")
    (project / ".buildmatrix" / "virtual" / "boards" / "pi").mkdir(parents=True)
    assert offered("cells", project) == ["dot-neon-false", "dot-neon-true"]
    assert offered("hosts", project) == ["desk", "pi"]
    assert {"dot", "caffe"} <= set(offered("recipes", project))
    assert offered("nonsense", project) == []


def test_a_key_that_is_pressed_makes_no_state_folder(project: Path) -> None:
    assert offered("cells", project)
    assert not (project / ".buildmatrix").exists()


def test_cells_are_remembered_until_something_is_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".buildmatrix").mkdir()
    before = offered("cells", project)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "buildmatrix.pipeline.project", None)  # cannot be imported
        assert offered("cells", project) == before
    matrix = project / "matrix.yaml"
    matrix.write_text(matrix.read_text().replace('"{stack}-neon-{neon}"', '"mine-{neon}"'))
    os.utime(matrix, ns=(1, 1))  # another time, however coarse the clock of this file system is
    assert offered("cells", project) == ["mine-false", "mine-true"]


def test_a_matrix_that_cannot_be_read_offers_what_it_did(project: Path) -> None:
    (project / ".buildmatrix").mkdir()
    before = offered("cells", project)
    (project / "matrix.yaml").write_text("version: [\n")
    assert offered("cells", project) == before


def test_nothing_is_offered_where_no_project_is(tmp_path: Path) -> None:
    assert offered("cells", tmp_path) == []
    (tmp_path / "matrix.yaml").symlink_to("matrix.yaml")
    assert offered("cells", tmp_path) == []
    assert "caffe" in offered("recipes", tmp_path)


@pytest.mark.slow
def test_an_answer_pays_for_no_command_line(tmp_path: Path) -> None:
    code = (
        "import sys, json\n"
        "sys.argv = ['buildmatrix', '--complete', 'models']\n"
        "from buildmatrix.__main__ import main\n"
        "main()\n"
        "heavy = ['invoke', 'pydantic', 'buildmatrix.cli']\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    *models, heavy = done.stdout.splitlines()
    assert "face-cnn" in models
    assert json.loads(heavy) == []
