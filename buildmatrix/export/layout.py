"""Channels-last stacks: the order in which TensorFlow and TensorFlow Lite keep things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.layers import ConvSpec, FcSpec, PoolSpec

if TYPE_CHECKING:
    from buildmatrix.layers import Layer, Shape
    from buildmatrix.network import Step
    from buildmatrix.reference import F32


def same_padding(layer: ConvSpec | PoolSpec) -> bool:
    """Whether the pad is what padding 'SAME' adds. With a stride, that puts the odd row and column
    at the end, where we and the other stacks have as much at the start."""
    top, left, bottom, right = layer.window.pads
    (height, width), fits = layer.window.reach, layer.window.stride == (1, 1)
    sides = top == bottom and left == right and top + left > 0
    return fits and sides and (2 * top, 2 * left) == (height - 1, width - 1)


def hwio(layer: ConvSpec, weight: F32) -> F32:
    """(height, width, inputs, outputs) of Conv2D; of a depthwise convolution (height, width,
    channels, outputs of each), its outputs ordered by channel."""
    if layer.groups == 1:
        return weight.transpose(2, 3, 1, 0)
    return weight.reshape(layer.groups, -1, *weight.shape[2:]).transpose(2, 3, 0, 1)


def ohwi(layer: ConvSpec, weight: F32) -> F32:
    """(outputs, height, width, inputs of a group) of CONV_2D; of DEPTHWISE_CONV_2D (1, height,
    width, outputs)."""
    depthwise = layer.groups > 1 and weight.shape[1] == 1
    return weight.transpose(1, 2, 3, 0) if depthwise else weight.transpose(0, 2, 3, 1)


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
