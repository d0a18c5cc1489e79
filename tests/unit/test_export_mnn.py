"""What MNN computes otherwise than ONNX means it is dropped, by its operator and its name.

That it is wrong, and the rest right, is shown by tests/integration/test_mnn.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix.export import able
from tests.mnn_layers import FORMAT, OTHERWISE, RIGHT, network

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(("layer", "words"), OTHERWISE)
def test_what_mnn_computes_otherwise_is_named(layer: Mapping[str, Any], words: str) -> None:
    assert able.gap(network(layer), FORMAT) == f"the format {FORMAT} has no {words}: layer p"


@pytest.mark.parametrize("layer", RIGHT)
def test_what_mnn_computes_right_is_said(layer: Mapping[str, Any]) -> None:
    assert able.gap(network(layer), FORMAT) == ""
