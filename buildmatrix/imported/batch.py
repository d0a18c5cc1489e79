"""A file for so many images at a time: read for one, and held to be that of each.

Exporters that are not told that the first size is free write it into the sizes of Reshape. That
they mean images by it shows in what the file answers to as many: a row for each, the first of them
that of the first image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import numpy_helper

from buildmatrix.errors import InputError
from buildmatrix.imported.reading import attributes

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import GraphProto, ValueInfoProto

    from buildmatrix.reference import F32


def images(entry: ValueInfoProto) -> int:
    """How many the input is of; 1 where that is free."""
    sizes = [one.dim_value for one in entry.type.tensor_type.shape.dim]
    return max(1, sizes[0]) if sizes else 1


def read_for_one(graph: GraphProto, count: int) -> None:
    """Each Reshape that makes a value of so many images makes it of one."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and "value" in (how := attributes(node)):
            constants[node.output[0]] = how["value"]
    for place, node in enumerate(graph.node):
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        first, *others = numpy_helper.to_array(constants[node.input[1]]).ravel().tolist()
        if first == count:
            sizes = numpy_helper.from_array(
                np.array([1, *others]), f"{node.input[1]}/of one/{place}"
            )
            graph.initializer.append(sizes)
            node.input[1] = sizes.name


def several(image: F32, count: int) -> F32:
    """An image, (1, …), and others behind it, that many in all."""
    return np.concatenate([image * np.float32(1 - n / (2 * count)) for n in range(count)])


def check(found: F32 | None, answer: F32, count: int, path: Path) -> None:
    """Raises InputError where the file's answer to so many images is not that to each."""
    scale = float(np.abs(answer).max(initial=0)) or 1.0
    sizes = (count, *answer.shape[1:])
    if (
        found is None
        or found.shape != sizes
        or not np.allclose(found[:1], answer, rtol=1e-3, atol=1e-3 * scale)
    ):
        raise InputError(
            f"the first size of its input is {count}, and it does not answer to each of {count} "
            "images by itself",
            where=str(path),
            hint="export the network for one image, with a first size of 1",
        )
