"""ONNX in int8: a network of floats in which values and weights are made whole numbers and floats
again, so that a reader that knows how computes in whole numbers.

Weights have a scale for each output, or one in all. Values are asymmetric, so that what a ReLU
takes away is what they cannot say, and unsigned, for signed ones that several nodes read stay
floats on x86-64 (`findings/onnxruntime-int8-that-two-nodes-read.sh`). A softmax and what it reads
stay floats. Which nodes are taken together: onnxruntime v1.21.0, core/optimizer/qdq_transformer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

from buildmatrix.export import onnx, quantize
from buildmatrix.network import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from onnx import GraphProto, NodeProto

    from buildmatrix.export.quantize import Scale
    from buildmatrix.network import NetworkSpec
    from buildmatrix.reference import F32, F64, Parameters

LEARNT = ("Conv", "Gemm")  # whose weights are made whole numbers
# Whose value is numbers of what it reads: the scale stays.
PICKING = ("MaxPool", "Flatten", "Reshape", "Transpose", "Slice", "DepthToSpace")


def write(
    net: NetworkSpec, parameters: tuple[Parameters, ...], weights: str = ""
) -> Mapping[str, bytes]:
    """`weights`: 'per-tensor' where those of a layer have one scale; for each output when empty."""
    model = onnx.model_of(net, parameters)
    seen = quantize.ranges(net, parameters)
    scales = _scales(model.graph, {name: quantize.asymmetric(one) for name, one in seen.items()})
    _Whole(model.graph, scales, None if weights == "per-tensor" else 0).rewrite()
    return onnx.serialized(model)


def _scales(graph: GraphProto, seen: Mapping[str, Scale]) -> dict[str, Scale]:
    """Of the values that are made whole numbers."""
    readers: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, set()).add(node.op_type)
    scales = {INPUT: seen[INPUT]}
    for node in graph.node:
        name = node.output[0]
        apart = {"Softmax", "Relu"} if node.op_type in LEARNT else {"Softmax"}  # or part of it
        if not readers.get(name, set()) - apart:
            continue
        if node.op_type in PICKING and node.input[0] in scales:
            scales[name] = scales[node.input[0]]
        elif name in seen:
            scales[name] = seen[name]
    return scales


class _Whole:
    """Rewrites a graph. `axis`: of a weight, for each index of which there is a scale."""

    def __init__(self, graph: GraphProto, scales: Mapping[str, Scale], axis: int | None) -> None:
        self.graph, self.scales, self.axis = graph, scales, axis
        self.floats = {one.name: one for one in graph.initializer}
        self.nodes: list[NodeProto] = []

    def rewrite(self) -> None:
        nodes = list(self.graph.node)
        self._value(INPUT)
        for node in nodes:
            if node.op_type in LEARNT and node.input[0] in self.scales:
                self._learnt(node, self.scales[node.input[0]].scale)
            for place, name in enumerate(node.input):
                if name in self.scales:
                    node.input[place] = f"{name}.floats"
            self.nodes.append(node)
            self._value(node.output[0])
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)

    def _value(self, name: str) -> None:
        """A value as whole numbers, and those as floats, which is what its readers read."""
        if name not in self.scales:
            return
        scale, zero = self.scales[name]
        how = self._scaled(name, np.float32(scale), np.uint8(zero + 128))
        self._node("QuantizeLinear", [name, *how], f"{name}.whole")
        self._node("DequantizeLinear", [f"{name}.whole", *how], f"{name}.floats")

    def _learnt(self, node: NodeProto, read: float) -> None:
        """Weights and biases of a node whose value has the scale `read`."""
        weight, bias = node.input[1:]
        values: F32 = numpy_helper.to_array(self.floats[weight])
        small, scales = quantize.weights(values, axis=self.axis)
        self._constant(weight, small, scales)
        sums = numpy_helper.to_array(self.floats[bias])
        self._constant(bias, quantize.biases(sums, read, scales), read * scales)

    def _constant(self, name: str, whole: NDArray[Any], scales: F64) -> None:
        """In place of a constant of floats, under its name."""
        tensor = self.floats[name]
        tensor.CopyFrom(numpy_helper.from_array(whole, f"{name}.whole"))
        each = scales.astype(np.float32)
        axis = {"axis": 0} if each.size > 1 else {}
        zeros = np.zeros(each.size, whole.dtype)
        how = self._scaled(name, *((each, zeros) if axis else (each[0], zeros[0])))
        self._node("DequantizeLinear", [f"{name}.whole", *how], name, **axis)

    def _scaled(self, name: str, scale: Any, zero: Any) -> list[str]:
        names = [f"{name}.scale", f"{name}.zero"]
        for made, values in zip(names, (scale, zero), strict=True):
            self.graph.initializer.append(numpy_helper.from_array(np.asarray(values), made))
        return names

    def _node(self, kind: str, inputs: Sequence[str], output: str, **settings: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **settings))
