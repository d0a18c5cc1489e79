"""A library with a part of its kernels takes the networks that these are enough for."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING

import pytest

from buildmatrix import layers
from buildmatrix.errors import InputError
from buildmatrix.export import FORMATS, able
from buildmatrix.pipeline import project
from tests import onnx_files
from tests.unit import projects

if TYPE_CHECKING:
    from pathlib import Path

SOME = "model_format: onnx, layers: [{when: WHEN, only: [conv, relu, pool, fc, softmax]}]"


def written(folder: Path, when: str) -> Path:
    """A project whose stack has some kernels alone where `when` fits, and somebody's network."""
    root = projects.write(folder)
    onnx_files.write(root / "models" / "mine", onnx_files.small())
    recipe = root / "recipes" / "net" / "recipe.yaml"
    text = recipe.read_text()
    assert "model_format: caffe" in text
    recipe.write_text(text.replace("model_format: caffe", SOME.replace("WHEN", when)))
    (root / "matrix.yaml").write_text(projects.MATRIX + "bench: {model: mine}\n")
    return root / "matrix.yaml"


def test_a_cell_whose_library_lacks_a_layer_is_dropped_with_its_name(tmp_path: Path) -> None:
    graph = project.load(written(tmp_path, "{}")).graph
    words = [work.blocked for work in graph if work.id.startswith("bundle:")]
    assert words == ["net has no kernels for hard-swish: layer h (HardSwish 'h')"] * 3


def test_every_file_of_tensorflow_lite_that_is_written_of_layers_has_its_channels_last() -> None:
    lite = {name for name, one in FORMATS.items() if one.module == "tflite"}
    assert lite < set(able.LAST_CHANNELS)


def test_every_layer_may_be_named() -> None:
    union, _ = typing.get_args(layers.Layer)
    names = {
        name
        for one in typing.get_args(union)
        for name in typing.get_args(one.model_fields["type"].annotation)
    }
    assert names == set(typing.get_args(layers.LayerType))


def test_a_condition_on_no_option_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no option 'kernels' here"):
        project.load(written(tmp_path, "{kernels: some}"))
