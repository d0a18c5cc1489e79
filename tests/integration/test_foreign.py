"""Other people's ONNX files, out of packages, brought to two stacks on a virtual Pi 4.

Nothing here is written for one of them: `init --from`, and then the commands that it prints.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from tests import rounds
from tests.boards import STATE, own
from tests.integration import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.docker,
    pytest.mark.board,
    pytest.mark.built(rounds.ALL),
    pytest.mark.nightly,
]

WHEEL = (
    "rapidocr-onnxruntime==1.4.4 "
    "--hash=sha256:971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf"
)
OCR = "rapidocr_onnxruntime/models"
TURNED, FOUND, READ = (
    f"{OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    f"{OCR}/ch_PP-OCRv4_det_infer.onnx",
    f"{OCR}/ch_PP-OCRv4_rec_infer.onnx",
)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five files of two packages, as they were published."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "wanted").write_text(WHEEL)
    download = ("download", "-q", "--no-deps", "--require-hashes", "-r", "wanted", "-d", ".")
    subprocess.run([sys.executable, "-m", "pip", *download], check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        for name in (TURNED, FOUND, READ):
            (folder / Path(name).name).write_bytes(archive.read(name))
    for name in ("sigmoid.onnx", "logreg_iris.onnx"):
        content = files("onnxruntime").joinpath("datasets", name).read_bytes()
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def board() -> Iterator[str]:
    name = own("foreign")
    cli.run("device", "up", "--name", name, "--kind", "pi4-64-counted", cwd=Path(), state=STATE)
    yield name
    cli.run("device", "down", "--name", name, cwd=Path(), state=STATE)


def brought(folder: Path, file: str, name: str, *more: str) -> Path:
    """The project that `init` writes for a file."""
    cli.run("init", name, "--from", Path(file).name, *more, cwd=folder, state=STATE)
    return folder / name


def measured(project: Path, board: str) -> dict[str, dict[str, Any]]:
    """The row of each cell that could be built."""
    cli.run("build", cwd=project, state=STATE)
    cli.run("deploy", "--host", board, cwd=project, state=STATE)
    once = ("--batches", "2", "--rounds", "1", "--passes", "1", "--warmup", "0")
    found = cli.document("bench", "--host", board, *once, "--collect", cwd=project, state=STATE)
    return {row["cell"]: row for row in found["rows"]}


def test_both_stacks_give_the_golden_answer_of_a_file(foreign: Path, board: str) -> None:
    rows = measured(brought(foreign, TURNED, "turned", "--input", "3x48x192"), board)
    assert sorted(rows) == ["onnxruntime", "tflite"]
    for row in rows.values():
        assert row["status"] == "ok", row
        assert row["max_rel_error"] < 1e-4
        assert row["instructions_per_image"] > 0
        assert row["emulated"]


@pytest.mark.parametrize(
    ("file", "more", "words"),
    [
        (
            FOUND,
            ("--input", "3x64x64"),
            "the format tflite has no deconv of a batch of any size: layer p2o_ConvTranspose_0 "
            "(ConvTranspose 'p2o.ConvTranspose.0')",
        ),
        ("sigmoid.onnx", (), "the output is 4x1x5: the format tflite gives it in another order"),
    ],
    ids=["found", "sigmoid"],
)
def test_a_stack_that_cannot_take_a_file_loses_its_cell_and_the_other_has_it(
    file: str, more: tuple[str, ...], words: str, foreign: Path
) -> None:
    project = brought(foreign, file, Path(file).stem[:6], *more)
    cells = {one["id"]: one for one in cli.document("cells", cwd=project, state=STATE)["cells"]}
    assert words in cells["tflite"]["reason"]
    assert words not in cells["onnxruntime"]["reason"]


@pytest.mark.parametrize(
    ("file", "more", "words"),
    [
        (READ, ("--input", "3x48x192"), "of node ReduceMean 'p2o.ReduceMean.0' is not read"),
        ("logreg_iris.onnx", (), "node LinearClassifier 'LinearClassifier' (of ai.onnx.ml) is not"),
    ],
    ids=["read", "regression"],
)
def test_what_does_not_fit_ends_in_one_line_with_operator_and_node(
    file: str, more: tuple[str, ...], words: str, foreign: Path
) -> None:
    told = ("init", "no", "--from", Path(file).name, *more)
    _, err = cli.run(*told, cwd=foreign, state=STATE, code=3)
    assert words in err
    assert len(err.splitlines()) == 1
    assert not (foreign / "no").exists()
