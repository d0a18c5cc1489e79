"""Which operators of TensorFlow Lite a layer is, and their options. Sources as of `tflite`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tflite import ActivationFunctionType, MirrorPadMode, Padding

from buildmatrix.export import layout
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
    from buildmatrix.export.flat import Options
    from buildmatrix.layers import Layer, Window
    from buildmatrix.network import Step


def composed(layer: Layer) -> list[tuple[str, str, Options | None, float]]:
    """Operators that together are a layer which TensorFlow Lite has no operator for: (operator,
    what its name ends in, options, its second input)."""
    none = {"FusedActivationFunction": ActivationFunctionType.NONE}
    match layer:
        case ClipSpec(low=low, high=high) if (low, high) != (0, 6):
            return [
                ("MAXIMUM", "/low", ("MaximumMinimumOptions", {}), low),
                ("MINIMUM", "", ("MaximumMinimumOptions", {}), high),
            ]
        case ActivationSpec(type="hard-sigmoid"):
            return [
                ("MUL", "/sixth", ("MulOptions", none), 1 / 6),
                ("ADD", "/half", ("AddOptions", none), 0.5),
                ("MAXIMUM", "/low", ("MaximumMinimumOptions", {}), 0.0),
                ("MINIMUM", "", ("MaximumMinimumOptions", {}), 1.0),
            ]
        case _:
            return []


def kind(step: Step) -> tuple[str, Options | None]:
    """Operator and options of a layer."""
    act = ActivationFunctionType.RELU if step.relu else ActivationFunctionType.NONE
    activation = {"FusedActivationFunction": act}
    match step.layer:
        case ConvSpec() as layer:
            same = Padding.SAME if layout.same_padding(layer) else Padding.VALID
            how = {"Padding": same, **_moves(layer.window), **activation}
            if layer.groups != step.before.channels or layer.groups == 1:
                return "CONV_2D", ("Conv2DOptions", how)
            each = {"DepthMultiplier": layer.outputs // layer.groups}
            return "DEPTHWISE_CONV_2D", ("DepthwiseConv2DOptions", how | each)
        case PoolSpec(method=method) as layer:
            height, width = layer.window.kernel
            own = method == "average" and not layer.counts_pad and layout.same_padding(layer)
            same = Padding.SAME if own else Padding.VALID
            strides = {"Padding": same, **_moves(layer.window)}
            window = {**strides, "FilterWidth": width, "FilterHeight": height}
            code = "MAX_POOL_2D" if method == "max" else "AVERAGE_POOL_2D"
            return code, ("Pool2DOptions", window)
        case FcSpec():
            return "FULLY_CONNECTED", ("FullyConnectedOptions", activation)
        case SliceSpec() | PadSpec() | UpsampleSpec() | DepthToSpaceSpec() as layer:
            return _formed(layer)
        case LrnSpec(size=size, alpha=alpha, beta=beta, bias=bias):
            how = {"Radius": size // 2, "Bias": bias, "Alpha": alpha / size, "Beta": beta}
            return "LOCAL_RESPONSE_NORMALIZATION", ("LocalResponseNormalizationOptions", how)
        case FlattenSpec() | JoinSpec() | ConcatSpec() | ShuffleSpec() | DeconvSpec() as layer:
            raise AssertionError(f"{layer.type} is written elsewhere")
        case _ as layer:
            return _function(layer)


def _formed(layer: SliceSpec | PadSpec | UpsampleSpec | DepthToSpaceSpec) -> tuple[str, Options]:
    """Operator and options of what changes the size of a value."""
    match layer:
        case SliceSpec():
            return "SLICE", ("SliceOptions", {})
        case PadSpec(mode="reflect"):
            return "MIRROR_PAD", ("MirrorPadOptions", {"Mode": MirrorPadMode.REFLECT})
        case PadSpec():
            return "PADV2", ("PadV2Options", {})
        case DepthToSpaceSpec(block=block):
            return "DEPTH_TO_SPACE", ("DepthToSpaceOptions", {"BlockSize": block})
        case UpsampleSpec(mode="linear"):
            return "RESIZE_BILINEAR", ("ResizeBilinearOptions", {"HalfPixelCenters": True})
        case UpsampleSpec():
            return "RESIZE_NEAREST_NEIGHBOR", ("ResizeNearestNeighborOptions", {})


def _function(
    layer: SoftmaxSpec
    | LeakyReluSpec
    | PReluSpec
    | ShiftSpec
    | ReluSpec
    | ClipSpec
    | ActivationSpec,
) -> tuple[str, Options | None]:
    """Operator and options of a function of each value, or of each pixel."""
    match layer:
        case SoftmaxSpec():
            return "SOFTMAX", ("SoftmaxOptions", {"Beta": 1.0})
        case ShiftSpec():
            return "ADD", ("AddOptions", {"FusedActivationFunction": ActivationFunctionType.NONE})
        case LeakyReluSpec(slope=slope):
            return "LEAKY_RELU", ("LeakyReluOptions", {"Alpha": slope})
        case ActivationSpec(type="gelu"):
            return "GELU", ("GeluOptions", {"Approximate": False})
        case ReluSpec() | PReluSpec() | ClipSpec() | ActivationSpec():
            codes = {"clip": "RELU6", "sigmoid": "LOGISTIC", "hard-swish": "HARD_SWISH"}
            return codes.get(layer.type, layer.type.upper()), None


def _moves(window: Window) -> dict[str, int]:
    (down, along), (rows, columns) = window.stride, window.dilation
    moves = {"StrideW": along, "StrideH": down}
    spread = {"DilationWFactor": columns, "DilationHFactor": rows}
    return moves | (spread if (rows, columns) != (1, 1) else {})
