"""`inv nightly` on real input: toolchain from nothing, a good night, and one with a slow cell."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import virtual
from tests import rounds
from tests.boards import STATE
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.docker, pytest.mark.board, pytest.mark.built(rounds.FIRST)]

ROOT = Path(__file__).parent.parent.parent
CELL = "caffe-openblas-0.3.34-neon"
# Emulated, face-cnn takes a night some two minutes of CPU, LeNet-5 a hundredth of its sums. The
# long proofs are of face-cnn.
SHORT = os.environ.get("BUILDMATRIX_TEST_STACKS") != "all"
FORWARD = "net_.Forward();"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project in which a cell may be made slow; built stacks are shared."""
    folder = tmp_path_factory.mktemp("night") / "project"
    folder.mkdir()
    matrix = (ROOT / "matrix.yaml").read_text()
    assert "  model: face-cnn\n" in matrix
    if SHORT:
        matrix = matrix.replace("  model: face-cnn\n", "  model: lenet-5\n")
    (folder / "matrix.yaml").write_text(matrix)
    for name in ("recipes", "toolchains", "models"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.rmtree(STATE / "nights", ignore_errors=True)
    yield folder
    assert "nightly" not in {board.address.name for board in virtual.boards(STATE)}


def night(project: Path, *arguments: str, code: int = 0) -> tuple[Any, str]:
    """The document, and what was said on stderr."""
    out, err = cli.run(
        "nightly", "--only", CELL, "--json", *arguments, cwd=project, state=STATE, code=code
    )
    return json.loads(out), err


@pytest.fixture
def begun(project: Path) -> None:
    """A good night is on record."""
    if not (STATE / "nights").exists():
        night(project, "--keep-toolchains")


@pytest.mark.nightly
def test_the_first_night_makes_the_toolchain_from_nothing(project: Path) -> None:
    found, _ = night(project)
    assert found["code"] == 0
    assert found["troubles"] == []
    assert "the same" in found["toolchains"]["armv7hf-bookworm"]
    assert found["cells"] == {CELL: "cached"}, "the same packages invalidate nothing"
    assert (found["device"], found["compared_with"]) == ("nightly", "")


def test_the_second_night_says_that_nothing_moved(project: Path, begun: None) -> None:
    first, _ = night(project, "--keep-toolchains")
    assert first["compared_with"]
    assert first["compared_with"] != first["run"]
    assert {(c["cell"], c["verdict"]) for c in first["comparisons"]} == {(CELL, "same")}
    assert [c["batch"] for c in first["comparisons"]] == [1, 2, 4]
    report = STATE / "nights" / first["id"] / "report.html"
    assert "emulated" in report.read_text()


@pytest.mark.nightly
def test_a_slowed_cell_is_named_and_the_night_ends_with_8(project: Path, begun: None) -> None:
    """Right answers, twice the work: only the comparison can find it."""
    engine = project / "recipes" / "caffe" / "runner" / "engine.cpp"
    text = engine.read_text()
    assert FORWARD in text
    engine.write_text(text.replace(FORWARD, FORWARD + FORWARD))
    found, err = night(project, "--keep-toolchains", code=8)
    assert found["code"] == 8
    assert found["cells"] == {CELL: "done"}
    assert {c["verdict"] for c in found["comparisons"]} == {"worse"}
    assert all(0.9 < c["change"] < 1.1 for c in found["comparisons"])
    assert CELL in err
    again, _ = night(project, "--keep-toolchains", code=8)
    assert again["compared_with"] == found["compared_with"], "a bad night is no base"


@pytest.mark.nightly
def test_an_accepted_night_is_the_new_base(project: Path) -> None:
    found, _ = night(project, "--keep-toolchains", "--accept", code=8)
    after, _ = night(project, "--keep-toolchains")
    assert after["compared_with"] == found["run"]


@pytest.mark.nightly
def test_a_second_model_has_a_run_and_a_base_of_its_own(project: Path) -> None:
    matrix = project / "matrix.yaml"
    matrix.write_text(
        matrix.read_text()
        .replace("  model: face-cnn\n", "  model: [face-cnn, lenet-5]\n")
        .replace("nightly: {batches: [1, 2, 4], rounds: 2", "nightly: {batches: [1], rounds: 1")
    )
    arguments = ("nightly", "--only", f"{CELL}*", "--keep-toolchains")
    first, second = (cli.document(*arguments, cwd=project, state=STATE) for _ in range(2))
    assert set(first["cells"]) == {CELL, f"{CELL}.lenet-5"}
    assert [run["model"] for run in first["runs"]] == ["face-cnn", "lenet-5"]
    assert first["runs"][1]["compared_with"] == ""
    assert second["run"] == second["runs"][0]["run"]
    for before, after in zip(first["runs"], second["runs"], strict=True):
        assert after["compared_with"] == before["run"]
        assert {c["verdict"] for c in after["comparisons"]} == {"same"}
    folder = STATE / "nights" / second["id"]
    assert "lenet-5 on ARM boards" in (folder / "lenet-5" / "report.html").read_text()
    assert "face-cnn on ARM boards" in (folder / "report.html").read_text()
