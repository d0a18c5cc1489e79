"""ONNX, with a batch of any size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from buildmatrix.export.half import half
from buildmatrix.layers import (
    IMAGES,
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    DeconvSpec,
    DepthToSpaceSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    LeakyReluSpec,
    LrnSpec,
    PadSpec,
    PoolSpec,
    PReluSpec,
    ReluSpec,
    ShiftSpec,
    ShuffleSpec,
    SliceSpec,
    SoftmaxSpec,
    UpsampleSpec,
)
from buildmatrix.network import INPUT, input_shape, steps

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto

    from buildmatrix.layers import Layer, Shape, Window
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import F32, Parameters

OPERATORS = 13  # of 2020; the first whose Softmax is over one axis
HARD_SWISH = 14  # the first that has it; the same file format
Parts = Sequence[tuple[Any, ...]]  # of a function: operators, each with numbers or None
# GELU as PyTorch writes it: the operator set that has one is of 2023. And of OpenCV a hard sigmoid
# that it does not take for a part of a hard swish, whatever is multiplied by it:
# `findings/opencv-takes-gates-for-hard-swishes.sh`.
TOGETHER: Mapping[str, Parts] = {
    "gelu": (("Div", sqrt(2)), ("Erf",), ("Add", 1), ("Mul", None), ("Mul", 0.5)),
    "hard-sigmoid": (("Mul", 1 / 6), ("Add", 0.5), ("Clip", 0, 1)),
}
IR_VERSION = 7  # the file format of the same release, 1.8: every reader in use knows it


def write(
    net: NetworkSpec, parameters: tuple[Parameters, ...], reader: str = "", weights: str = ""
) -> Mapping[str, bytes]:
    """`reader`: 'opencv' where that is to read it, and none in particular when empty. `weights`:
    'float16' where they and the biases are kept in half the bits, and widened before they are used.
    """
    return serialized(model_of(net, parameters, reader, weights))


def serialized(model: ModelProto) -> Mapping[str, bytes]:
    """The files of a model that the format's own checker takes."""
    content = model.SerializeToString(deterministic=True)
    checker.check_model(content)
    return {"net.onnx": content}


def model_of(
    net: NetworkSpec, parameters: tuple[Parameters, ...], reader: str = "", weights: str = ""
) -> ModelProto:
    """As of `write`, not yet bytes. A value is called as the layer that makes it, and what that has
    learnt NAME.weight and NAME.bias."""
    writer = _Writer(opencv=reader == "opencv")
    for step in steps(net):
        writer.layer(step)
    last, number = net.layers[-1].name, TensorProto.FLOAT
    size = steps(net)[-1].after
    output: list[str | int | None] = ["batch", *size[: 1 if last in writer.flat else 3]]
    swish = any(layer.type == "hard-swish" for layer in net.layers)
    graph = helper.make_graph(
        writer.nodes,
        net.name,
        [helper.make_tensor_value_info(INPUT, number, ["batch", *input_shape(net)])],
        [helper.make_tensor_value_info(last, number, output)],
    )
    model = helper.make_model(
        graph,
        producer_name="buildmatrix",
        opset_imports=[helper.make_opsetid("", HARD_SWISH if swish else OPERATORS)],
        ir_version=IR_VERSION,
    )
    for learnt in parameters:
        for kind, values in (("weight", learnt.weight), ("bias", learnt.bias)):
            if not values.size:
                continue
            tensor = model.graph.initializer.add()  # in place: a model of 100 MB is copied no more
            tensor.name, tensor.data_type = f"{learnt.layer}.{kind}", number
            tensor.dims.extend(values.shape)
            if weights == "float16":
                _narrow(model.graph, tensor, values)
            else:
                tensor.raw_data = values.astype("<f4", copy=False).tobytes()
    model.graph.initializer.extend(writer.constants)
    return model


def _narrow(graph: GraphProto, tensor: TensorProto, values: F32) -> None:
    """Keep a constant in float16, under another name: a node that comes first widens it."""
    name, tensor.name = tensor.name, f"{tensor.name}.half"
    tensor.data_type, tensor.raw_data = TensorProto.FLOAT16, half(values).astype("<f2").tobytes()
    graph.node.insert(
        0, helper.make_node("Cast", [tensor.name], [name], name, to=TensorProto.FLOAT)
    )


class _Writer:
    """Nodes in order. `flat` are the values that have lost their height and width."""

    def __init__(self, *, opencv: bool) -> None:
        self.opencv = opencv
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.flat: set[str] = set()

    def layer(self, step: Step) -> None:
        layer = step.layer
        flat = step.is_flat(IMAGES, [name in self.flat for name in step.reads])
        inputs = [self._as(name, step, flat=flat) for name in step.reads]
        if isinstance(layer, FlattenSpec):
            return
        if flat:
            self.flat.add(layer.name)
        if layer.type == "gelu" or (layer.type == "hard-sigmoid" and self.opencv):
            self._together(layer.name, inputs[0], TOGETHER[layer.type])
            return
        if isinstance(layer, ConvSpec | DeconvSpec | FcSpec):
            inputs += [f"{layer.name}.weight", f"{layer.name}.bias"]
        if isinstance(layer, PReluSpec):
            inputs.append(self._slopes(layer, step, flat=flat))
        if isinstance(layer, ShiftSpec):
            inputs.append(f"{layer.name}.weight")
        if isinstance(layer, ShuffleSpec):
            inputs = [self._shuffled(layer, step.after, inputs[0])]
        for kind, values in _constants(layer):
            inputs.append(f"{layer.name}.{kind}" if kind else "")
            if kind:
                self.constants.append(numpy_helper.from_array(values, inputs[-1]))
        if isinstance(layer, ShuffleSpec):
            back = np.array([-1, *step.after], np.int64)
            inputs.append(f"{layer.name}.shape")
            self.constants.append(numpy_helper.from_array(back, inputs[-1]))
        kind, settings = _kind(layer)
        self.nodes.append(helper.make_node(kind, inputs, [layer.name], layer.name, **settings))

    def _together(self, name: str, value: str, parts: Parts) -> None:
        """Nodes one after the other, each of what came before and what its part says: numbers, or,
        for None, the value itself."""
        last = value
        for place, (kind, *others) in enumerate(parts, start=1):
            made = name if place == len(parts) else f"{name}.{place}"
            inputs = [last]
            for number in others:
                if number is None:
                    inputs.append(value)
                    continue
                inputs.append(f"{name}.{place}.{len(inputs)}")
                constant = np.array(number, np.float32)
                self.constants.append(numpy_helper.from_array(constant, inputs[-1]))
            self.nodes.append(helper.make_node(kind, inputs, [made], made))
            last = made

    def _slopes(self, layer: PReluSpec, step: Step, *, flat: bool) -> str:
        """The slopes as a value's channels stand: before a height and a width, or last."""
        if flat:
            return f"{layer.name}.weight"
        made, to = f"{layer.name}.slopes", f"{layer.name}.slopes.shape"
        sizes = np.array([step.after.channels, 1, 1], np.int64)
        self.constants.append(numpy_helper.from_array(sizes, to))
        self.nodes.append(helper.make_node("Reshape", [f"{layer.name}.weight", to], [made], made))
        return made

    def _shuffled(self, layer: ShuffleSpec, size: Shape, name: str) -> str:
        """The value with its groups taken in turn, and still as groups."""
        parts = f"{layer.name}.groups"
        to = np.array([-1, layer.groups, size.channels // layer.groups, *size[1:]], np.int64)
        self.constants.append(numpy_helper.from_array(to, f"{parts}.shape"))
        self.nodes.append(helper.make_node("Reshape", [name, f"{parts}.shape"], [parts], parts))
        turned = f"{layer.name}.turned"
        order = [0, 2, 1, 3, 4]
        self.nodes.append(helper.make_node("Transpose", [parts], [turned], turned, perm=order))
        return turned

    def _as(self, name: str, step: Step, *, flat: bool) -> str:
        """A value as it is, or by way of a node that takes or gives it a height and a width."""
        if (name in self.flat) == flat:
            return name
        made = step.layer.name if isinstance(step.layer, FlattenSpec) else f"{step.layer.name}.flat"
        if flat:
            self.nodes.append(helper.make_node("Flatten", [name], [made], made, axis=1))
            self.flat.add(made)
            return made
        made = f"{step.layer.name}.image"
        shape = f"{made}.shape"
        sizes = np.array([-1, *step.befores[step.reads.index(name)]], np.int64)
        self.constants.append(numpy_helper.from_array(sizes, shape))
        self.nodes.append(helper.make_node("Reshape", [name, shape], [made], made))
        return made


def _constants(layer: Layer) -> list[tuple[str, NDArray[Any]]]:
    """Inputs of a node that are numbers of ours, by what they are called; '' for one left out."""
    match layer:
        case ClipSpec(low=low, high=high):
            return [("low", np.float32(low)), ("high", np.float32(high))]  # type: ignore[list-item]
        case UpsampleSpec(factor=factor):
            scales = np.array([1, 1, factor, factor], np.float32)
            return [("", scales), ("scales", scales)]
        case SliceSpec(first=first, channels=channels):
            ends = {"first": first, "end": first + channels, "axis": 1}
            return [(kind, np.array([place], np.int64)) for kind, place in ends.items()]
        case PadSpec(value=value, channels=(before, behind)):
            top, left, bottom, right = layer.sides
            sides = np.array([0, before, top, left, 0, behind, bottom, right], np.int64)
            return [("sides", sides), ("filling", np.float32(value))]  # type: ignore[list-item]
        case _:
            return []


def _kind(layer: Layer) -> tuple[str, dict[str, Any]]:
    match layer:
        case ConvSpec(groups=groups) | DeconvSpec(groups=groups):
            kind = "Conv" if isinstance(layer, ConvSpec) else "ConvTranspose"
            return kind, {"pads": [0] * 4, **_window(layer.window), "group": groups}
        case PoolSpec(method=method, counts_pad=counted):
            counts = {"count_include_pad": 1} if counted and method == "average" else {}
            return {"max": "MaxPool", "average": "AveragePool"}[method], {
                **_window(layer.window),
                **counts,
            }
        case FcSpec():
            return "Gemm", {"transB": 1}
        case PadSpec(mode=mode):
            return "Pad", {"mode": mode}
        case ConcatSpec():
            return "Concat", {"axis": 1}
        case UpsampleSpec(mode=mode):
            where = {"nearest": "asymmetric", "linear": "half_pixel"}[mode]
            rounded = {"nearest_mode": "floor"} if mode == "nearest" else {}
            return "Resize", {"mode": mode, **rounded, "coordinate_transformation_mode": where}
        case LrnSpec(size=size, alpha=alpha, beta=beta, bias=bias):
            return "LRN", {"size": size, "alpha": alpha, "beta": beta, "bias": bias}
        case _:
            return _function(layer)


def _function(
    layer: SoftmaxSpec
    | PReluSpec
    | ShiftSpec
    | SliceSpec
    | ShuffleSpec
    | DepthToSpaceSpec
    | LeakyReluSpec
    | ActivationSpec
    | ReluSpec
    | ClipSpec
    | JoinSpec
    | FlattenSpec,
) -> tuple[str, dict[str, Any]]:
    match layer:
        case SoftmaxSpec():
            return "Softmax", {"axis": 1}
        case DepthToSpaceSpec(block=block):
            return "DepthToSpace", {"blocksize": block, "mode": "DCR"}
        case LeakyReluSpec(slope=slope):
            return "LeakyRelu", {"alpha": slope}
        case ActivationSpec(type="hard-sigmoid"):
            return "HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}
        case PReluSpec() | ShuffleSpec():
            return {"prelu": "PRelu", "shuffle": "Reshape"}[layer.type], {}
        case _:
            names = {"hard-swish": "HardSwish", "shift": "Add"}
            return names.get(layer.type, layer.type.capitalize()), {}


def _window(window: Window) -> dict[str, Any]:
    """Settings at ONNX's default are left out. A pad below zero follows from rounding down."""
    top, left, bottom, right = window.pads
    settings = {"kernel_shape": [*window.kernel], "strides": [*window.stride]}
    pads = [top, left, max(bottom, 0), max(right, 0)]
    if any(pads):
        settings["pads"] = pads
    if window.dilation != (1, 1):
        settings["dilations"] = [*window.dilation]
    return settings
