"""Caffe: topology as text, weights as a binary NetParameter. The runner reshapes to its batch.

ReLU works in place where nobody else reads its input, as in every published Caffe model. What Caffe
has no layer for is put together of those that it has. Layers and defaults as BVLC/caffe 99bd997.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from google.protobuf import text_format

from buildmatrix.caffe_schema import ENUMS, SCHEMA
from buildmatrix.export.rules import rounded
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
    PoolSpec,
    PReluSpec,
    ReluSpec,
    SliceSpec,
    SoftmaxSpec,
)
from buildmatrix.messages import messages
from buildmatrix.network import INPUT, NetworkSpec, input_shape, steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.layers import Layer
    from buildmatrix.network import Step
    from buildmatrix.reference import F32, Parameters

METHODS = {"max": "MAX", "average": "AVE"}
# Layers whose input has a height and a width.
IMAGES = (ConvSpec, DeconvSpec, PoolSpec, LrnSpec)
Settings = dict[str, Any]


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    network = messages("caffe", SCHEMA, ENUMS)["NetParameter"]
    layers = _layers(net)
    blobs = {
        p.layer: [_blob(values) for values in (p.weight, p.bias) if values.size] for p in parameters
    }
    trained = [{**layer, "blobs": blobs.get(layer["name"], [])} for layer in layers]
    return {
        "net.prototxt": text_format.MessageToString(network(name=net.name, layer=layers)).encode(),
        "net.caffemodel": network(name=net.name, layer=trained).SerializeToString(),
    }


def _blob(values: F32) -> Settings:
    return {"shape": {"dim": values.shape}, "data": values.ravel().tolist()}


def _layers(net: NetworkSpec) -> list[Settings]:
    writer = _Writer(net)
    for step in steps(net):
        writer.layer(step)
    return writer.layers


class _Writer:
    """Adds layer after layer. `tops`: the blob that holds each value. `flat`: blobs that have lost
    their height and width."""

    def __init__(self, net: NetworkSpec) -> None:
        shape = {"dim": [1, *input_shape(net)]}
        self.layers: list[Settings] = [
            {"name": INPUT, "type": "Input", "top": [INPUT], "input_param": {"shape": [shape]}}
        ]
        self.tops = {INPUT: INPUT}
        self.flat: set[str] = set()
        self.shared = {INPUT}  # blobs that others hold too; the harness sets the input only once
        self.readers = Counter(name for step in steps(net) for name in step.reads)

    def add(
        self, name: str, kind: str, bottoms: Sequence[str], top: str = "", **settings: Any
    ) -> str:
        """A layer, which is named after its blob unless that is another's; the blob."""
        top = top or name
        self.layers.append(
            {"name": name, "type": kind, "bottom": [*bottoms], "top": [top], **settings}
        )
        return top

    def layer(self, step: Step) -> None:
        layer, name = step.layer, step.layer.name
        flat = step.is_flat(IMAGES, [self.tops[one] in self.flat for one in step.reads])
        bottoms = [self._as(one, step, flat=flat) for one in step.reads]
        match layer:
            case ReluSpec():
                alone = self.readers[step.reads[0]] == 1 and bottoms[0] not in self.shared
                top = self.add(name, "ReLU", bottoms, bottoms[0] if alone else name)
            case ActivationSpec(type="hard-sigmoid" | "hard-swish"):
                top = self._hard(layer, bottoms[0])
            case SliceSpec():
                top = self._slice(layer, step.before.channels, bottoms[0])
            case JoinSpec():
                top = self._join(step, layer, bottoms)
            case _:
                kind, settings = _kind(step)
                top = self.add(name, kind, bottoms, **settings)
        self.tops[name] = top
        if isinstance(layer, FlattenSpec):
            self.shared.add(top)
        if flat:
            self.flat.add(top)

    def _as(self, value: str, step: Step, *, flat: bool) -> str:
        """The blob of a value, with or without a height and a width, as its reader wants it."""
        blob, reader = self.tops[value], step.layer
        if (blob in self.flat) == flat or isinstance(reader, FcSpec | FlattenSpec):
            return blob
        made = f"{reader.name}/{step.reads.index(value)}"
        self.shared.add(made)
        if flat:
            return self.add(made, "Flatten", [blob])
        shape = step.befores[step.reads.index(value)]
        sizes = {"shape": {"dim": [0, *shape]}}  # 0: as many as there are
        return self.add(made, "Reshape", [blob], reshape_param=sizes)

    def _hard(self, layer: ActivationSpec, bottom: str) -> str:
        """min(max(x / 6 + 1/2, 0), 1), and for a hard swish x times that."""
        swish = layer.type == "hard-swish"
        gate = f"{layer.name}/gate" if swish else layer.name
        sixth = {"scale": 1 / 6, "shift": 0.5}
        line = self.add(f"{layer.name}/sixth", "Power", [bottom], power_param=sixth)
        self.add(gate, "Clip", [line], clip_param={"min": 0.0, "max": 1.0})
        if not swish:
            return gate
        return self.add(layer.name, "Eltwise", [bottom, gate], eltwise_param={"operation": "PROD"})

    def _slice(self, layer: SliceSpec, channels: int, bottom: str) -> str:
        """A Slice gives all parts: what nobody reads would be an output of the net."""
        points = [p for p in (layer.first, layer.first + layer.channels) if 0 < p < channels]
        names = [f"{layer.name}/{place}" for place in range(len(points) + 1)]
        names[1 if layer.first else 0] = layer.name
        self.add(f"{layer.name}/parts", "Slice", [bottom], slice_param={"slice_point": points})
        self.layers[-1]["top"] = names
        rest = [name for name in names if name != layer.name]
        if rest:
            silent = {"name": f"{layer.name}/rest", "type": "Silence", "bottom": rest}
            self.layers.append(silent)
        return layer.name

    def _join(self, step: Step, layer: JoinSpec, bottoms: list[str]) -> str:
        if step.befores[0] == step.befores[1]:
            operation = {"add": "SUM", "mul": "PROD"}[layer.type]
            return self.add(layer.name, "Eltwise", bottoms, eltwise_param={"operation": operation})
        if step.befores[0] != step.after:
            bottoms = bottoms[::-1]
        large, small = bottoms
        column = self.add(f"{layer.name}/column", "Flatten", [small])
        kind = {"add": "Bias", "mul": "Scale"}[layer.type]
        settings: Settings = {f"{kind.lower()}_param": {"axis": 0}}
        return self.add(layer.name, kind, [large, column], **settings)


def _kind(step: Step) -> tuple[str, Settings]:
    """Type and settings of a layer that Caffe has too. Settings at their default are left out."""
    layer = step.layer
    match layer:
        case ConvSpec() | DeconvSpec():
            kind = "Convolution" if isinstance(layer, ConvSpec) else "Deconvolution"
            return kind, {"convolution_param": _convolution(layer)}
        case PoolSpec():
            return "Pooling", {"pooling_param": _pooling(step, layer)}
        case FcSpec(outputs=outputs):
            return "InnerProduct", {"inner_product_param": {"num_output": outputs}}
        case LrnSpec(size=size, alpha=alpha, beta=beta, bias=bias):
            how = {"local_size": size, "alpha": alpha, "beta": beta, "k": bias}
            return "LRN", {"lrn_param": how}
        case ConcatSpec():
            return "Concat", {"concat_param": {"axis": 1}}
        case _:
            return _function(layer)


def _function(layer: Layer) -> tuple[str, Settings]:
    """Type and settings of a function of each value."""
    match layer:
        case LeakyReluSpec(slope=slope):
            return "ReLU", {"relu_param": {"negative_slope": slope}}
        case ClipSpec(low=low, high=high):
            return "Clip", {"clip_param": {"min": low, "max": high}}
        case SoftmaxSpec() | FlattenSpec() | PReluSpec() | ActivationSpec():
            names = {"prelu": "PReLU", "tanh": "TanH"}
            return names.get(layer.type, layer.type.capitalize()), {}
        case _:
            raise AssertionError(f"able.check lets no {layer.type} through")


def _convolution(layer: ConvSpec | DeconvSpec) -> Settings:
    """Settings at Caffe's default are left out, as people write them."""
    kernel, stride, (top, left, *_), dilation = layer.window
    settings: Settings = {"num_output": layer.outputs, "kernel_size": _sides(*kernel)}
    if top or left:
        settings["pad"] = _sides(top, left)
    if layer.groups > 1:
        settings["group"] = layer.groups
    if stride != (1, 1):
        settings["stride"] = _sides(*stride)
    if dilation != (1, 1):
        settings["dilation"] = _sides(*dilation)
    return settings


def _sides(height: int, width: int) -> list[int]:
    return [height] if height == width else [height, width]


def _pooling(step: Step, layer: PoolSpec) -> Settings:
    kernel, stride, (top, left, *_), _ = layer.window
    settings: Settings = {
        "pool": METHODS[layer.method],
        **_named(kernel, "kernel_size", "kernel"),
        **_named(stride, "stride", "stride"),
    }
    if top or left:
        settings |= _named((top, left), "pad", "pad")
    if rounded(step) == "FLOOR":
        settings["round_mode"] = "FLOOR"
    return settings


def _named(sizes: tuple[int, int], square: str, side: str) -> Settings:
    height, width = sizes
    return {square: height} if height == width else {f"{side}_h": height, f"{side}_w": width}
