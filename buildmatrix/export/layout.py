"""Channels-last stacks: the order in which TensorFlow and TensorFlow Lite keep things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.network import ConvSpec, FcSpec, shapes

if TYPE_CHECKING:
    from buildmatrix.network import Layer, NetworkSpec, Shape, Step
    from buildmatrix.reference import F32


def check(net: NetworkSpec) -> None:
    """Raises InputError for an output that has a height and a width: its order would differ."""
    last = shapes(net)[-1]
    if last != (last.channels, 1, 1):
        raise InputError(
            f"the output is {last}: a channels-last stack gives it in another order",
            where=net.name,
            hint="end the network with a fully connected layer or a pooling over all of it",
        )


def same_padding(layer: ConvSpec) -> bool:
    """Whether the pad is what padding 'SAME' adds. With a stride, that puts the odd row and column
    at the end, where we and the other stacks have as much at the start."""
    return layer.stride == 1 and 0 < 2 * layer.pad == layer.kernel - 1


def hwio(layer: ConvSpec, weight: F32) -> F32:
    """(height, width, inputs, outputs) of Conv2D; of a depthwise convolution (height, width,
    channels, outputs of each), its outputs ordered by channel."""
    if layer.groups == 1:
        return weight.transpose(2, 3, 1, 0)
    kernel = layer.kernel
    return weight.reshape(layer.groups, -1, kernel, kernel).transpose(2, 3, 0, 1)


def ohwi(layer: ConvSpec, weight: F32) -> F32:
    """(outputs, height, width, inputs) of CONV_2D; of DEPTHWISE_CONV_2D (1, height, width,
    outputs)."""
    return weight.transpose(0, 2, 3, 1) if layer.groups == 1 else weight.transpose(1, 2, 3, 0)


def channels_last(before: Shape, weight: F32) -> F32:
    """A fully connected layer's (outputs, inputs) for an input that is flattened channels last."""
    return weight.reshape(-1, *before).transpose(0, 2, 3, 1).reshape(len(weight), -1)


def arranged(step: Step, weight: F32, *, lite: bool) -> F32:
    """A layer's weight as TensorFlow (`lite`: TensorFlow Lite) keeps it."""
    layer: Layer = step.layer
    if isinstance(layer, ConvSpec):
        return (ohwi if lite else hwio)(layer, weight)
    assert isinstance(layer, FcSpec)
    flat = channels_last(step.before, weight)
    return flat if lite else flat.T  # MatMul has the inputs first
