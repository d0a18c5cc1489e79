"""Values that are rows of the pixels of several images, and new nodes that compute of the images.

Names of what is new end in the number of the scale, and of the group where there are several.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnx import GraphProto, NodeProto


ENDS = ("ncl", "nlc")  # orders that a row can be made of again


class Row(NamedTuple):
    """A value as the images that it is of. `order`: what its axes are, 'n' the batch, 'g' groups
    of channels, 'c' the channels of one, 'l' all pixels. `images`: of each scale, of each group."""

    order: str
    images: tuple[tuple[str, ...], ...]


class Scales:
    """What is known of a graph's values, and nodes that were made. `rows`: values that are rows of
    images; `begun`: those that are an image's pixels, and nothing computed of them."""

    def __init__(self, graph: GraphProto, opset: int) -> None:
        self.graph, self.opset = graph, opset
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.sizes = {
            value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        self.rows: dict[str, Row] = {}
        self.begun: set[str] = set()
        self.made: list[str] = []  # names of new values
        self.nodes: list[NodeProto] = []  # since a node was begun to be followed

    def row(self, name: str, node: str) -> list[NodeProto]:
        """Nodes that make a row of its images: each with its channels last, one behind the other,
        and where they are first in the row, turned once more."""
        self.nodes, order, images = [], *self.rows[name]
        channels, behind = self.channels(self.rows[name]), order == "nlc"
        if len(images) == 1 and not behind:
            self._form(images[0][0], self.sizes[name], name, node)
            return self.nodes
        parts = []
        for scale, (image,) in enumerate(images):
            one, length = f"{node}/{scale}/row", prod(self.sizes[image][2:])
            last, sizes = image, [1, *self.sizes[image][2:], channels]
            if channels > 1:
                last = self.add("Transpose", [image], f"{one}/last", sizes, perm=[0, 2, 3, 1])
            parts.append(self._form(last, [1, length, channels], one, one))
        whole = self.sizes[name] if behind else [1, self.sizes[name][2], channels]
        row = name if behind else f"{name}/rows"
        self.add("Concat", parts, row, whole, node if behind else row, axis=1)
        if not behind:
            self.add("Transpose", [row], name, self.sizes[name], node, perm=[0, 2, 1])
        return self.nodes

    def _form(self, image: str, sizes: list[int], name: str, node: str) -> str:
        to = self.constant(f"{name}/sizes", np.array(sizes))
        return self.add("Reshape", [image, to], name, sizes, node)

    def add(
        self,
        kind: str,
        inputs: Sequence[str],
        output: str,
        size: list[int],
        node: str = "",
        **how: Any,
    ) -> str:
        """A new node with one output of this size; its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], node or output, **how))
        if output not in self.sizes:
            self.made.append(output)
            self.sizes[output] = size
        return output

    def constant(self, name: str, values: Any) -> str:
        tensor = numpy_helper.from_array(values, name)
        self.graph.initializer.append(tensor)
        self.constants[name] = tensor
        return name

    def number(self, name: str) -> Any:
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def channels(self, row: Row) -> int:
        """Of one group."""
        return self.sizes[row.images[0][0]][1]

    def areas(self, row: Row) -> list[list[int]]:
        """The height and width of each scale."""
        return [self.sizes[group[0]][2:] for group in row.images]

    def pixels(self, row: Row) -> int:
        """Of all scales."""
        return sum(map(prod, self.areas(row)))

    def like(self, one: Row, other: Row) -> bool:
        return (
            one.order == other.order
            and len(one.images[0]) == len(other.images[0])
            and self.areas(one) == self.areas(other)
        )

    def each(
        self,
        node: NodeProto,
        kind: str,
        *inputs: Row | str | list[list[str]],
        channels: int = 0,
        **how: Any,
    ) -> Row:
        """One node for every image. `inputs`: rows, a constant for all, or one for each image.
        `channels` are those of the first row where nothing else is said."""
        first = next(one for one in inputs if isinstance(one, Row))
        base, images = node.name or node.output[0], []
        for scale, group in enumerate(first.images):
            made = []
            for place, image in enumerate(group):
                name = f"{base}/{scale}/{place}" if len(group) > 1 else f"{base}/{scale}"
                size = [1, channels or self.channels(first), *self.sizes[image][2:]]
                names = [_of(one, scale, place) for one in inputs]
                made.append(self.add(kind, names, name, size, **how))
            images.append(tuple(made))
        return Row(first.order, tuple(images))


def _of(one: Row | str | list[list[str]], scale: int, place: int) -> str:
    if isinstance(one, str):
        return one
    images = one.images if isinstance(one, Row) else one
    return images[scale][place]
