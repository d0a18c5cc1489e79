"""The command line: exit codes, messages, and a start that pays for nothing it does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildmatrix import errors
from buildmatrix.cli import namespace
from tests.documents import valid
from tests.unit import projects
from tests.unit.commands import run

ROOT = Path(__file__).parent.parent.parent


def started(program: str, *arguments: str) -> str:
    """What a real start of a console script says."""
    return subprocess.check_output([sys.executable, "-m", program, *arguments], cwd=ROOT, text=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = projects.write(tmp_path)
    (root / "matrix.yaml").write_text(projects.MATRIX)
    (root / "models" / "face-cnn").mkdir(parents=True)
    text = (ROOT / "models" / "face-cnn" / "model.yaml").read_text()
    (root / "models" / "face-cnn" / "model.yaml").write_text(text)
    return root


def test_exit_codes_are_those_of_the_design() -> None:
    codes = {
        cls.__name__: cls.exit_code
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.BuildmatrixError)
    }
    assert codes == {
        "BuildmatrixError": 1,
        "UsageError": 2,
        "InputError": 3,
        "BuildError": 4,
        "SourceUnavailable": 4,
        "DamageError": 1,
        "AuditError": 5,
        "DeviceError": 6,
        "LinkLost": 6,
        "BenchError": 7,
        "RegressionError": 8,
        "NotCachedError": 9,
    }


def test_every_word_and_flag_of_every_command_says_what_it_is() -> None:
    silent = [
        f"{name} {argument.names[0]}"
        for name, task in namespace.tasks.items()
        for argument in task.get_arguments()
        if not argument.help
    ]
    assert silent == []


def test_cells_and_plan_as_documents(project: Path) -> None:
    found = valid("cells", json.loads(run("cells", "--json", cwd=project).stdout))
    assert found["version"] == 1
    assert [c["id"] for c in found["cells"]] == ["net-one", "net-two", "net-one-neon"]
    assert set(found["cells"][0]) >= {"id", "stack", "toolchain", "options", "shown", "reason"}
    done = run("plan", "--json", "--only", "net-one", cwd=project)
    plan = valid("plan", json.loads(done.stdout))
    assert set(plan["actions"][0]) >= {
        "id",
        "cell",
        "stage",
        "verb",
        "reason",
        "needs",
        "predicted_seconds",
    }
    assert {a["cell"] for a in plan["actions"]} == {"net-one"}


def test_cells_name_the_source_that_was_out_of_reach(project: Path) -> None:
    state = project / ".buildmatrix"
    state.mkdir(exist_ok=True)
    gap = {f"source:net-{'b' * 12}": "source 'net' is out of reach"}
    (state / "unavailable.json").write_text(json.dumps(gap))
    found = json.loads(run("cells", "--json", cwd=project).stdout)
    reasons = {c["id"]: c["reason"] for c in found["cells"]}
    assert reasons["net-one"] == "source 'net' is out of reach, when last tried"
    (state / "unavailable.json").unlink()
    found = json.loads(run("cells", "--json", "--only", "net-one", cwd=project).stdout)
    assert found["cells"][0]["reason"].startswith("to be built: ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["build", "--frozen"], 9, "actions are not stored"),
        (["cells", "--matrix", "none.yaml"], 3, "none.yaml: no such file"),
        (["cells", "--only", "nett-*"], 2, "--only nett-* matches no cell"),
        (["audit", "net-one"], 3, "net-one is not built"),
        (["audit", "./none"], 2, "no such file or folder: ./none"),
        (["deploy", "--host", "x:y"], 3, "'x:y' is no board"),
        (["deploy"], 3, "which board? known here: none"),
        (["device", "upp"], 2, "device upp is not known (did you mean 'up'?)"),
        (["device", "up", "--kind", "pi9"], 2, "no kind of virtual board is called 'pi9'"),
        (["bench", "--threads", "70000"], 2, "--threads 70000: must be 1024 or less"),
        (["bench", "--rounds", "-1"], 2, "--rounds -1: must be 1 or more"),
        (["bench", "--warmup", "-2"], 2, "--warmup -2: must be 0 or more"),
        (["bench", "--batches", "1,0"], 2, "--batches 0: must be 1 or more"),
        (["bench", "--batches", "1,x"], 2, "--batches 1,x: write whole numbers"),
        (["report"], 3, "no results yet"),
        (["report", "--format", "pdf"], 2, "no format 'pdf'"),
        (["cells", "--wrong"], 2, "No idea what '--wrong' is!"),
        (["nothing"], 2, "No idea what 'nothing' is!"),
        (["audit", "--tarrget", "pi4-64"], 2, "'--tarrget' is! (did you mean '--target'?)"),
        (["build", "net-one"], 2, "next: buildmatrix build --only net-one"),
        (["doctor", "now"], 2, "doctor takes no such word"),
        (["biuld"], 2, "(did you mean 'build'?)"),
        (["build", "--jobs", "x"], 2, "--jobs: 'x' is not a whole number"),
        (
            ["bench", "--rounds", "--json"],
            2,
            "--rounds wants a value\nnext: buildmatrix bench --help",
        ),
        (["why", "-x"], 2, "why -x: CELL comes first\nnext: buildmatrix why --help"),
    ],
)
def test_a_wrong_call_says_what_and_ends_with_its_code(
    project: Path, arguments: list[str], code: int, message: str
) -> None:
    done = run(*arguments, cwd=project)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_board_whose_key_is_gone_is_listed_beside_the_others(project: Path) -> None:
    """As that of a virtual board which another command is just taking down."""
    with (project / "matrix.yaml").open("a") as matrix:
        matrix.write(
            "devices:\n"
            "  keyless: {host: 127.0.0.1, port: 9, user: pi, identity_file: /nowhere/key}\n"
            "  silent: {host: 127.0.0.1, port: 9, user: pi}\n"
        )
    done = run("device", "list", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["devices"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("keyless", "away"),
        ("silent", "away"),
    ]
    assert rows[0]["detail"] == "the private key for keyless is missing"


@pytest.mark.slow
def test_a_number_that_is_none_is_told_through_inv_too(project: Path) -> None:
    (project / "tasks.py").write_text((ROOT / "tasks.py").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "build", "--jobs", "x"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "buildmatrix: --jobs: 'x' is not a whole number\n")


@pytest.mark.parametrize(
    ("link", "arguments", "code", "message"),
    [
        ("matrix.yaml", ["cells"], 3, "matrix.yaml: cannot be read as text: "),
        ("matrix.yaml", ["audit", "net-one"], 3, "matrix.yaml: cannot be read as text: "),
        ("recipes/net/recipe.yaml", ["plan"], 3, "recipe.yaml: cannot be read as text: "),
        ("models/face-cnn/model.yaml", ["cells"], 3, "model.yaml: cannot be read as text: "),
        ("round", ["audit", "./round"], 2, "no such file or folder: ./round"),
        ("round", ["build", "--state", "round"], 1, "/round/store/objects: Too many levels"),
    ],
)
def test_a_link_round_in_a_circle_is_told(
    project: Path, link: str, arguments: list[str], code: int, message: str
) -> None:
    place = project / link
    place.unlink(missing_ok=True)
    place.symlink_to(place.name)
    done = run(*arguments, cwd=project)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", sorted(namespace.task_names))
def test_the_help_of_every_command_says_how_it_is_called(command: str, tmp_path: Path) -> None:
    done = run(command, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: buildmatrix {command} ")
    assert "Examples:" in done.stdout


def test_a_fault_in_the_matrix_has_its_place(project: Path) -> None:
    path = project / "matrix.yaml"
    path.write_text(path.read_text().replace("axes:", "axis:"))
    done = run("build", cwd=project)
    assert done.returncode == 3
    assert "matrix.yaml:3:1: unknown key 'axis' (did you mean 'axes'?)" in done.stderr


@pytest.mark.slow
def test_inv_has_the_same_commands() -> None:
    ours, theirs = started("buildmatrix", "--list"), started("invoke", "--list")
    for command in (
        "cells",
        "plan",
        "build",
        "audit",
        "deploy",
        "bench",
        "report",
        "device",
        "doctor",
        "gc",
        "why",
        "toolchains",
        "schema",
    ):
        assert f"  {command} " in ours
        assert f"  {command} " in theirs


@pytest.mark.slow
@pytest.mark.parametrize("program", ["buildmatrix", "invoke"])
@pytest.mark.parametrize("command", ["init", "bisect", "build"])
def test_the_help_of_a_command_is_asked_for_behind_its_name(command: str, program: str) -> None:
    text = started(program, command, "--help")
    assert text.startswith("Usage: ")
    assert f" {command} " in text.splitlines()[0]
    assert "--help" not in {path.name for path in ROOT.iterdir()}  # init once took it for a name


HEAVY = (
    "docker",
    "paramiko",
    "numpy",
    "elftools",
    "google.protobuf",
    "pydantic",
    "buildmatrix.nouns",
    "onnx",
    "flatbuffers",
    "tflite",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--list"], ()),
        (["cells"], ("pydantic", "buildmatrix.nouns")),
        (["plan"], ("pydantic", "buildmatrix.nouns")),
    ],
)
def test_start_up_pays_for_nothing_heavy(
    project: Path, arguments: list[str], allowed: tuple[str, ...]
) -> None:
    code = (
        "import sys, contextlib\n"
        f"sys.argv = ['buildmatrix', *{arguments!r}]\n"
        "from buildmatrix.cli import main\n"
        "with contextlib.suppress(SystemExit):\n    main()\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stderr.splitlines()[-1] == str(list(allowed))


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(project: Path) -> None:
    argv = f"'{sys.executable}' -m buildmatrix plan | head -1"
    done = subprocess.run(
        ["sh", "-c", argv],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1
