"""TensorFlow 1.x: a frozen GraphDef, channels last, with a batch of any size.

Only operators whose kernels are in tensorflow/contrib/makefile/tf_op_files.txt of 1.15, and of 1.0
too but for the depthwise convolution. That list has CPU kernels, which know NHWC alone.
Sources: tensorflow/tensorflow r1.15, tensorflow/core/framework/{graph,node_def,attr_value,tensor,
tensor_shape,types,versions}.proto, and tensorflow/core/ops/{nn,array,math}_ops.cc for attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from buildmatrix.export import layout
from buildmatrix.layers import (
    IMAGES,
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    DepthToSpaceSpec,
    FcSpec,
    FlattenSpec,
    LeakyReluSpec,
    LrnSpec,
    PadSpec,
    PoolSpec,
    PReluSpec,
    ShuffleSpec,
    SliceSpec,
    UpsampleSpec,
)
from buildmatrix.messages import messages
from buildmatrix.network import INPUT, input_shape, steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from buildmatrix.layers import Layer
    from buildmatrix.messages import Schema
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import Parameters

SCHEMA: Schema = {
    "GraphDef": {"node": (1, "NodeDef*"), "versions": (4, "VersionDef")},
    "NodeDef": {
        "name": (1, "string"),
        "op": (2, "string"),
        "input": (3, "string*"),
        "attr": (5, "AttrEntry*"),  # map<string, AttrValue>: on the wire, such pairs
    },
    "AttrEntry": {"key": (1, "string"), "value": (2, "AttrValue")},
    "AttrValue": {
        "list": (1, "ListValue"),
        "s": (2, "bytes"),
        "i": (3, "int64"),
        "f": (4, "float"),
        "b": (5, "bool"),
        "type": (6, "int32"),  # DataType
        "shape": (7, "TensorShapeProto"),
        "tensor": (8, "TensorProto"),
    },
    "ListValue": {"i": (3, "int64**")},
    "TensorProto": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShapeProto"),
        "tensor_content": (4, "bytes"),
    },
    "TensorShapeProto": {"dim": (2, "Dim*")},
    "Dim": {"size": (1, "int64")},
    "VersionDef": {"producer": (1, "int32")},
}
FLOAT, INT32 = 1, 3  # DataType
PRODUCER = 21  # TF_GRAPH_DEF_VERSION of TensorFlow 1.0: nothing newer is asked of the reader

LOWEST = np.finfo(np.float32).min  # what is never the largest
OPERATORS = {"clip": "Relu6"}  # the others are called as our layers
Node = dict[str, Any]
T: dict[str, Any] = {"T": {"type": FLOAT}}


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    writer = _Writer({p.layer: p for p in parameters})
    channels, height, width = input_shape(net)
    size = {"shape": _shape((-1, height, width, channels))}
    writer.nodes.append(_node("Placeholder", INPUT, dtype={"type": FLOAT}, shape=size))
    for step in steps(net):
        writer.layer(step)
    graph = messages("tensorflow", SCHEMA)["GraphDef"]
    content = graph(node=writer.nodes, versions={"producer": PRODUCER}).SerializeToString()
    return {"graph.pb": content}


class _Writer:
    """Nodes in order. `made`: the node that makes each value, by the value's name. `flat`: nodes
    whose value has lost its height and width."""

    def __init__(self, learnt: Mapping[str, Parameters]) -> None:
        self.learnt = learnt
        self.nodes: list[Node] = []
        self.made = {INPUT: INPUT}
        self.flat: set[str] = set()

    def add(self, op: str, name: str, *inputs: str, **attributes: dict[str, Any]) -> str:
        """A node of floats; its name."""
        self.nodes.append(_node(op, name, *inputs, **{**T, **attributes}))
        return name

    def number(self, name: str, values: Any, kind: Any = np.float32) -> str:
        """A constant; its name."""
        self.nodes.append(_constant(name, np.asarray(values, kind)))
        return name

    def layer(self, step: Step) -> None:
        layer, name = step.layer, step.layer.name
        flat = step.is_flat(IMAGES, [self.made[one] in self.flat for one in step.reads])
        inputs = [self._as(one, step, flat=flat) for one in step.reads]
        match layer:
            case ConvSpec():
                self._convolution(step, layer, inputs[0])
            case PoolSpec():
                self._pool(layer, inputs[0])
            case FcSpec():
                turned = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}
                weight = layout.arranged(step, self.learnt[name].weight, lite=False)
                weights = self.number(f"{name}/weights", weight)
                self.add("MatMul", f"{name}/product", inputs[0], weights, **turned)
                self._bias(name)
            case FlattenSpec() | ShuffleSpec() | SliceSpec() | PadSpec() | UpsampleSpec():
                self._formed(step, layer, inputs[0], flat=flat)
            case DepthToSpaceSpec(block=block):  # put together: the list has no DepthToSpace
                channels, height, width = step.after
                parts = [-1, height // block, width // block, block, block, channels]
                node = self._reshaped(f"{name}/parts", inputs[0], parts)
                node = self._turned(f"{name}/turned", node, [0, 1, 3, 2, 4, 5])
                self._reshaped(name, node, [-1, height, width, channels])
            case ConcatSpec():
                axis = self.number(f"{name}/axis", 1 if flat else 3, np.int32)
                how = {"N": {"i": len(inputs)}, "Tidx": {"type": INT32}}
                self.add("ConcatV2", name, *inputs, axis, **how)
            case _:
                self._function(layer, inputs)
        self.made[name] = name
        if flat:
            self.flat.add(name)

    def _as(self, value: str, step: Step, *, flat: bool) -> str:
        """The node of a value with or without a height and a width, as its reader wants it."""
        node, reader = self.made[value], step.layer
        if (node in self.flat) == flat or isinstance(reader, FlattenSpec):
            return node
        place = step.reads.index(value)
        channels, height, width = step.befores[place]
        if flat:
            made = f"{reader.name}/flat" if place == 0 else f"{reader.name}/flat{place}"
            return self._reshaped(made, node, [-1, height * width * channels])
        return self._reshaped(f"{reader.name}/image{place}", node, [-1, height, width, channels])

    def _reshaped(self, name: str, node: str, sizes: list[int]) -> str:
        to = self.number(f"{name}/shape", sizes, np.int32)
        return self.add("Reshape", name, node, to, Tshape={"type": INT32})

    def _turned(self, name: str, node: str, order: list[int]) -> str:
        to = self.number(f"{name}/order", order, np.int32)
        return self.add("Transpose", name, node, to, Tperm={"type": INT32})

    def _convolution(self, step: Step, layer: ConvSpec, node: str) -> None:
        name, window = layer.name, layer.window
        weight = layout.arranged(step, self.learnt[name].weight, lite=False)
        weights = self.number(f"{name}/weights", weight)
        same = layout.same_padding(layer)
        if not same:
            node = self._padded(name, node, window.pads)
        kind = "Conv2D" if layer.groups == 1 else "DepthwiseConv2dNative"
        how = {"strides": _sizes(*window.stride), **_padding("SAME" if same else "VALID")}
        if window.dilation != (1, 1):
            how["dilations"] = _sizes(*window.dilation)
        self.add(kind, f"{name}/product", node, weights, **how)
        self._bias(name)

    def _pool(self, layer: PoolSpec, node: str) -> None:
        largest = layer.method == "max"
        own = not largest and not layer.counts_pad and layout.same_padding(layer)
        if not own:
            node = self._padded(layer.name, node, layer.window.pads, lowest=largest)
        kind = "MaxPool" if largest else "AvgPool"
        sizes = {"ksize": _sizes(*layer.window.kernel), "strides": _sizes(*layer.window.stride)}
        self.add(kind, layer.name, node, **sizes, **_padding("SAME" if own else "VALID"))

    def _padded(
        self, name: str, node: str, pads: tuple[int, int, int, int], *, lowest: bool = False
    ) -> str:
        """What is read with zeros around it, or with what is never the largest."""
        top, left, bottom, right = (max(side, 0) for side in pads)
        if not any((top, left, bottom, right)):
            return node
        added = [[0, 0], [top, bottom], [left, right], [0, 0]]
        sides = self.number(f"{name}/sides", added, np.int32)
        numbers = [self.number(f"{name}/lowest", LOWEST)] if lowest else []
        kind = "PadV2" if lowest else "Pad"
        return self.add(kind, f"{name}/pad", node, sides, *numbers, Tpaddings={"type": INT32})

    def _bias(self, name: str) -> None:
        biases = self.number(f"{name}/biases", self.learnt[name].bias)
        self.add("BiasAdd", name, f"{name}/product", biases, data_format={"s": b"NHWC"})

    def _formed(
        self,
        step: Step,
        layer: FlattenSpec | ShuffleSpec | SliceSpec | PadSpec | UpsampleSpec,
        node: str,
        *,
        flat: bool,
    ) -> None:
        """What changes the size or the order of a value."""
        name, (channels, height, width) = layer.name, step.before
        match layer:
            case FlattenSpec():
                if node not in self.flat and height * width > 1:
                    node = self._turned(f"{name}/first", node, [0, 3, 1, 2])
                self._reshaped(name, node, [-1, height * width * channels])
            case ShuffleSpec(groups=groups):
                parts = [-1, height * width, groups, channels // groups]
                node = self._reshaped(f"{name}/groups", node, parts)
                node = self._turned(f"{name}/turned", node, [0, 1, 3, 2])
                self._reshaped(name, node, [-1, height, width, channels])
            case SliceSpec(first=first, channels=count):
                begin = [0] * (1 if flat else 3)
                start = self.number(f"{name}/begin", [*begin, first], np.int32)
                size = self.number(f"{name}/count", [-1] * len(begin) + [count], np.int32)
                self.add("Slice", name, node, start, size, Index={"type": INT32})
            case PadSpec(mode=mode, value=value):
                top, left, bottom, right = layer.sides
                added = [[0, 0], [top, bottom], [left, right], [*layer.channels]]
                sides = self.number(f"{name}/sides", added, np.int32)
                how = {"Tpaddings": {"type": INT32}}
                if mode == "reflect":
                    self.add("MirrorPad", name, node, sides, mode={"s": b"REFLECT"}, **how)
                    return
                self.add("PadV2", name, node, sides, self.number(f"{name}/filling", value), **how)
            case UpsampleSpec():
                to = self.number(f"{name}/size", step.after[1:], np.int32)
                corners = {"align_corners": {"b": False}}
                self.add("ResizeNearestNeighbor", name, node, to, **corners)

    def _function(self, layer: Layer, inputs: list[str]) -> None:
        """A function of each value or pixel, put together where there is no operator."""
        name, node = layer.name, inputs[0]
        match layer:
            case PReluSpec():
                self._sloped(name, node, self.learnt[name].weight)
            case LeakyReluSpec(slope=slope):
                self._sloped(name, node, slope)
            case ClipSpec(low=low, high=high) if (low, high) != (0, 6):
                bounds = self.number(f"{name}/low", low), self.number(f"{name}/high", high)
                above = self.add("Maximum", f"{name}/above", node, bounds[0])
                self.add("Minimum", name, above, bounds[1])
            case ActivationSpec(type="hard-sigmoid" | "hard-swish"):
                three = self.number(f"{name}/three", 3.0)
                shifted = self.add("Add", f"{name}/shifted", node, three)
                gate = self.add("Relu6", f"{name}/gate", shifted)
                if layer.type == "hard-swish":
                    gate = self.add("Mul", f"{name}/times", node, gate)
                self.add("Mul", name, gate, self.number(f"{name}/sixth", 1 / 6))
            case LrnSpec(size=size, alpha=alpha, beta=beta, bias=bias):
                numbers = {"bias": bias, "alpha": alpha / size, "beta": beta}
                how = {key: {"f": value} for key, value in numbers.items()}
                self.add("LRN", name, node, depth_radius={"i": size // 2}, **how)
            case _:
                self.add(OPERATORS.get(layer.type, layer.type.capitalize()), name, *inputs)

    def _sloped(self, name: str, node: str, slope: Any) -> None:
        """x above zero, and slope * x below: relu(x) - slope * relu(-x)."""
        above = self.add("Relu", f"{name}/above", node)
        turned = self.add("Neg", f"{name}/turned", node)
        below = self.add("Relu", f"{name}/below", turned)
        slopes = self.number(f"{name}/slopes", -np.asarray(slope, np.float32))
        self.add("Add", name, above, self.add("Mul", f"{name}/sloped", below, slopes))


def _sizes(height: int, width: int) -> dict[str, Any]:
    return {"list": {"i": [1, height, width, 1]}}


def _padding(kind: str) -> dict[str, Any]:
    return {"padding": {"s": kind.encode()}, "data_format": {"s": b"NHWC"}}


def _constant(name: str, values: NDArray[Any]) -> Node:
    kind = INT32 if values.dtype == np.int32 else FLOAT
    content = values.astype("<i4" if kind == INT32 else "<f4").tobytes()
    tensor = {"dtype": kind, "tensor_shape": _shape(values.shape), "tensor_content": content}
    return _node("Const", name, dtype={"type": kind}, value={"tensor": tensor})


def _shape(sizes: tuple[int, ...]) -> dict[str, Any]:
    return {"dim": [{"size": size} for size in sizes]}


def _node(op: str, name: str, *inputs: str, **attributes: dict[str, Any]) -> Node:
    pairs = [{"key": key, "value": attributes[key]} for key in sorted(attributes)]
    return {"name": name, "op": op, "input": list(inputs), "attr": pairs}
