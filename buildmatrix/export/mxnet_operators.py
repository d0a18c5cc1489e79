"""Which operator of MXNet a layer is, and its attributes.

Sources: apache/mxnet 1.x, the parameter structures in src/operator and src/operator/nn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    DeconvSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    LeakyReluSpec,
    LrnSpec,
    PadSpec,
    PoolSpec,
    PReluSpec,
    ReluSpec,
    SliceSpec,
    SoftmaxSpec,
    UpsampleSpec,
)

if TYPE_CHECKING:
    from buildmatrix.layers import Layer
    from buildmatrix.network import Step

Attributes = dict[str, Any]


def convolution(layer: ConvSpec, pad: tuple[int, int], workspace: str) -> Attributes:
    """`workspace`: bound in MB on scratch memory, or nothing."""
    spread = {"dilate": layer.window.dilation} if layer.window.dilation != (1, 1) else {}
    bound = {"workspace": workspace} if workspace else {}
    return {
        "kernel": layer.window.kernel,
        "num_filter": layer.outputs,
        "num_group": layer.groups,
        "pad": pad,
        "stride": layer.window.stride,
        **spread,
        **bound,
    }


def pooling(layer: PoolSpec, pad: tuple[int, int]) -> Attributes:
    """Rounded down. What is not counted of the pad is said where there is any."""
    kind = "avg" if layer.method == "average" else layer.method
    attributes: Attributes = {
        "kernel": layer.window.kernel,
        "stride": layer.window.stride,
        "pool_type": kind,
    }
    if any(pad):
        attributes["pad"] = pad
        if kind == "avg" and not layer.counts_pad:
            attributes["count_include_pad"] = False
    return {**attributes, "pooling_convention": "valid"}


def operation(step: Step) -> tuple[str, Attributes]:
    """Operator and attributes of a layer that is one operator, and neither of the two above."""
    layer = step.layer
    match layer:
        case DeconvSpec():
            return "Deconvolution", _deconvolution(layer)
        case FcSpec(outputs=outputs):
            return "FullyConnected", {"num_hidden": outputs}
        case JoinSpec():
            same = step.befores[0] == step.befores[1]
            return f"{'elemwise' if same else 'broadcast'}_{layer.type}", {}
        case ConcatSpec():
            return "Concat", {"dim": 1, "num_args": len(step.reads)}
        case SliceSpec(first=first, channels=channels):
            return "slice_axis", {"axis": 1, "begin": first, "end": first + channels}
        case UpsampleSpec(factor=factor):
            return "UpSampling", {"scale": factor, "sample_type": "nearest", "num_args": 1}
        case PadSpec(mode=mode, value=value):
            top, left, bottom, right = layer.sides
            sides = (0, 0, 0, 0, top, bottom, left, right)
            return "Pad", {"mode": mode, "pad_width": sides, "constant_value": value}
        case _:
            return _function(layer)


def _deconvolution(layer: DeconvSpec) -> Attributes:
    top, left, bottom, right = layer.window.pads
    return {
        "kernel": layer.window.kernel,
        "num_filter": layer.outputs,
        "num_group": layer.groups,
        "pad": (top, left),
        "adj": (top - bottom, left - right),
        "stride": layer.window.stride,
        "no_bias": False,
    }


def _function(layer: Layer) -> tuple[str, Attributes]:
    """Operator and attributes of a function of each value, or of each pixel."""
    match layer:
        case ReluSpec() | ActivationSpec():
            return "Activation", {"act_type": layer.type}
        case LeakyReluSpec(slope=slope):
            return "LeakyReLU", {"act_type": "leaky", "slope": slope}
        case PReluSpec():
            return "LeakyReLU", {"act_type": "prelu"}
        case ClipSpec(low=low, high=high):
            return "clip", {"a_min": low, "a_max": high}
        case LrnSpec(size=size, alpha=alpha, beta=beta, bias=bias):
            return "LRN", {"alpha": alpha, "beta": beta, "knorm": bias, "nsize": size}
        case FlattenSpec():
            return "Flatten", {}
        case SoftmaxSpec():
            return "softmax", {"axis": 1}
        case _:
            raise AssertionError(f"able.check lets no {layer.type} through")
