"""What OpenCV's dnn computes otherwise than ONNX means it is dropped, by its operator and its name.

That the rest is right is shown by test_imported_agreement, that this is wrong by
findings/opencv-averages-padding-away.sh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import pytest

from buildmatrix.export import able, export
from tests.networks import of_layers

if TYPE_CHECKING:
    from pathlib import Path


def gap(*layers: dict[str, Any]) -> str:
    """What stands in the way of a network of these layers on a picture of two channels."""
    return able.gap(of_layers(*layers, size=(2, 9, 9)), "onnx-opencv")


POOL = {"type": "pool", "name": "p", "kernel": 3, "stride": 1}
CONV = {"type": "conv", "name": "c", "outputs": 2}


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (
            {**POOL, "method": "average", "pad": 1, "counts_pad": True},
            "average that counts what was padded",
        ),
        ({**CONV, "kernel": 1, "pad": 1}, "padding of a 1x1 convolution"),
        (
            {**CONV, "kernel": 3, "groups": 2, "pad": [1, 1, 2, 2]},
            "depthwise convolution with pads that differ between sides",
        ),
        (
            {**CONV, "type": "deconv", "kernel": 3, "pad": [1, 1, 0, 0]},
            "deconv with pads that differ between sides",
        ),
        ({"type": "add", "name": "s", "inputs": ["data", "data"]}, "add of a value to itself"),
    ],
)
def test_what_opencv_computes_otherwise_is_named(layer: dict[str, Any], words: str) -> None:
    assert gap(layer) == f"the format onnx-opencv has no {words}: layer {layer['name']}"


@pytest.mark.parametrize(
    "layer",
    [
        {**POOL, "method": "average"},
        {**POOL, "method": "max", "pad": 1},
        {**POOL, "method": "average", "pad": 1},
        {**CONV, "kernel": 1},
        {**CONV, "kernel": 3, "pad": [1, 1, 2, 2]},
        {**CONV, "kernel": 3, "groups": 2, "pad": 1},
    ],
)
def test_what_opencv_computes_right_is_said(layer: dict[str, Any]) -> None:
    assert gap(layer) == ""


def test_a_gate_is_written_so_that_opencv_takes_it_for_no_hard_swish(tmp_path: Path) -> None:
    """`findings/opencv-takes-gates-for-hard-swishes.sh`; other readers are given the operator."""
    net = of_layers({"type": "hard-sigmoid", "name": "gate"}, size=(2, 9, 9))
    for format, kinds in {"onnx-opencv": ["Mul", "Add", "Clip"], "onnx": ["HardSigmoid"]}.items():
        export(net, format=format, destination=tmp_path / format)
        written = onnx.load(tmp_path / format / "net.onnx").graph.node
        assert [node.op_type for node in written] == kinds
