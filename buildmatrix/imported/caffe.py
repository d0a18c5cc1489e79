"""A Caffe net, `net.prototxt` with `net.caffemodel` beside it, as an ONNX model of the same layers.

What is read of it from then on is what is read of any ONNX file, and onnxruntime answers for it as
well. Layers and their defaults as BVLC/caffe 99bd997.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from buildmatrix.caffe_schema import ENUMS, SCHEMA
from buildmatrix.errors import InputError
from buildmatrix.imported.caffe_layers import LAYERS, Net
from buildmatrix.messages import messages

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

ENDING = ".prototxt"
WEIGHTS = ".caffemodel"
OPSET = 17
TRAIN = ENUMS["Phase"]["TRAIN"]
IGNORED = ("Dropout", "Split")  # of one value: it stays what it is
NOTHING = ("Input", "Silence")  # layers that compute nothing


def loaded(path: Path) -> tuple[ModelProto, tuple[str, ...]]:
    """The model, and the name of the file beside `path` that holds its weights.

    Raises InputError for what is no net, for a layer that is not read, and for missing weights.
    """
    network = messages("caffe", SCHEMA, ENUMS)["NetParameter"]
    weights = path.with_suffix(WEIGHTS)
    net: Any = network()
    learnt: Any = network()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), net)
        learnt.ParseFromString(weights.read_bytes())
    except (text_format.ParseError, UnicodeDecodeError) as fault:
        if isinstance(fault, text_format.ParseError):
            _check_layers(path)
        raise InputError(
            f"this is no net that is read: {fault}",
            where=str(path),
            hint="bring an old net up to date with Caffe's own upgrade_net_proto_text",
        ) from None
    except DecodeError:
        raise InputError("this is no caffemodel, or a part of one", where=str(weights)) from None
    except OSError as fault:
        where = str(fault.filename or path)
        hint = f"put both beside model.yaml: {path.name} and {weights.name}"
        raise InputError(f"it cannot be read: {fault.strerror}", where=where, hint=hint) from None
    return _model(net, Net(str(path), {one.name: one.blobs for one in learnt.layer})), (
        weights.name,
    )


def _check_layers(path: Path) -> None:
    """Names the first layer that is not read, of a net with fields that are not known: they are
    mostly that layer's. Raises InputError for it."""
    net: Any = messages("caffe", SCHEMA, ENUMS)["NetParameter"]()
    with suppress(text_format.ParseError):
        text_format.Parse(path.read_text(encoding="utf-8"), net, allow_unknown_field=True)
    made = Net(str(path), {})
    for layer in net.layer:
        if layer.type not in (*LAYERS, *IGNORED, *NOTHING) and not _only_trained(layer):
            raise _not_read(made, layer)


def _not_read(made: Net, layer: Any) -> InputError:
    return made.fault(
        f"the layer {layer.type} '{layer.name}' is not read",
        hint=f"what is read: {', '.join(sorted((*LAYERS, *IGNORED)))}",
    )


def _model(net: Any, made: Net) -> ModelProto:
    name, dims = _entry(net, made)
    made.tensors[name] = name
    read: set[str] = set()
    for layer in net.layer:
        if layer.type == "Input" or _only_trained(layer):
            continue
        read |= {made.tensors.get(bottom, bottom) for bottom in layer.bottom}
        if layer.type in IGNORED:
            made.tensors |= dict.fromkeys(layer.top, made.tensors[layer.bottom[0]])
        elif layer.type not in NOTHING:
            _add(layer, made)
    read |= {one for node in made.nodes for one in node.input}
    leaving = [one for node in made.nodes for one in node.output if one not in read]
    entry = helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
    ends = [helper.make_tensor_value_info(one, TensorProto.FLOAT, None) for one in leaving]
    graph = helper.make_graph(made.nodes, net.name or "net", [entry], ends, made.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])


def _add(layer: Any, made: Net) -> None:
    if layer.type not in LAYERS:
        raise _not_read(made, layer)
    unknown = [bottom for bottom in layer.bottom if bottom not in made.tensors]
    if unknown or not layer.bottom:
        raise made.fault(f"the layer '{layer.name}' reads {unknown or 'nothing'}, made by no layer")
    LAYERS[layer.type](made, layer)


def _only_trained(layer: Any) -> bool:
    phases = [rule.phase for rule in layer.include if rule.HasField("phase")]
    return bool(phases) and set(phases) == {TRAIN}


def _entry(net: Any, made: Net) -> tuple[str, list[int]]:
    """Name and sizes of the one input, in any of the three ways in which a net says them."""
    layers = [layer for layer in net.layer if layer.type == "Input"]
    names = [*net.input, *(top for layer in layers for top in layer.top)]
    shapes = [[*one.dim] for one in net.input_shape]
    shapes += [[*one.dim] for layer in layers for one in layer.input_param.shape]
    shapes += [[*net.input_dim]] if net.input_dim else []
    if len(names) != 1 or len(shapes) != 1:
        raise made.fault(
            f"it has {len(names)} inputs with {len(shapes)} sizes, and one is read",
            hint="take the net that is deployed, not the one that is trained",
        )
    return names[0], [1, *shapes[0][1:]]
