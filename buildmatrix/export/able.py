"""What each format can say: the first layer of a network that one cannot, in words. Pure.

Asked before anything is built, so that a cell whose stack lacks an operator is dropped with the
operator and the node's name. Imports no format's library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.export.layout import same_padding
from buildmatrix.layers import (
    ConvSpec,
    DeconvSpec,
    FcSpec,
    JoinSpec,
    Layer,
    LrnSpec,
    PadSpec,
    PoolSpec,
    ReluSpec,
    Shape,
    SoftmaxSpec,
)
from buildmatrix.network import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from buildmatrix.network import NetworkSpec, Step

CHAIN = (ConvSpec, ReluSpec, PoolSpec, FcSpec, SoftmaxSpec)


def check(net: NetworkSpec, format: str) -> None:
    """Raises InputError when the format cannot say all of the network."""
    path = steps(net)
    if words := _unsaid(path, format):
        hint = "take a stack with another format, or write the network without it"
        raise InputError(words, where=net.name, hint=hint)
    if words := _reordered(path, format):
        hint = "end the network with a fully connected layer or a pooling over all of it"
        raise InputError(words, where=net.name, hint=hint)


def gap(net: NetworkSpec, format: str) -> str:
    """What the format cannot say of the network, and at which layer; empty when it can say all."""
    path = steps(net)
    return _unsaid(path, format) or _reordered(path, format)


def _unsaid(path: Sequence[Step], format: str) -> str:
    rule, last = RULES[format], ""
    for step in path:
        chained = step.reads == (last,) or not last
        words = rule(step) or ("branches" if rule is _chain and not chained else "")
        if words:
            node = f" ({step.layer.node})" if step.layer.node else ""
            return f"the format {format} has no {words}: layer {step.layer.name}{node}"
        last = step.layer.name
    return ""


def _reordered(path: Sequence[Step], format: str) -> str:
    size = path[-1].after
    if format in LAST_CHANNELS and size != Shape(size.channels, 1, 1):
        return f"the output is {size}: the format {format} gives it in another order"
    return ""


def _any(_step: Step) -> str:
    return ""


def _chain(step: Step) -> str:
    """Layers one after the other, square windows, the same zeros on all sides."""
    layer: Layer = step.layer
    if not isinstance(layer, CHAIN):
        return layer.type
    if isinstance(layer, ConvSpec | PoolSpec) and not layer.window.plain:
        return "windows or pads that differ between sides"
    if isinstance(layer, ConvSpec) and layer.window.dilation != (1, 1):
        return "dilation"
    if isinstance(layer, PoolSpec) and any(layer.window.pads):
        return "padding of a pooling"
    return _grouped(step)


def _grouped(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, ConvSpec) and layer.groups not in (1, step.before.channels):
        return f"convolution of {layer.groups} groups over {step.before.channels} channels"
    return ""


def _lite(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, PoolSpec) and layer.method == "average":
        padded = any(side > 0 for side in layer.window.pads)
        own = layer.counts_pad or same_padding(layer)  # its own 'SAME' counts what is there alone
        return "" if own or not padded else "average that leaves out what was padded"
    if isinstance(layer, DeconvSpec):
        return "deconv of a batch of any size"  # TRANSPOSE_CONV is told the batch in the file
    if isinstance(layer, PadSpec) and layer.mode == "edge":
        return "pad of what is at the edge"
    if isinstance(layer, LrnSpec) and layer.size % 2 == 0:
        return f"lrn over {layer.size} channels, an even number"
    return ""


def _ncnn(step: Step) -> str:
    layer = step.layer
    if isinstance(layer, LrnSpec) and layer.size % 2 == 0:
        return f"lrn over {layer.size} channels, an even number"
    if isinstance(layer, JoinSpec) and step.befores[0] != step.befores[1]:
        return _pixel(step)
    return ""


def _pixel(step: Step) -> str:
    """ncnn's BinaryOp stretches its second input, of one pixel, over the first."""
    return "" if step.befores[0] == step.after else f"{step.layer.type} whose first input is small"


RULES: Mapping[str, Callable[[Step], str]] = {
    "caffe": _chain,
    "tensorflow": _chain,
    "tflite": _lite,
    "tflite-int8-symmetric": _chain,
    "tflite-int8-asymmetric": _chain,
    "mxnet": _chain,
    "mxnet-as-shipped": _chain,
    "onnx": _any,
    "ncnn": _ncnn,
    "ncnn-int8": _chain,
    "raw": _chain,
}
LAST_CHANNELS = ("tensorflow", "tflite", "tflite-int8-symmetric", "tflite-int8-asymmetric")
