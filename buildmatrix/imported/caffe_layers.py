"""What a layer of Caffe is in ONNX. Layers and defaults as BVLC/caffe 99bd997, src/caffe."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

from buildmatrix.caffe_schema import ENUMS
from buildmatrix.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from onnx import NodeProto, TensorProto

ENDLESS = 2**62  # an end that no axis reaches
POOLS, SUMS, ROUNDS = ENUMS["PoolMethod"], ENUMS["EltwiseOp"], ENUMS["RoundMode"]


@dataclass
class Net:
    """Nodes so far. `blobs`: what each layer has learnt. `tensors`: which value a blob's name
    stands for now; a layer may work in place, and gives the name another one."""

    where: str
    blobs: Mapping[str, Sequence[Any]]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    tensors: dict[str, str] = field(default_factory=dict)

    def fault(self, brief: str, *, hint: str = "") -> InputError:
        return InputError(brief, where=self.where, hint=hint)

    def lacks(self, layer: Any, what: str) -> InputError:
        return self.fault(f"{what} of layer {layer.type} '{layer.name}' is not read")

    def learnt(self, layer: Any, place: int, *shape: int) -> NDArray[np.float32]:
        """One blob of a layer, in this shape."""
        blobs = self.blobs.get(layer.name, ())
        if len(blobs) <= place:
            raise self.fault(f"the weights of layer '{layer.name}' are not in its caffemodel")
        data = blobs[place].data
        values = np.fromiter(data, np.float32, len(data))
        try:
            return values.reshape(shape or (-1,))
        except ValueError:
            raise self.fault(
                f"layer '{layer.name}' has {values.size} weights, not {shape}"
            ) from None

    def constant(self, layer: Any, what: str, values: Any) -> str:
        name = f"{layer.name}/{what}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, layer: Any, kind: str, *constants: str, top: int = 0, **how: Any) -> None:
        """A node that reads the layer's values and these constants, and makes its blob."""
        inputs = [self.tensors[bottom] for bottom in layer.bottom]
        self.put(layer, kind, [*inputs, *constants], top=top, **how)

    def put(
        self, layer: Any, kind: str, inputs: Sequence[str], *, top: int = 0, **how: Any
    ) -> None:
        made = f"{layer.name}:{len(self.nodes)}"
        name = layer.name if all(node.name != layer.name for node in self.nodes) else made
        self.nodes.append(helper.make_node(kind, inputs, [made], name=name, **how))
        self.tensors[layer.top[top]] = made


def convolution(net: Net, layer: Any) -> None:
    how = layer.convolution_param
    kernel, stride = _sides(how, "kernel", "kernel_size", 0), _sides(how, "stride", "stride", 1)
    pad, dilation = _sides(how, "pad", "pad", 0), _sides(how, "", "dilation", 1)
    groups, outputs = how.group or 1, how.num_output
    turned = layer.type == "Deconvolution"
    shape = (-1, outputs // groups) if turned else (outputs, -1)
    constants = [net.constant(layer, "w", net.learnt(layer, 0, *shape, *kernel))]
    if how.bias_term or not how.HasField("bias_term"):
        constants.append(net.constant(layer, "b", net.learnt(layer, 1)))
    net.add(
        layer,
        "ConvTranspose" if turned else "Conv",
        *constants,
        kernel_shape=kernel,
        strides=stride,
        pads=[*pad, *pad],
        dilations=dilation,
        group=groups,
    )


def pooling(net: Net, layer: Any) -> None:
    how = layer.pooling_param
    if how.pool not in (POOLS["MAX"], POOLS["AVE"]):
        raise net.lacks(layer, "a pooling by chance")
    kind = "MaxPool" if how.pool == POOLS["MAX"] else "AveragePool"
    if how.global_pooling:
        net.add(layer, f"Global{kind}")
        return
    pad = _sides(how, "pad", "pad", 0)
    counted = {"count_include_pad": int(any(pad))} if kind == "AveragePool" else {}
    net.add(
        layer,
        kind,
        kernel_shape=_sides(how, "kernel", "kernel_size", 0),
        strides=_sides(how, "stride", "stride", 1),
        pads=[*pad, *pad],
        ceil_mode=int(how.round_mode == ROUNDS["CEIL"]),
        **counted,
    )


def inner_product(net: Net, layer: Any) -> None:
    how = layer.inner_product_param
    if how.HasField("axis") and how.axis != 1:
        raise net.lacks(layer, f"the axis {how.axis}")
    shape = (-1, how.num_output) if how.transpose else (how.num_output, -1)
    constants = [net.constant(layer, "w", net.learnt(layer, 0, *shape))]
    if how.bias_term or not how.HasField("bias_term"):
        constants.append(net.constant(layer, "b", net.learnt(layer, 1)))
    net.add(layer, "Flatten", axis=1)
    net.nodes[-1].name = f"{layer.name}/flat"
    flat = net.tensors[layer.top[0]]
    net.put(layer, "Gemm", [flat, *constants], transB=int(not how.transpose))


def batch_norm(net: Net, layer: Any) -> None:
    how = layer.batch_norm_param
    mean, variance, (factor,) = (net.learnt(layer, place) for place in range(3))
    scale = np.float32(0 if factor == 0 else 1 / factor)
    _normalized(
        net,
        layer,
        (np.ones_like(mean), np.zeros_like(mean), mean * scale, variance * scale),
        how.eps if how.HasField("eps") else 1e-5,
    )


def scale(net: Net, layer: Any) -> None:
    """Also a Bias: a factor of one. Values that another layer makes are not read here."""
    how = layer.scale_param if layer.type == "Scale" else layer.bias_param
    if len(layer.bottom) != 1 or (how.HasField("axis") and how.axis != 1):
        raise net.lacks(layer, "an axis but the channels, or a second input,")
    first = net.learnt(layer, 0)
    ones, zeros = np.ones_like(first), np.zeros_like(first)
    if layer.type == "Bias":
        factor, added = ones, first
    else:
        factor, added = first, net.learnt(layer, 1) if how.bias_term else zeros
    _normalized(net, layer, (factor, added, zeros, ones), 0.0)


def _normalized(net: Net, layer: Any, values: Sequence[Any], epsilon: float) -> None:
    names = [net.constant(layer, str(place), value) for place, value in enumerate(values)]
    net.add(layer, "BatchNormalization", *names, epsilon=epsilon)


def relu(net: Net, layer: Any) -> None:
    slope = layer.relu_param.negative_slope
    if slope:
        net.add(layer, "LeakyRelu", alpha=slope)
    else:
        net.add(layer, "Relu")


def prelu(net: Net, layer: Any) -> None:
    net.add(layer, "PRelu", net.constant(layer, "w", net.learnt(layer, 0, -1, 1, 1)))


def lrn(net: Net, layer: Any) -> None:
    how = layer.lrn_param
    if how.norm_region:
        raise net.lacks(layer, "a normalization within channels")
    sizes = {
        "size": ("local_size", 5),
        "alpha": ("alpha", 1),
        "beta": ("beta", 0.75),
        "bias": ("k", 1),
    }
    written: dict[str, Any] = {
        name: getattr(how, ours) if how.HasField(ours) else default
        for name, (ours, default) in sizes.items()
    }
    net.add(layer, "LRN", **written)


def softmax(net: Net, layer: Any) -> None:
    how = layer.softmax_param
    if how.HasField("axis") and how.axis != 1:
        raise net.lacks(layer, f"the axis {how.axis}")
    net.add(layer, "Softmax", axis=1)


def concat(net: Net, layer: Any) -> None:
    how = layer.concat_param
    if how.HasField("axis") and how.axis != 1:
        raise net.lacks(layer, f"the axis {how.axis}")
    net.add(layer, "Concat", axis=1)


def eltwise(net: Net, layer: Any) -> None:
    how = layer.eltwise_param
    operation = how.operation if how.HasField("operation") else SUMS["SUM"]
    if any(one != 1 for one in how.coeff):
        raise net.lacks(layer, "a sum with factors")
    net.add(layer, "Sum" if operation == SUMS["SUM"] else "Mul")


def power(net: Net, layer: Any) -> None:
    how = layer.power_param
    if how.HasField("power") and how.power != 1:
        raise net.lacks(layer, f"the power {how.power:g}")
    factor = how.scale if how.HasField("scale") else 1.0
    net.add(layer, "Mul", net.constant(layer, "scale", np.float32(factor)))
    line = net.tensors[layer.top[0]]
    net.put(layer, "Add", [line, net.constant(layer, "shift", np.float32(how.shift))])


def clip(net: Net, layer: Any) -> None:
    how = layer.clip_param
    low = net.constant(layer, "low", np.float32(how.min))
    net.add(layer, "Clip", low, net.constant(layer, "high", np.float32(how.max)))


def cut(net: Net, layer: Any) -> None:
    how = layer.slice_param
    if (how.HasField("axis") and how.axis != 1) or len(how.slice_point) != len(layer.top) - 1:
        raise net.lacks(layer, "an axis but the channels, or parts without points,")
    ends = [0, *how.slice_point, ENDLESS]
    for top, (start, end) in enumerate(pairwise(ends)):
        words = {"start": start, "end": end, "axis": 1}
        names = [net.constant(layer, f"{word}{top}", [words[word]]) for word in words]
        net.add(layer, "Slice", *names, top=top)


def reshape(net: Net, layer: Any) -> None:
    sizes = np.array(layer.reshape_param.shape.dim, np.int64)
    net.add(layer, "Reshape", net.constant(layer, "shape", sizes))


def _plain(kind: str, **how: Any) -> Callable[[Net, Any], None]:
    def one(net: Net, layer: Any) -> None:
        net.add(layer, kind, **how)

    return one


def _sides(how: Any, side: str, square: str, default: int) -> list[int]:
    """Height and width of a setting, in any of the ways in which a net writes them."""
    fields = type(how).DESCRIPTOR.fields_by_name
    if f"{side}_h" in fields and (how.HasField(f"{side}_h") or how.HasField(f"{side}_w")):
        return [getattr(how, f"{side}_h"), getattr(how, f"{side}_w")]
    written = getattr(how, square)
    if isinstance(written, int):
        return [written if how.HasField(square) else default] * 2
    sizes = [*written] or [default]
    return [sizes[0], sizes[-1]]


LAYERS: Mapping[str, Callable[[Net, Any], None]] = {
    "Convolution": convolution,
    "Deconvolution": convolution,
    "Pooling": pooling,
    "InnerProduct": inner_product,
    "BatchNorm": batch_norm,
    "Scale": scale,
    "Bias": scale,
    "ReLU": relu,
    "PReLU": prelu,
    "Sigmoid": _plain("Sigmoid"),
    "TanH": _plain("Tanh"),
    "Clip": clip,
    "Power": power,
    "LRN": lrn,
    "Softmax": softmax,
    "Concat": concat,
    "Eltwise": eltwise,
    "Slice": cut,
    "Flatten": _plain("Flatten", axis=1),
    "Reshape": reshape,
}
