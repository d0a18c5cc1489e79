"""What is known while the nodes of an ONNX graph are read one after the other."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from buildmatrix.errors import InputError
from buildmatrix.layers import LayerSpec, Shape
from buildmatrix.network import INPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

    from buildmatrix.layers import Layer
    from buildmatrix.reference import F32

Attributes = dict[str, Any]
# What to do about a node that is no layer.
UP_TO = "`--output NAME` (`output:`), of a value that a node makes, takes the network up to there"


@dataclass
class Reading:
    """Layers so far. `values`: the layer that makes each tensor of the graph, or INPUT."""

    model: ModelProto
    where: str
    last: bool = False  # whether the input's channels come last
    layers: list[Layer] = field(default_factory=list)
    weights: dict[str, tuple[F32, F32]] = field(default_factory=dict)  # by layer
    values: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    at: str = "the input"  # the node that is read now
    names: set[str] = field(default_factory=lambda: {INPUT})
    padded: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)  # by a Pad node
    # Values whose channels come last, with or without their height, by size as a layer has them.
    turned: dict[str, Shape] = field(default_factory=dict)
    # Values of a form that is no image's: their layer makes one pixel, in the file's own order.
    rows: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            if value.name not in self.constants:
                dims = value.type.tensor_type.shape.dim
                self.sizes[value.name] = tuple(d.dim_value for d in dims)
        (entry,) = (v for v in graph.input if v.name not in self.constants)
        self.values[entry.name] = INPUT
        self.entry = self.shape(entry.name)
        if self.last:
            height, width, channels = self.entry
            self.entry = self.turned[entry.name] = Shape(channels, height, width)
        (leaving,) = graph.output
        self.leaving = leaving.name
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.uses[self.leaving] += 1
        self.opset = opset(self.model)

    def readers(self, tensor: str) -> list[NodeProto]:
        """The nodes that read a tensor."""
        return [node for node in self.model.graph.node if tensor in node.input]

    def shape(self, tensor: str) -> Shape:
        """Of one image: (channels, height, width); what has fewer sizes is one pixel, or a row."""
        sizes = self.size(tensor)
        if not 2 <= len(sizes) <= 4 or sizes[0] != 1 or min(sizes) < 1:
            shown = "x".join(str(side or "?") for side in sizes)
            raise self.fault(f"a value of {shown} at node {self.at} is not read", UP_TO)
        if len(sizes) == 4:
            return Shape(*sizes[1:])
        return Shape(sizes[1], 1, sizes[2] if len(sizes) == 3 else 1)

    def size(self, tensor: str) -> tuple[int, ...]:
        """All sizes of a value, the batch's first; 0 for one that is not known before it runs."""
        if tensor in self.constants:
            return tuple(self.constants[tensor].dims)
        if tensor not in self.sizes:
            raise self.fault(f"the size of what node {self.at} reads or makes is not known")
        return self.sizes[tensor]

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """Numbers that do not depend on the input; None for what does, or is not there."""
        found = self.constants.get(tensor)
        return None if found is None else numpy_helper.to_array(found)

    def add(
        self, node: NodeProto, make: type[LayerSpec], *, output: str = "", **settings: Any
    ) -> str:
        """A layer that the node is, and makes its first output or the one named; its name."""
        (kind, *_) = get_args(make.model_fields["type"].annotation)
        given = {"type": kind, "name": self._name(node), "node": called(node), **settings}
        try:
            layer = make.model_validate(given)
        except ValidationError as invalid:
            fault = invalid.errors()[0]
            raise self.fault(f"{called(node)}: {fault['loc'][0]}: {fault['msg']}") from None
        self.layers.append(cast("Layer", layer))
        self.values[output or node.output[0]] = layer.name
        return layer.name

    def layer(self, name: str) -> Layer | None:
        """The layer of that name; None for the input."""
        return next((layer for layer in reversed(self.layers) if layer.name == name), None)

    def read(
        self,
        node: NodeProto,
        *tensors: str,
        padded: bool = False,
        turned: bool = False,
        rows: bool = False,
    ) -> tuple[str, ...]:
        """Names of the layers that make these tensors."""
        for tensor in tensors:
            if tensor in self.turned and not turned:
                raise self.fault(f"{called(node)} reads '{tensor}', whose channels come last")
            if tensor in self.rows and not rows:
                raise self.fault(f"{called(node)} reads '{tensor}', whose channels were parted")
            if tensor in self.padded and not padded:
                raise self.fault(f"{called(node)} reads what is padded for a Conv")
            if tensor not in self.values:
                raise self.fault(f"{called(node)} reads '{tensor}', a constant")
        return tuple(self.values[tensor] for tensor in tensors)

    def each(self, node: NodeProto, tensor: str) -> tuple[str, ...]:
        """What a function of each value reads: its own are in the same order, and rows where it
        reads rows."""
        names = self.read(node, tensor, turned=True, rows=True)
        if tensor in self.turned:
            self.turned[node.output[0]] = self.turned[tensor]
        if tensor in self.rows:
            self.rows.add(node.output[0])
        return names

    def same(self, node: NodeProto) -> None:
        """The node changes nothing but the form of its first input."""
        (self.values[node.output[0]],) = self.each(node, node.input[0])

    def _name(self, node: NodeProto) -> str:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", node.name or node.output[0]).strip("_-")
        base = plain if plain[:1].isalpha() else f"{node.op_type.lower()}_{plain}".rstrip("_")
        name, number = base, 2
        while name in self.names:
            name, number = f"{base}_{number}", number + 1
        self.names.add(name)
        return name

    def fault(self, brief: str, hint: str = "") -> InputError:
        return InputError(brief, where=self.where, hint=hint)

    def lacks(self, node: NodeProto, what: str) -> InputError:
        """The error for a setting of a node that no layer has."""
        return self.fault(f"{what} of node {called(node)} is not read", hint=UP_TO)


def opset(model: ModelProto) -> int:
    """The version of ONNX's own operators."""
    domains = {one.domain: one.version for one in model.opset_import}
    return domains.get("", domains.get("ai.onnx", 0))


def called(node: NodeProto) -> str:
    return f"{node.op_type} '{node.name or node.output[0]}'"


def attributes(node: NodeProto) -> Attributes:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def floats(values: NDArray[Any]) -> F32:
    return np.ascontiguousarray(values, np.float32)


FLOAT = TensorProto.FLOAT
