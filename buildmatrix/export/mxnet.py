"""MXNet: the symbol as JSON and the parameters as MXNet's own list of arrays.

Sources: apache/mxnet 1.x, src/ndarray/ndarray.cc (NDArray::Save, version V2; the list's magic), and
nnvm/src/pass/saveload_json.cc of its 3rdparty/tvm (JSON).
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from buildmatrix.layers import ConvSpec, FcSpec, PoolSpec, ReluSpec, SoftmaxSpec
from buildmatrix.network import INPUT, input_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.layers import Layer
    from buildmatrix.network import NetworkSpec
    from buildmatrix.reference import F32, Parameters

VERSION = 10000  # 1.0.0: the oldest MXNet meant to read it; newer ones upgrade on loading
LIST_MAGIC = 0x112
ARRAY_V2 = 0xF993FAC9
DENSE, CPU, FLOAT32 = 0, 1, 0  # kDefaultStorage, Context::kCPU, mshadow::kFloat32


def write(
    net: NetworkSpec, parameters: tuple[Parameters, ...], workspace: str = ""
) -> Mapping[str, bytes]:
    """`workspace`: bound in MB on a convolution's scratch memory; MXNet's own is 1024, as much as
    a Raspberry Pi 3 has. Empty leaves it so."""
    symbol = json.dumps(_symbol(net, workspace), indent=2)
    return {"net-symbol.json": f"{symbol}\n".encode(), "net-0000.params": _arrays(parameters)}


def _symbol(net: NetworkSpec, workspace: str) -> dict[str, Any]:
    shape = ", ".join(str(size) for size in (1, *input_shape(net)))
    data = {**_variable(INPUT), "attrs": {"__shape__": f"({shape})"}}  # as Variable(shape=…) does
    nodes: list[dict[str, Any]] = [data]
    previous = 0
    for layer in net.layers:
        inputs = [previous]
        if isinstance(layer, ConvSpec | FcSpec):
            for kind in ("weight", "bias"):
                inputs.append(len(nodes))
                nodes.append(_variable(f"{layer.name}_{kind}"))
        previous = len(nodes)
        nodes.append(
            {
                "op": _operator(layer),
                "name": layer.name,
                "attr": _attributes(layer, workspace),  # newer ones write 'attrs' and read both
                "inputs": [[node, 0, 0] for node in inputs],
            }
        )
    return {
        "nodes": nodes,
        "arg_nodes": [i for i, node in enumerate(nodes) if node["op"] == "null"],
        "node_row_ptr": list(range(len(nodes) + 1)),  # one output for each node
        "heads": [[previous, 0, 0]],
        "attrs": {"mxnet_version": ["int", VERSION]},
    }


def _variable(name: str) -> dict[str, Any]:
    return {"op": "null", "name": name, "inputs": []}


def _operator(layer: Layer) -> str:
    kinds = {"conv": "Convolution", "pool": "Pooling", "fc": "FullyConnected", "relu": "Activation"}
    return kinds.get(layer.type, layer.type)  # 'softmax' is MXNet's name too


def _attributes(layer: Layer, workspace: str) -> dict[str, str]:
    """Values are strings, tuples written as Python's."""
    match layer:
        case ConvSpec(outputs=outputs, groups=groups):
            (kernel, _), (stride, _), (pad, *_), _ = layer.window
            bound = {"workspace": workspace} if workspace else {}
            return {
                "kernel": f"({kernel}, {kernel})",
                "num_filter": str(outputs),
                "num_group": str(groups),
                "pad": f"({pad}, {pad})",
                "stride": f"({stride}, {stride})",
                **bound,
            }
        case PoolSpec(method=method):
            (kernel, _), (stride, _), *_ = layer.window
            kind = "avg" if method == "average" else method
            sizes = {"kernel": f"({kernel}, {kernel})", "stride": f"({stride}, {stride})"}
            return {**sizes, "pool_type": kind, "pooling_convention": "valid"}
        case FcSpec(outputs=outputs):
            return {"num_hidden": str(outputs)}
        case ReluSpec():
            return {"act_type": "relu"}
        case SoftmaxSpec():
            return {"axis": "1"}
        case _:
            raise AssertionError(f"able.check lets no {layer.type} through")


def _arrays(parameters: tuple[Parameters, ...]) -> bytes:
    arrays = [part for p in parameters for part in (p.weight, p.bias)]
    names = [f"arg:{p.layer}_{kind}" for p in parameters for kind in ("weight", "bias")]
    return b"".join(
        (
            struct.pack("<QQQ", LIST_MAGIC, 0, len(arrays)),
            *(_array(values) for values in arrays),
            struct.pack("<Q", len(names)),
            *(struct.pack("<Q", len(name)) + name.encode() for name in names),
        )
    )


def _array(values: F32) -> bytes:
    shape = struct.pack(f"<I{values.ndim}q", values.ndim, *values.shape)
    context_and_type = struct.pack("<iii", CPU, 0, FLOAT32)
    head = struct.pack("<Ii", ARRAY_V2, DENSE) + shape + context_and_type
    return head + values.astype("<f4").tobytes()
