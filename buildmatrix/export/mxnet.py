"""MXNet: the symbol as JSON and the parameters as MXNet's own list of arrays.

What it has no operator for is put together of those of 1.0.
Sources: apache/mxnet 1.x, src/ndarray/ndarray.cc (NDArray::Save, version V2; the list's magic), and
nnvm/src/pass/saveload_json.cc of its 3rdparty/tvm (JSON).
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from buildmatrix.export.mxnet_operators import convolution, operation, pooling
from buildmatrix.export.rules import rounds_down
from buildmatrix.layers import (
    IMAGES,
    ActivationSpec,
    ConvSpec,
    DepthToSpaceSpec,
    FcSpec,
    FlattenSpec,
    PadSpec,
    PoolSpec,
    ShuffleSpec,
)
from buildmatrix.network import INPUT, input_shape, steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.layers import Layer
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import F32, Parameters

VERSION = 10000  # 1.0.0: the oldest MXNet meant to read it; newer ones upgrade on loading
LIST_MAGIC = 0x112
ARRAY_V2 = 0xF993FAC9
LOWEST = -3.4e38  # what is never the largest
WITH_BIAS = ("weight", "bias")
LEARNT = {"conv": WITH_BIAS, "deconv": WITH_BIAS, "fc": WITH_BIAS, "prelu": ("gamma",)}
DENSE, CPU, FLOAT32 = 0, 1, 0  # kDefaultStorage, Context::kCPU, mshadow::kFloat32


def write(
    net: NetworkSpec, parameters: tuple[Parameters, ...], workspace: str = ""
) -> Mapping[str, bytes]:
    """`workspace`: bound in MB on a convolution's scratch memory; MXNet's own is 1024, as much as
    a Raspberry Pi 3 has. Empty leaves it so."""
    symbol = json.dumps(_symbol(net, workspace), indent=2)
    return {"net-symbol.json": f"{symbol}\n".encode(), "net-0000.params": _arrays(parameters)}


def _symbol(net: NetworkSpec, workspace: str) -> dict[str, Any]:
    graph = _Graph(workspace)
    shape = ", ".join(str(size) for size in (1, *input_shape(net)))
    data = {**_variable(INPUT), "attrs": {"__shape__": f"({shape})"}}  # as Variable(shape=…) does
    graph.nodes.append(data)
    graph.made[INPUT] = 0
    path = steps(net)
    for step in path:
        graph.layer(step)
    nodes = graph.nodes
    return {
        "nodes": nodes,
        "arg_nodes": [i for i, node in enumerate(nodes) if node["op"] == "null"],
        "node_row_ptr": list(range(len(nodes) + 1)),  # one output for each node
        "heads": [[graph.made[path[-1].layer.name], 0, 0]],
        "attrs": {"mxnet_version": ["int", VERSION]},
    }


def _variable(name: str) -> dict[str, Any]:
    return {"op": "null", "name": name, "inputs": []}


class _Graph:
    """Nodes in order. `made`: the node that makes each value. `flat`: nodes whose value has lost
    its height and width."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace
        self.nodes: list[dict[str, Any]] = []
        self.made: dict[str, int] = {}
        self.flat: set[int] = set()

    def add(self, name: str, operator: str, inputs: Sequence[int], **attributes: object) -> int:
        """A node; values of attributes are strings, tuples written as Python's."""
        self.nodes.append(
            {
                "op": operator,
                "name": name,
                # newer ones write 'attrs' and read both
                "attr": {key: str(value) for key, value in attributes.items()},
                "inputs": [[node, 0, 0] for node in inputs],
            }
        )
        return len(self.nodes) - 1

    def _learnt(self, layer: Layer) -> list[int]:
        """Variables for what a layer has learnt, by the names that its arrays have."""
        nodes = []
        for kind in LEARNT.get(layer.type, ()):
            nodes.append(len(self.nodes))
            self.nodes.append(_variable(f"{layer.name}_{kind}"))
        return nodes

    def layer(self, step: Step) -> None:
        layer, name = step.layer, step.layer.name
        flat = step.is_flat(IMAGES, [self.made[one] in self.flat for one in step.reads])
        inputs = [self._as(one, step, flat=flat) for one in step.reads]
        match layer:
            case ConvSpec() | PoolSpec():
                made = self._windowed(step, layer, inputs[0])
            case ActivationSpec(type="hard-sigmoid" | "hard-swish"):
                made = self._hard(layer, inputs[0])
            case PadSpec(channels=(before, behind)) if before or behind:
                made = self._wider(step, layer, inputs[0])
            case ShuffleSpec(groups=groups):
                into = self.add(f"{name}_groups", "Reshape", inputs, shape=(0, -4, groups, -1, -2))
                turned = self.add(f"{name}_turned", "SwapAxis", [into], dim1=1, dim2=2)
                made = self.add(name, "Reshape", [turned], shape=(0, -3, -2))
            case DepthToSpaceSpec(block=block):  # depth_to_space is there since 1.3
                channels, height, width = step.after
                parts = (0, block, block, channels, height // block, width // block)
                into = self.add(f"{name}_parts", "Reshape", inputs, shape=parts)
                turned = self.add(f"{name}_turned", "transpose", [into], axes=(0, 3, 4, 1, 5, 2))
                made = self.add(name, "Reshape", [turned], shape=(0, *step.after))
            case _:
                learnt = self._learnt(layer)
                operator, attributes = operation(step)
                made = self.add(name, operator, inputs + learnt, **attributes)
        self.made[name] = made
        if flat:
            self.flat.add(made)

    def _as(self, value: str, step: Step, *, flat: bool) -> int:
        """The node of a value with or without a height and a width, as its reader wants it."""
        node, reader = self.made[value], step.layer
        if (node in self.flat) == flat or isinstance(reader, FcSpec | FlattenSpec):
            return node
        place = step.reads.index(value)
        if flat:
            return self.add(f"{reader.name}_flat{place}", "Flatten", [node])
        shape = (0, *step.befores[place])  # 0: as many as there are
        return self.add(f"{reader.name}_image{place}", "Reshape", [node], shape=shape)

    def _windowed(self, step: Step, layer: ConvSpec | PoolSpec, node: int) -> int:
        """A convolution or a pooling, after a Pad where the operator's own does not do."""
        top, left, bottom, right = layer.window.pads
        own = layer.window.mirrored if isinstance(layer, ConvSpec) else rounds_down(step)
        if not own:
            sides = (0, 0, 0, 0, top, max(bottom, 0), left, max(right, 0))
            largest = isinstance(layer, PoolSpec) and layer.method == "max"
            filling = LOWEST if largest else 0
            how = {"mode": "constant", "pad_width": sides, "constant_value": filling}
            node = self.add(f"{layer.name}_pad", "Pad", [node], **how)
            top = left = 0
        if isinstance(layer, ConvSpec):
            learnt = self._learnt(layer)
            attributes = convolution(layer, (top, left), self.workspace)
            return self.add(layer.name, "Convolution", [node, *learnt], **attributes)
        return self.add(layer.name, "Pooling", [node], **pooling(layer, (top, left)))

    def _wider(self, step: Step, layer: PadSpec, node: int) -> int:
        """A Pad adds rows and columns alone: more channels are a constant one, as often as they
        are, put beside those that are there."""
        name = layer.name
        if any(layer.sides):
            operator, how = operation(step)
            node = self.add(f"{name}_sides", operator, [node], **how)
        one = self.add(f"{name}_one", "slice_axis", [node], axis=1, begin=0, end=1)
        zero = self.add(f"{name}_zero", "zeros_like", [one])
        filling = self.add(f"{name}_filling", "_plus_scalar", [zero], scalar=layer.value)
        parts = [node]
        for place, count in zip(("before", "behind"), layer.channels, strict=True):
            if count:
                more = self.add(f"{name}_{place}", "broadcast_axis", [filling], axis=1, size=count)
                parts = [more, *parts] if place == "before" else [*parts, more]
        return self.add(name, "Concat", parts, dim=1, num_args=len(parts))

    def _hard(self, layer: ActivationSpec, node: int) -> int:
        """min(max(x / 6 + 1/2, 0), 1), and for a hard swish x times that."""
        name, swish = layer.name, layer.type == "hard-swish"
        sixth = self.add(f"{name}_sixth", "_mul_scalar", [node], scalar=1 / 6)
        line = self.add(f"{name}_line", "_plus_scalar", [sixth], scalar=0.5)
        gate = self.add(f"{name}_gate" if swish else name, "clip", [line], a_min=0, a_max=1)
        return self.add(name, "elemwise_mul", [node, gate]) if swish else gate


def _arrays(parameters: tuple[Parameters, ...]) -> bytes:
    arrays = [part for p in parameters for part in (p.weight, p.bias) if part.size]
    names = [
        f"arg:{p.layer}_{kind}"
        for p in parameters
        for kind in (LEARNT["conv"] if p.bias.size else LEARNT["prelu"])
    ]
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
