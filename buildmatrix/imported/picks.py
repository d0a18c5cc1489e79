"""Convolutions that compute nothing: each output picks one channel of one pixel of a window.

Stacks without an operator for it compute the same, and ours have none. onnxruntime 1.32 writes both
of these where a network cuts its image into four at its entry, as YOLOX does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.imported.reading import attributes, floats
from buildmatrix.layers import ConvSpec

if TYPE_CHECKING:
    from onnx import NodeProto

    from buildmatrix.imported.reading import Reading
    from buildmatrix.reference import F32


def space_to_depth(reading: Reading, node: NodeProto) -> None:
    """Of `blocksize` rows and columns one pixel: the channels of their pixels one after the
    other."""
    block, channels = attributes(node)["blocksize"], reading.shape(node.input[0]).channels
    taken = np.eye(channels * block * block).reshape(-1, block, block, channels)
    _picking(reading, node, floats(taken.transpose(0, 3, 1, 2)))


def gather(reading: Reading, node: NodeProto) -> None:
    """Channels in another order: of the weights that make them, where nobody else reads those."""
    tensor, places = node.input[0], reading.constant(node.input[1])
    rank = len(reading.size(tensor))
    if places is None or places.ndim != 1 or attributes(node).get("axis", 0) % rank != 1:
        raise reading.lacks(node, "taking other than channels at constant places")
    (before,) = reading.read(node, tensor)
    channels, layer = reading.shape(tensor).channels, reading.layer(before)
    places = places % channels
    alone = isinstance(layer, ConvSpec) and layer.groups == 1 and reading.uses[tensor] == 1
    if alone and len(places) == channels:
        weight, bias = reading.weights[before]
        reading.weights[before] = (floats(weight[places]), floats(bias[places]))
        reading.values[node.output[0]] = before
        return
    _picking(reading, node, floats(np.eye(channels)[places][:, :, None, None]))


def _picking(reading: Reading, node: NodeProto, weight: F32) -> None:
    outputs, _, size, _ = weight.shape
    name = reading.add(
        node,
        ConvSpec,
        inputs=reading.read(node, node.input[0]),
        outputs=outputs,
        kernel=size,
        stride=size,
    )
    reading.weights[name] = (weight, np.zeros(outputs, np.float32))
