"""ONNX in int8, as onnxruntime takes it: in whole numbers, whatever the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from buildmatrix import schema
from buildmatrix.export import export, prepared
from buildmatrix.network import NetworkSpec
from tests import consumers

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # onnxruntime runs the networks

BRANCHES = """
version: 1
name: branches
summary: a residual block and one that splits
input: {channels: 4, height: 8, width: 8}
seed: 3
tolerance: {float32: 1.0e-4, int8: 0.5}
layers:
  - {type: conv, name: stem, outputs: 8, kernel: 3, pad: 1}
  - {type: relu, name: stem-relu}
  - {type: conv, name: left, outputs: 8, kernel: 3, pad: 1}
  - {type: conv, name: right, inputs: [stem-relu], outputs: 8, kernel: 1}
  - {type: add, name: sum, inputs: [left, right]}
  - {type: relu, name: sum-relu}
  - {type: concat, name: both, inputs: [sum-relu, stem-relu]}
  - {type: pool, name: pool, method: max, kernel: 2, stride: 2}
  - {type: fc, name: last, outputs: 6}
"""


@pytest.mark.parametrize("format", ["onnx-int8", "onnx-int8-per-tensor"])
def test_a_network_with_branches_is_computed_in_whole_numbers(format: str, tmp_path: Path) -> None:
    """Also where several nodes read a value: nothing that has weights is left in floats."""
    (tmp_path / "model.yaml").write_text(BRANCHES)
    export(schema.load(tmp_path / "model.yaml", NetworkSpec), format=format, destination=tmp_path)
    kinds = consumers.onnx_runtime_nodes(tmp_path)
    assert (kinds["QLinearConv"], kinds["QGemm"], kinds["QLinearAdd"]) == (3, 1, 1)
    assert not {"Conv", "FusedConv", "Gemm", "Add"} & set(kinds)


def test_its_answer_is_near_the_golden_one(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(BRANCHES)
    net = schema.load(tmp_path / "model.yaml", NetworkSpec)
    export(net, format="onnx-int8", destination=tmp_path)
    _, image, expected = prepared(net)
    (answer,) = consumers.onnx_runtime(tmp_path, image[None])
    off = np.abs(answer - expected).max() / np.abs(expected).max()
    assert 1e-4 < off < 0.05  # and not the answer of floats
