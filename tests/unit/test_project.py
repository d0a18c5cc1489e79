"""A project on disk: which models it names, and which cells are selected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from buildmatrix.errors import InputError, UsageError
from buildmatrix.pipeline import project
from buildmatrix.workload import described
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


def test_what_excludes_every_cell_is_named_with_its_place(matrix: Path) -> None:
    matrix.write_text(TWO + "exclude: [{toolchain: tc, reason: not now}]\n")
    with pytest.raises(InputError, match="has no cells, all are excluded") as caught:
        project.load(matrix)
    assert f"net-one is dropped by {matrix}:8:11: not now" in caught.value.details


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


VARIANT = """\
version: 1
name: lenet-half
summary: half of its filters
of: {of}
prune: {{keep: 0.5, by: l1}}
"""


@pytest.mark.parametrize(
    "written", ["cafe", "[{when: {blas: one}, format: caffe}, {format: cafe}]"]
)
def test_a_model_format_that_is_none_is_told_before_anything_is_compiled(
    matrix: Path, written: str
) -> None:
    recipe = matrix.parent / "recipes" / "net" / "recipe.yaml"
    text = projects.NET.replace("caffe}", f"{written}}}")
    text = text.replace("when: {blas: one}, ", "when: {wide: true}, ")
    recipe.write_text(text + "options: {wide: {summary: w, type: boolean, default: false}}\n")
    with pytest.raises(InputError, match=r"no model format 'cafe' .did you mean 'caffe'") as caught:
        project.load(matrix)
    assert str(caught.value.where).startswith(f"{recipe}:11:")


DRAWN = """\
version: 1
name: face-cnn
summary: tiny
input: {channels: 1, height: 8, width: 8}
seed: 1
tolerance: {float32: 0.001}
layers:
  - {type: conv, name: c, outputs: 2, kernel: 3}
  - {type: fc, name: f, outputs: 2}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("outputs: 2}", "outputs: 2, inputs: [data]}", "8:5: no layer reads c: it has no part in"),
        ("outputs: 2}", "outputs: 99000000}", "9:5: f has more than 536,870,912 values or weights"),
        ("channels: 1", "channels: 99000000", "8:5: c has more than 536,870,912 values or weights"),
    ],
)
def test_a_layer_that_no_build_could_use_is_placed(
    matrix: Path, old: str, new: str, message: str
) -> None:
    models = matrix.parent / "models"
    models.unlink()
    (models / "face-cnn").mkdir(parents=True)
    (models / "face-cnn" / "model.yaml").write_text(DRAWN.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        project.load(matrix)
    assert f"model.yaml:{message}" in str(caught.value)


def variant(matrix: Path, of: str) -> Path:
    """matrix.yaml of a project with a variant of the model `of`."""
    (matrix.parent / "models").unlink()
    folder = matrix.parent / "models" / "lenet-half"
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_text(VARIANT.format(of=of))
    matrix.write_text(TWO.replace("face-cnn", "lenet-half"))
    return matrix


def test_a_variant_is_a_model_like_another_and_says_what_it_saves(matrix: Path) -> None:
    loaded = project.load(variant(matrix, "lenet-5"))
    assert {cell.model for cell in loaded.cells} == {"lenet-half", "lenet-5"}
    assert described(loaded.networks["lenet-half"]).sentence == (
        "lenet-half: 15,738 parameters, 0.1 million multiply-adds an image, 32% of lenet-5's"
    )
    one, other = (loaded.graph.by_id[f"model:{m}.caffe"] for m in ("lenet-half", "lenet-5"))
    assert one.material["network"] != other.material["network"]
    assert loaded.networks["lenet-half"].tolerance == loaded.networks["lenet-5"].tolerance


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ("lenet-half", "it is made out of itself: lenet-half of lenet-half"),
        ("lenet-6", "no model 'lenet-6' (did you mean 'lenet-5'?)"),
    ],
)
def test_what_a_variant_is_made_out_of_is_there_and_another(
    of: str, words: str, matrix: Path
) -> None:
    with pytest.raises(InputError) as e:
        project.load(variant(matrix, of))
    assert words in e.value.brief
    assert "lenet-half/model.yaml:4:" in str(e.value.where)


def test_the_demo_builds_what_its_board_runs_and_nothing_else() -> None:
    script = (ROOT / "scripts" / "demo").read_text()
    chosen = tuple(re.findall(r"--only ([^\s)]+)", script))
    loaded = project.load(ROOT / "matrix.yaml", only=chosen)
    assert [cell.id for cell in loaded.cells] == list(chosen)
    assert {work.toolchain for work in loaded.graph} == {"", "armv7hf-bookworm"}
