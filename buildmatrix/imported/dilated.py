"""Automatic pads of dilated convolutions, written out: onnxruntime 1.32.0 has 'Dilation not
supported for AutoPadType::SAME_UPPER or AutoPadType::SAME_LOWER', which ONNX allows and files of
TensorFlow's segmentation networks have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import helper

from buildmatrix.imported.reading import attributes
from buildmatrix.imported.windows import pair

if TYPE_CHECKING:
    from onnx import GraphProto

SAME = (b"SAME_UPPER", b"SAME_LOWER")


def write_pads(graph: GraphProto) -> None:
    """Of the convolutions with a dilation and no stride, whose pads do not depend on the size of
    what they read."""
    sizes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in (one for one in graph.node if one.op_type == "Conv"):
        how = attributes(node)
        auto, spread = how.get("auto_pad"), pair(how.get("dilations"))
        kernel = how.get("kernel_shape") or sizes.get(node.input[1], ())[2:]
        if auto not in SAME or spread == (1, 1) or pair(how.get("strides")) != (1, 1):
            continue
        if len(kernel) != 2:
            continue
        totals = [(size - 1) * wide for size, wide in zip(kernel, spread, strict=True)]
        few, many = [n // 2 for n in totals], [n - n // 2 for n in totals]
        pads = [*few, *many] if auto == b"SAME_UPPER" else [*many, *few]
        for attribute in [a for a in node.attribute if a.name in ("auto_pad", "pads")]:
            node.attribute.remove(attribute)
        node.attribute.append(helper.make_attribute("pads", pads))
