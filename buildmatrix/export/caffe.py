"""Caffe: topology as text, weights as a binary NetParameter. The runner reshapes to its batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import text_format

from buildmatrix.export.messages import messages
from buildmatrix.layers import ConvSpec, FcSpec, Layer, PoolSpec, ReluSpec, SoftmaxSpec
from buildmatrix.network import INPUT, NetworkSpec, input_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.export.messages import Enums, Schema
    from buildmatrix.reference import F32, Parameters

# Numbered as upstream numbers it: BVLC/caffe, src/caffe/proto/caffe.proto at 99bd997 (proto2).
SCHEMA: Schema = {
    "NetParameter": {"name": (1, "string"), "layer": (100, "LayerParameter*")},
    "LayerParameter": {
        "name": (1, "string"),
        "type": (2, "string"),
        "bottom": (3, "string*"),
        "top": (4, "string*"),
        "blobs": (7, "BlobProto*"),
        "convolution_param": (106, "ConvolutionParameter"),
        "inner_product_param": (117, "InnerProductParameter"),
        "pooling_param": (121, "PoolingParameter"),
        "input_param": (143, "InputParameter"),
    },
    "BlobProto": {"data": (5, "float**"), "shape": (7, "BlobShape")},
    "BlobShape": {"dim": (1, "int64**")},
    "ConvolutionParameter": {
        "num_output": (1, "uint32"),
        "pad": (3, "uint32*"),
        "kernel_size": (4, "uint32*"),
        "group": (5, "uint32"),
        "stride": (6, "uint32*"),
    },
    "InnerProductParameter": {"num_output": (1, "uint32")},
    "PoolingParameter": {
        "pool": (1, "PoolMethod"),
        "kernel_size": (2, "uint32"),
        "stride": (3, "uint32"),
    },
    "InputParameter": {"shape": (1, "BlobShape*")},
}
ENUMS: Enums = {"PoolMethod": {"MAX": 0, "AVE": 1}}
METHODS = {"max": "MAX", "average": "AVE"}


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    network = messages("caffe", SCHEMA, ENUMS)["NetParameter"]
    layers = _layers(net)
    blobs = {p.layer: [_blob(p.weight), _blob(p.bias)] for p in parameters}
    trained = [{**layer, "blobs": blobs.get(layer["name"], [])} for layer in layers]
    return {
        "net.prototxt": text_format.MessageToString(network(name=net.name, layer=layers)).encode(),
        "net.caffemodel": network(name=net.name, layer=trained).SerializeToString(),
    }


def _blob(values: F32) -> dict[str, Any]:
    return {"shape": {"dim": values.shape}, "data": values.ravel().tolist()}


def _layers(net: NetworkSpec) -> list[dict[str, Any]]:
    shape = {"dim": [1, *input_shape(net)]}
    layers: list[dict[str, Any]] = [
        {"name": INPUT, "type": "Input", "top": [INPUT], "input_param": {"shape": [shape]}}
    ]
    bottom = INPUT
    for layer in net.layers:
        # ReLU works in place, as in every published Caffe model; only the input must survive.
        top = bottom if isinstance(layer, ReluSpec) and bottom != INPUT else layer.name
        layers.append({"name": layer.name, "bottom": [bottom], "top": [top], **_kind(layer)})
        bottom = top
    return layers


def _kind(layer: Layer) -> dict[str, Any]:
    match layer:
        case ConvSpec():
            return {"type": "Convolution", "convolution_param": _convolution(layer)}
        case PoolSpec(method=method):
            (kernel, _), (stride, _), *_ = layer.window
            settings = {"pool": METHODS[method], "kernel_size": kernel, "stride": stride}
            return {"type": "Pooling", "pooling_param": settings}
        case FcSpec(outputs=outputs):
            return {"type": "InnerProduct", "inner_product_param": {"num_output": outputs}}
        case ReluSpec():
            return {"type": "ReLU"}
        case SoftmaxSpec():
            return {"type": "Softmax"}
        case _:
            raise AssertionError(f"able.check lets no {layer.type} through")


def _convolution(layer: ConvSpec) -> dict[str, Any]:
    """Settings at Caffe's default are left out, as people write them."""
    (kernel, _), (stride, _), (pad, *_), _ = layer.window
    settings: dict[str, Any] = {"num_output": layer.outputs, "kernel_size": [kernel]}
    if pad:
        settings["pad"] = [pad]
    if layer.groups > 1:
        settings["group"] = layer.groups
    if stride > 1:
        settings["stride"] = [stride]
    return settings
