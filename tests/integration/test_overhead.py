"""What the harness costs: its runner beside a program that calls Caffe and nothing else.

Both are built by the normal pipeline with the same flags, bundled with the very same Caffe and
OpenBLAS, and run one after the other on one board that counts instructions exactly.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import ssh
from tests import boards, rounds
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import BoardAddress

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.FIRST)]

ROOT = Path(__file__).parent.parent.parent
BARE = ROOT / "tests" / "bench" / "caffe_bare.cpp"
CELL = "caffe-openblas-0.3.34-neon"  # the fewest instructions: what is added shows most
MATRIX = """\
version: 1
toolchain: armv7hf-bookworm
include:
  - {name: caffe-bare, stack: caffe, openblas: "0.3.34", neon: true}
"""
PASSES = 3


@pytest.fixture(scope="module")
def bare_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project, with the bare program in the place of Caffe's runner."""
    root = tmp_path_factory.mktemp("bare")
    for name in ("recipes", "toolchains", "models"):
        shutil.copytree(ROOT / name, root / name)
    (root / "matrix.yaml").write_text(MATRIX)
    runner = root / "recipes" / "caffe" / "runner"
    shutil.copyfile(BARE, runner / "engine.cpp")
    script = (runner / "build.sh.j2").read_text()
    assert script.count(" /harness/harness.cpp") == 1
    (runner / "build.sh.j2").write_text(script.replace(" /harness/harness.cpp", ""))
    return root


@pytest.fixture(scope="module")
def board() -> Iterator[BoardAddress]:
    yield boards.boot("overhead", "pi3-counted")
    boards.remove("overhead")


@pytest.fixture(scope="module")
def said(board: BoardAddress, bare_project: Path) -> dict[str, Any]:
    """What each of the two programs said of the same passes on the same board."""
    for cwd, cell in ((ROOT, CELL), (bare_project, "caffe-bare")):
        cli.run("build", "--only", cell, cwd=cwd, state=boards.STATE)
        cli.run("deploy", "--host", board.name, "--only", cell, cwd=cwd, state=boards.STATE)
    commands = {
        "harness": f"{CELL}/bin/runner --model {CELL}/model --passes {PASSES} --warmup 0",
        "bare": f"caffe-bare/bin/runner caffe-bare/model {PASSES}",
    }
    with ssh.connect(board, timeout=30, known_hosts=None) as connection:
        return {name: _run(connection, command) for name, command in commands.items()}


def _run(connection: ssh.SshConnection, command: str) -> Any:
    script = f"cd .buildmatrix/cells && OPENBLAS_NUM_THREADS=1 {command}"
    done = connection.run(script, timeout=600)
    assert done.status == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_pass_costs_what_the_bare_library_call_costs(
    said: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    harness, bare = (said[name]["instructions"] / PASSES for name in ("harness", "bare"))
    extra = harness / bare - 1
    with capsys.disabled():
        sys.stdout.write(
            f"\ninstructions a pass: bare {bare:.0f}, harness {harness:.0f} ({extra:+.5%})\n"
        )
    assert said["harness"]["output"] == said["bare"]["output"], "they do not do the same"
    assert abs(extra) < 0.005  # fewer would be passes that are not counted


def test_the_probe_is_the_same_work_each_time(said: dict[str, Any]) -> None:
    before, after = said["harness"]["probe_ns"]
    assert before > 1_500_000, "a nanosecond an instruction on this board: steps are left out"
    assert after == pytest.approx(before, rel=0.01)
    assert before + after < said["harness"]["cpu_ns"]
