"""Layers that MNN computes as ONNX means them, and others, with what is said of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.networks import of_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.network import NetworkSpec

FORMAT = "onnx-mnn"
POOL = {"type": "pool", "name": "p", "kernel": 3, "stride": 1}
AVERAGE = {**POOL, "method": "average"}
LRN = {"type": "lrn", "name": "p", "alpha": 1.0, "beta": 0.75, "bias": 1.0}
MORE = "average that counts what was padded, of which more is at the end"
OTHERWISE: list[tuple[Mapping[str, Any], str]] = [
    ({**AVERAGE, "pad": [0, 0, 1, 1], "counts_pad": True}, MORE),
    ({**AVERAGE, "pad": [1, 0, 1, 2], "counts_pad": True}, MORE),
    ({**LRN, "size": 2}, "lrn over 2 channels, an even number"),
]
RIGHT: list[Mapping[str, Any]] = [
    AVERAGE,
    {**AVERAGE, "pad": [0, 0, 1, 1]},
    {**AVERAGE, "pad": 1, "counts_pad": True},
    {**AVERAGE, "pad": [1, 1, 0, 0], "counts_pad": True},
    {**POOL, "method": "max", "pad": [2, 2, 0, 1]},
    {**LRN, "size": 3},
    {"type": "shift", "name": "p"},
]


def network(layer: Mapping[str, Any]) -> NetworkSpec:
    return of_layers(layer, size=(8, 9, 9))
