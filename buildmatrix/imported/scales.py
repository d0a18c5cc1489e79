"""What a detector computes of all its scales in one row, computed of each scale's image instead.

YOLO's heads make a row of the pixels of several images of different sizes, one behind the other,
and go on with that: a softmax of each group of channels, sums with the places of all pixels,
products with their scale. No layer of ours, and none of most stacks, has such rows. Each of these
computes a pixel by itself, so it may be done while the pixels are still images; a row is made where
something else reads it, or where the network ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto, helper

from buildmatrix.imported.ends import leave_needed
from buildmatrix.imported.row_operators import FOLLOWED
from buildmatrix.imported.rows import ENDS, Scales

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def apart(graph: GraphProto, opset: int) -> None:
    """Puts nodes for each image where a row of several is read; a graph without such rows stays."""
    scales = Scales(graph, opset)
    placed = [(node, _followed(scales, node)) for node in graph.node]
    if not (ends := _ends(graph, scales)):
        return
    nodes: list[NodeProto] = []
    for node, made in placed:
        nodes += [*made] if ends & {*node.output} else [node, *made]
        for name in [name for name in node.output if name in ends]:
            nodes += scales.row(name, node.name or name)
    del graph.node[:]
    graph.node.extend(nodes)
    graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, scales.sizes[name])
        for name in scales.made
    )
    leave_needed(graph)


def _followed(scales: Scales, node: NodeProto) -> list[NodeProto]:
    """New nodes that compute of images what this one computes of rows; none where it does not."""
    scales.nodes = []
    follow = FOLLOWED.get(node.op_type)
    known = all(scales.sizes.get(name) for name in node.output)
    rows = follow(scales, node) if follow and known else None
    if rows is None:
        return []
    scales.rows.update(zip(node.output, rows, strict=True))
    return scales.nodes


def _ends(graph: GraphProto, scales: Scales) -> set[str]:
    """Rows that a node reads which computes more than each pixel, or that leave."""
    maker = {name: node for node in graph.node for name in node.output}
    wanted, seen, found = [value.name for value in graph.output], set[str](), set[str]()
    while wanted:
        name = wanted.pop()
        row = scales.rows.get(name)
        if row and row.order in ENDS and name not in scales.begun:
            found.add(name)
        elif name in maker and name not in seen:
            wanted += maker[name].input
        seen.add(name)
    return found
