"""Hard sigmoid, hard swish, GELU, a shuffle of channels and a detector's rows, found where they
stand taken apart.

Before operator set 14 there was no HardSwish: frameworks wrote x * Clip(x + 3, 0, 6) / 6. And
onnxruntime 1.32 itself writes x * HardSigmoid(x) of it. A shuffle has no operator: it is a Reshape
to groups, a Transpose and a Reshape. Stacks have a fast operator for the whole. And torchvision's
detectors part the channels of each pixel before they bring them to the end, others after it.
"""

from __future__ import annotations

from collections import Counter
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

SHUFFLE = "ChannelShuffle"  # stands for the nodes that together are one


def whole(graph: GraphProto) -> None:
    """Puts one node where several are one of these, under the last one's name."""
    for match in (_sigmoid, _swish, _gelu, _shuffle, _parted, _twice):
        found = _Graph(graph)
        for node in list(graph.node):
            match(found, node)


class _Graph:
    """Who makes a value, how many read it, its size, and which are one constant number."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.maker = {name: node for node in graph.node for name in node.output}
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.uses.update(value.name for value in graph.output)
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.sizes = {
            value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
            for value in (*graph.input, *graph.value_info)
        }
        self.numbers = {
            tensor.name: float(numpy_helper.to_array(tensor).reshape(-1)[0])
            for tensor in graph.initializer
            if int(np.prod(tensor.dims)) == 1
        }

    def made_by(self, kind: str, name: str) -> NodeProto | None:
        """The node that makes a value which nothing else reads, if it is of this kind."""
        node = self.maker.get(name)
        return node if node is not None and node.op_type == kind and self.uses[name] == 1 else None

    def value_and_number(self, node: NodeProto) -> tuple[str, float] | None:
        """Of a node with two inputs, the one that is computed and the constant number."""
        names = list(node.input)
        for value, number in (names, names[::-1]) if len(names) == 2 else ():
            if number in self.numbers and value not in self.numbers:
                return value, self.numbers[number]
        return None

    def scaled(self, node: NodeProto, factor: float) -> str:
        """What the node multiplies by a number; empty when it does something else."""
        pair = self.value_and_number(node)
        number = {"Div": 1 / factor, "Mul": factor}.get(node.op_type)
        if pair is None or number is None or abs(pair[1] - number) > 1e-6:
            return ""
        return pair[0] if node.op_type == "Mul" or node.input[0] == pair[0] else ""

    def factors(self, node: NodeProto) -> tuple[list[str], list[NodeProto]]:
        """What a product is of, through the products that it alone reads, and those."""
        found: list[str] = []
        gone: list[NodeProto] = []
        for name in node.input if node.op_type == "Mul" else ():
            inner = self.made_by("Mul", name)
            names, more = self.factors(inner) if inner is not None else ([name], [])
            found += names
            gone += [*more, *([inner] if inner is not None else [])]
        return found, gone

    def regrouped(self, node: NodeProto) -> tuple[NodeProto, NodeProto, Any] | None:
        """Of a Reshape, the Reshape and the Transpose whose values it alone reads, and the order
        of that, as it stands in the node."""
        turn = self.made_by("Transpose", node.input[0]) if node.op_type == "Reshape" else None
        into = self.made_by("Reshape", turn.input[0]) if turn is not None else None
        orders = [a.ints for a in turn.attribute if a.name == "perm"] if turn is not None else []
        if turn is None or into is None or not orders:
            return None
        return into, turn, orders[0]

    def replace(
        self, last: NodeProto, kind: str, value: str, gone: list[NodeProto], **how: Any
    ) -> None:
        name = last.name or last.output[0]
        made = helper.make_node(kind, [value], list(last.output), name, **how)
        last.CopyFrom(made)
        for node in gone:
            self.graph.node.remove(node)

    def sized(self, name: str, sizes: list[int]) -> None:
        """A value has other sizes now."""
        self.sizes[name] = sizes
        for value in self.graph.value_info:
            if value.name == name:
                value.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes))

    def shifted(self, name: str) -> tuple[str, list[NodeProto]]:
        """x of a value that is Clip(x + 3, 0, 6), and the nodes that make it; or nothing."""
        clip = self.made_by("Clip", name)
        if clip is None:
            return "", []
        bounds = [a.f for a in sorted(clip.attribute, key=lambda a: a.name, reverse=True)]
        bounds = bounds or [self.numbers.get(one, -1) for one in clip.input[1:]]
        add = self.made_by("Add", clip.input[0])
        pair = self.value_and_number(add) if add is not None else None
        if bounds != [0, 6] or pair is None or pair[1] != 3 or add is None:
            return "", []
        return pair[0], [add, clip]


def _sigmoid(graph: _Graph, node: NodeProto) -> None:
    """Clip(x + 3, 0, 6) / 6; and, of that, x times it before the division."""
    product = graph.scaled(node, 1 / 6)
    if not product:
        return
    value, gone = graph.shifted(product)
    if value:
        graph.replace(node, "HardSigmoid", value, gone, alpha=1 / 6, beta=0.5)
        return
    times = graph.made_by("Mul", product)
    if times is None or len(times.input) != 2:
        return
    for one, other in (tuple(times.input), tuple(times.input)[::-1]):
        value, gone = graph.shifted(other)
        if value and value == one:
            graph.replace(node, "HardSwish", value, [*gone, times])
            return


def _swish(graph: _Graph, node: NodeProto) -> None:
    """x * HardSigmoid(x), of the slope 1/6."""
    if node.op_type != "Mul":
        return
    for one, other in (tuple(node.input), tuple(node.input)[::-1]):
        gate = graph.made_by("HardSigmoid", other)
        if gate is None or gate.input[0] != one:
            continue
        how = {a.name: a.f for a in gate.attribute}
        if abs(how.get("alpha", 0.2) - 1 / 6) < 1e-6 and how.get("beta", 0.5) == 0.5:
            graph.replace(node, "HardSwish", one, [gate])
            return


def _gelu(graph: _Graph, node: NodeProto) -> None:
    """x * (Erf(x / sqrt(2)) + 1) / 2, its three factors in any order."""
    factors, gone = graph.factors(node)
    halves = [name for name in factors if graph.numbers.get(name) == 0.5]
    for shares in factors:
        add = graph.made_by("Add", shares)
        one = graph.value_and_number(add) if add is not None else None
        erf = graph.made_by("Erf", one[0]) if one is not None and one[1] == 1 else None
        scaled = graph.maker.get(erf.input[0]) if erf is not None else None
        value = graph.scaled(scaled, 1 / sqrt(2)) if scaled is not None else ""
        if len(halves) == 1 and value and sorted(factors) == sorted([*halves, shares, value]):
            made = [one for one in (add, erf, scaled) if one is not None]
            graph.replace(node, "Gelu", value, [*gone, *made])
            return


def _shuffle(graph: _Graph, node: NodeProto) -> None:
    """A Reshape that undoes another one, with groups and their members exchanged between them."""
    found = graph.regrouped(node)
    if found is None or found[0].input[1] not in graph.constants:
        return
    into, turn, order = found
    sizes = numpy_helper.to_array(graph.constants[into.input[1]]).tolist()
    others = list(range(3, len(sizes)))
    if len(sizes) < 3 or list(order) != [0, 2, 1, *others] or sizes[1] < 1:
        return
    how = {"groups": sizes[1], "flat": int(not others)}
    size = graph.sizes.get(into.input[0])
    if size is None or graph.sizes.get(node.output[0]) in (size, None):
        graph.replace(node, SHUFFLE, into.input[0], [into, turn], **how)
        return
    # onnxruntime has made one Reshape of this one's end and the beginning of what comes next
    graph.replace(turn, SHUFFLE, into.input[0], [into], **how)
    graph.sized(turn.output[0], size)


def _parted(graph: _Graph, node: NodeProto) -> None:
    """A Reshape of the channels of each pixel, which were parted in two and then brought to the
    end: brought there whole they have the same order."""
    found = graph.regrouped(node)
    if found is None:
        return
    into, turn, order = found
    whole, parts = (graph.sizes.get(name, []) for name in (into.input[0], turn.input[0]))
    if len(parts) != 5 or list(order) != [0, 3, 4, 1, 2]:
        return
    if whole == [parts[0], parts[1] * parts[2], *parts[3:]]:
        order[:] = [0, 2, 3, 1]
        turn.input[0] = into.input[0]
        graph.graph.node.remove(into)


def _twice(graph: _Graph, node: NodeProto) -> None:
    """A Reshape of what another one made: of a single pixel's parted channels, which onnxruntime
    turns by one."""
    first = graph.made_by("Reshape", node.input[0]) if node.op_type == "Reshape" else None
    sizes = graph.constants.get(node.input[1]) if first is not None else None
    if first is None or sizes is None or 0 in numpy_helper.to_array(sizes):  # one of its input's
        return
    node.input[0] = first.input[0]
    graph.graph.node.remove(first)
