"""A project on disk: which models it names, and which cells are selected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from buildmatrix.errors import InputError, UsageError
from buildmatrix.pipeline import project
from tests.unit import projects

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "models"
TWO = projects.MATRIX + "bench: {model: [face-cnn, lenet-5]}\n"


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    projects.write(tmp_path)
    (tmp_path / "models").symlink_to(MODELS)
    path = tmp_path / "matrix.yaml"
    path.write_text(TWO)
    return path


def test_the_first_model_is_measured_unless_another_is_asked_for(matrix: Path) -> None:
    assert project.load(matrix).network.name == "face-cnn"
    assert project.load(matrix, model="lenet-5").network.name == "lenet-5"
    assert project.load(matrix, only=("*.lenet-5",)).network.name == "lenet-5"


def test_a_named_model_selects_its_cells_alone(matrix: Path) -> None:
    found = project.load(matrix, only=("net-one*",), model="lenet-5")
    assert [cell.id for cell in found.cells] == ["net-one.lenet-5", "net-one-neon.lenet-5"]
    assert set(found.networks) == {"face-cnn", "lenet-5"}  # a board may hold a run of the other


def test_a_model_that_the_matrix_does_not_name_is_refused(matrix: Path) -> None:
    with pytest.raises(UsageError, match=r"does not name it .did you mean 'lenet-5'") as e:
        project.load(matrix, model="lenet5")
    assert "face-cnn, lenet-5" in e.value.hint
    with pytest.raises(UsageError, match="selects no cell of model lenet-5"):
        project.load(matrix, only=("net-one",), model="lenet-5")


def test_a_model_that_is_not_there_is_placed(matrix: Path) -> None:
    matrix.write_text(TWO.replace("lenet-5", "lenet-6"))
    with pytest.raises(InputError, match=r"no model 'lenet-6' .did you mean 'lenet-5'") as e:
        project.load(matrix)
    assert "matrix.yaml:7:" in str(e.value.where)


def test_a_model_goes_by_the_name_of_its_folder(matrix: Path) -> None:
    models = matrix.parent / "models"
    models.unlink()
    for name in ("face-cnn", "lenet-5"):
        (models / name).mkdir(parents=True)
        text = (MODELS / "face-cnn" / "model.yaml").read_text()
        (models / name / "model.yaml").write_text(text)
    with pytest.raises(InputError, match="folder 'lenet-5' calls itself 'face-cnn'"):
        project.load(matrix)


def test_the_demo_builds_what_its_board_runs_and_nothing_else() -> None:
    script = (ROOT / "scripts" / "demo").read_text()
    chosen = tuple(re.findall(r"--only ([^\s)]+)", script))
    loaded = project.load(ROOT / "matrix.yaml", only=chosen)
    assert [cell.id for cell in loaded.cells] == list(chosen)
    assert {work.toolchain for work in loaded.graph} == {"", "armv7hf-bookworm"}
