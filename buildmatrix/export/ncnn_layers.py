"""Which layer of ncnn a layer is, and its settings by number. Sources as of `ncnn`."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from buildmatrix.layers import (
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

if TYPE_CHECKING:
    from buildmatrix.layers import Window
    from buildmatrix.network import Step

Settings = dict[int, float | str]  # by number; text is a list of numbers, after how many they are


def kind(step: Step) -> tuple[str, Settings]:
    """Type and settings of the layer that a step is."""
    layer = step.layer
    relu: Settings = {9: 1} if step.relu else {}
    match layer:
        case ConvSpec():
            name, settings = _convolution(step, layer, "Convolution")
            return name, settings | relu
        case DeconvSpec():
            return _convolution(step, layer, "Deconvolution")
        case PoolSpec(method=method, counts_pad=counted):
            return "Pooling", _pooling(layer.window, method, counted=counted)
        case FcSpec():
            weights = prod(step.before) * step.after.channels
            sizes: Settings = {0: step.after.channels, 1: 1, 2: weights}
            return "InnerProduct", sizes | relu
        case PadSpec() | SliceSpec() | UpsampleSpec() | JoinSpec() | ShiftSpec() | ConcatSpec():
            return _formed(layer)
        case ShuffleSpec(groups=groups):
            return "ShuffleChannel", {0: groups}
        case DepthToSpaceSpec(block=block):
            return "PixelShuffle", {0: block, 1: 1}  # 1: groups of channels, not neighbours
        case _:
            return _function(layer, step.after.channels)


def _formed(
    layer: PadSpec | SliceSpec | UpsampleSpec | JoinSpec | ShiftSpec | ConcatSpec,
) -> tuple[str, Settings]:
    """Type and settings of what joins values, or changes their size."""
    match layer:
        case PadSpec(mode=mode, value=value, channels=(before, behind)):
            top, left, bottom, right = layer.sides
            modes = {"constant": 0, "edge": 1, "reflect": 2}
            how: Settings = {0: top, 1: bottom, 2: left, 3: right, 4: modes[mode], 5: value}
            return "Padding", how | ({7: before, 8: behind} if before or behind else {})
        case SliceSpec(first=first, channels=channels):
            return "Crop", {-23309: f"1,{first}", -23310: f"1,{first + channels}", -23311: "1,0"}
        case UpsampleSpec(factor=factor, mode=mode):
            kinds = {"nearest": 1, "linear": 2}
            return "Interp", {0: kinds[mode], 1: float(factor), 2: float(factor)}
        case JoinSpec() | ShiftSpec():
            return "BinaryOp", {0: {"add": 0, "shift": 0, "mul": 2}[layer.type]}
        case ConcatSpec():
            return "Concat", {0: 0}


def _convolution(step: Step, layer: ConvSpec | DeconvSpec, kind: str) -> tuple[str, Settings]:
    """The same settings for both kinds; with groups each is a layer of its own."""
    window = layer.window
    (height, width), (down, along), (rows, columns) = (
        window.kernel,
        window.stride,
        window.dilation,
    )
    top, left, bottom, right = window.pads
    if isinstance(layer, ConvSpec):  # what a last window does not reach is left out by itself
        bottom, right = max(bottom, 0), max(right, 0)
    size = layer.outputs * step.before.channels // layer.groups * height * width
    settings: Settings = {0: layer.outputs, 1: width}
    if columns != 1:
        settings[2] = columns
    settings |= {3: along, 4: left, 5: 1, 6: size}
    # What is not written is as along the width, or as at the left.
    others = {11: (height, width), 12: (rows, columns), 13: (down, along)}
    others |= {14: (top, left), 15: (right, left), 16: (bottom, top)}
    settings |= {number: one for number, (one, other) in others.items() if one != other}
    if layer.groups == 1:
        return kind, settings
    return f"{kind}DepthWise", settings | {7: layer.groups}


def _pooling(window: Window, method: str, *, counted: bool) -> Settings:
    (height, width), (down, along) = window.kernel, window.stride
    top, left, bottom, right = window.pads
    valid = 1  # windows that fit; sizes divide exactly
    settings: Settings = {0: int(method == "average"), 1: width, 2: along}
    if any(window.pads):
        settings |= {3: left, 13: top, 14: max(right, 0), 15: max(bottom, 0)}
        settings |= {6: 1} if counted else {}
    settings[5] = valid
    settings |= {11: height} if height != width else {}
    return settings | ({12: down} if down != along else {})


def _function(
    layer: FlattenSpec
    | LrnSpec
    | SoftmaxSpec
    | ReluSpec
    | LeakyReluSpec
    | PReluSpec
    | ClipSpec
    | ActivationSpec,
    channels: int,
) -> tuple[str, Settings]:
    """Type and settings of a function of each value, or of each pixel."""
    sixth: Settings = {0: 1 / 6, 1: 0.5}
    match layer:
        case FlattenSpec():
            return "Flatten", {}
        case LrnSpec(size=size, alpha=alpha, beta=beta, bias=bias):
            return "LRN", {0: 0, 1: size, 2: alpha, 3: beta, 4: bias}  # 0: across channels
        case SoftmaxSpec():
            return "Softmax", {0: 0, 1: 1}  # axis 0, counted as it is since 2020
        case ReluSpec():
            return "ReLU", {}
        case LeakyReluSpec(slope=slope):
            return "ReLU", {0: slope}
        case PReluSpec():
            return "PReLU", {0: channels}
        case ClipSpec(low=low, high=high):
            return "Clip", {0: low, 1: high}
        case ActivationSpec(type=kind):
            names: dict[str, tuple[str, Settings]] = {
                "sigmoid": ("Sigmoid", {}),
                "tanh": ("TanH", {}),
                "hard-sigmoid": ("HardSigmoid", sixth),
                "hard-swish": ("HardSwish", sixth),
                "gelu": ("GELU", {}),
                "log": ("UnaryOp", {0: 8}),
            }
            return names[kind]
