"""What OpenVINO computes otherwise than ONNX means it is dropped, by its operator and its name.

That the rest is right is shown by test_readers_apart, that this is wrong by
findings/openvino-moves-strides-past-pads.sh.
"""

from __future__ import annotations

from typing import Any

import pytest

from buildmatrix.export import able
from tests.networks import of_layers

POINT = {"type": "conv", "name": "c", "outputs": 2, "kernel": 1}


@pytest.mark.parametrize("numbers", ["", "-float16-weights", "-int8", "-int8-per-tensor"])
@pytest.mark.parametrize(
    "window", [{"stride": 2, "pad": 1}, {"stride": [1, 2], "pad": [0, 0, 1, 0]}]
)
def test_a_padded_convolution_of_single_pixels_may_not_skip_any(
    window: dict[str, Any], numbers: str
) -> None:
    format = f"onnx-openvino{numbers}"
    words = "stride of a padded 1x1 convolution"
    found = able.gap(of_layers({**POINT, **window}, size=(2, 9, 9)), format)
    assert found == f"the format {format} has no {words}: layer c"


@pytest.mark.parametrize(
    "window", [{"stride": 2}, {"pad": 1}, {"kernel": 2, "stride": 2, "pad": 1}]
)
def test_other_convolutions_are_said(window: dict[str, Any]) -> None:
    assert not able.gap(of_layers({**POINT, **window}, size=(2, 9, 9)), "onnx-openvino")
