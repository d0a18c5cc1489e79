"""Writes a network, its weights, its input and the golden output in a stack's own format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from buildmatrix import reference
from buildmatrix.errors import UsageError
from buildmatrix.network import (
    INPUT,
    ConvSpec,
    FcSpec,
    Layer,
    NetworkSpec,
    PoolSpec,
    ReluSpec,
    SoftmaxSpec,
    input_shape,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from google.protobuf.message import Message

    from buildmatrix.reference import Parameters

INPUT_FILE = "input.f32"  # one image, little-endian float32; the harness replicates it
EXPECTED_FILE = "expected.f64"  # golden output of that image, little-endian float64

# The part of Caffe's schema that a chain of layers needs, numbered as upstream numbers it:
# BVLC/caffe, src/caffe/proto/caffe.proto at 99bd997 (proto2). '*' is repeated, '**' packed.
CAFFE_SCHEMA = {
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
    "ConvolutionParameter": {"num_output": (1, "uint32"), "kernel_size": (4, "uint32*")},
    "InnerProductParameter": {"num_output": (1, "uint32")},
    "PoolingParameter": {
        "pool": (1, "PoolMethod"),
        "kernel_size": (2, "uint32"),
        "stride": (3, "uint32"),
    },
    "InputParameter": {"shape": (1, "BlobShape*")},
}


def export(net: NetworkSpec, *, format: str, destination: Path) -> tuple[str, ...]:
    """Write the model as `format` into the folder `destination`; the names of the files written.

    The same network gives the same bytes. Raises UsageError for a format that is not in FORMATS,
    and InputError for a network whose sizes do not fit.
    """
    if format not in FORMATS:
        raise UsageError(
            f"no model format '{format}'", hint=f"use one of: {', '.join(sorted(FORMATS))}"
        )
    parameters = reference.weights(net)
    image = reference.image(net)
    expected = reference.forward(net, parameters, image)
    files = {
        **FORMATS[format](net, parameters),
        INPUT_FILE: image.astype("<f4").tobytes(),
        EXPECTED_FILE: expected.astype("<f8").tobytes(),
    }
    destination.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (destination / name).write_bytes(content)
    return tuple(files)


def _caffe(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    """Topology as text, weights as a binary NetParameter. The runner reshapes to its batch."""
    network = caffe_messages()["NetParameter"]
    layers = _caffe_layers(net)
    blobs = {p.layer: [_blob(p.weight), _blob(p.bias)] for p in parameters}
    trained = [{**layer, "blobs": blobs.get(layer["name"], [])} for layer in layers]
    return {
        "net.prototxt": text_format.MessageToString(network(name=net.name, layer=layers)).encode(),
        "net.caffemodel": network(name=net.name, layer=trained).SerializeToString(),
    }


def _blob(values: reference.F32) -> dict[str, Any]:
    return {"shape": {"dim": values.shape}, "data": values.ravel().tolist()}


def _caffe_layers(net: NetworkSpec) -> list[dict[str, Any]]:
    shape = {"dim": [1, *input_shape(net)]}
    layers: list[dict[str, Any]] = [
        {"name": INPUT, "type": "Input", "top": [INPUT], "input_param": {"shape": [shape]}}
    ]
    bottom = INPUT
    for layer in net.layers:
        # ReLU works in place, as in every published Caffe model; only the input must survive.
        top = bottom if isinstance(layer, ReluSpec) and bottom != INPUT else layer.name
        layers.append({"name": layer.name, "bottom": [bottom], "top": [top], **_caffe_kind(layer)})
        bottom = top
    return layers


def _caffe_kind(layer: Layer) -> dict[str, Any]:
    match layer:
        case ConvSpec(outputs=outputs, kernel=kernel):
            settings = {"num_output": outputs, "kernel_size": [kernel]}
            return {"type": "Convolution", "convolution_param": settings}
        case PoolSpec(method=method, kernel=kernel, stride=stride):
            settings = {"pool": method.upper(), "kernel_size": kernel, "stride": stride}
            return {"type": "Pooling", "pooling_param": settings}
        case FcSpec(outputs=outputs):
            return {"type": "InnerProduct", "inner_product_param": {"num_output": outputs}}
        case ReluSpec():
            return {"type": "ReLU"}
        case SoftmaxSpec():
            return {"type": "Softmax"}


def caffe_messages() -> dict[str, Callable[..., Message]]:
    """Message classes of CAFFE_SCHEMA, in a pool of their own."""
    file = FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    for name, fields in CAFFE_SCHEMA.items():
        described = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            described.field.append(_field(field, number, kind))
        if name == "PoolingParameter":
            described.enum_type.add(name="PoolMethod").value.add(name="MAX", number=0)
    pool = DescriptorPool()
    pool.Add(file)
    return {
        name: GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}")) for name in CAFFE_SCHEMA
    }


def _field(name: str, number: int, kind: str) -> FieldDescriptorProto:
    base = kind.rstrip("*")
    field = FieldDescriptorProto(name=name, number=number)
    field.label = field.LABEL_OPTIONAL if kind == base else field.LABEL_REPEATED
    if base in {"string", "float", "int64", "uint32"}:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{base.upper()}")
    else:
        field.type_name = base  # a message or an enumeration: the pool finds out which
    if kind.endswith("**"):
        field.options.packed = True
    return field


FORMATS: Mapping[str, Callable[[NetworkSpec, tuple[Parameters, ...]], Mapping[str, bytes]]] = {
    "caffe": _caffe,
}
