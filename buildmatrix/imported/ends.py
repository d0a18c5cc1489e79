"""What goes into a network and what comes out of it: one image, and one value.

The value may be an output of the file, or any that a node of it makes: what is behind it then is
left out, and with it all that the value does not need.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from onnx import TensorProto, helper, numpy_helper

from buildmatrix.errors import InputError
from buildmatrix.imported.reading import attributes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from onnx import GraphProto, NodeProto, ValueInfoProto

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
Sides = tuple[int, ...]  # all sizes of an input but the batch's


def one_output(graph: GraphProto, name: str, path: Path) -> None:
    """Leaves the output of that name, or the only one, and the nodes and inputs that it needs;
    sizes that were noted elsewhere are forgotten, for they follow.

    Raises InputError where a name is wanted, or nothing of the file is called so.
    """
    outputs = {value.name: value for value in graph.output}
    there = ", ".join(outputs)
    if not name and len(outputs) != 1:
        if len(graph.input) > 1:  # a name for the output would not make one input of them
            entry(graph, path)
        raise InputError(
            f"it has {len(outputs)} outputs: {there}",
            where=str(path),
            hint="write `output:` with one name, or --output",
        )
    made = {output for node in graph.node for output in node.output}
    if name and name not in made | set(outputs):
        raise InputError(
            f"it has no output '{name}': {there}",
            where=str(path),
            hint="write `output:` with one name, or --output: that of what a node makes will do",
        )
    name = name or next(iter(outputs))
    inner = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    kept = outputs.get(name, inner)
    kept.type.tensor_type.ClearField("shape")
    del graph.output[:]
    graph.output.append(kept)
    leave_needed(graph)
    del graph.value_info[:]


def leave_needed(graph: GraphProto) -> None:
    """Without the nodes that the output does not need, and without the inputs that only they read:
    all inputs stay where it needs none of them."""
    needed = {value.name for value in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= _read(node)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    inputs = [value for value in graph.input if value.name in needed]
    for value in [value for value in graph.input if inputs and value.name not in needed]:
        graph.input.remove(value)


def _read(node: NodeProto) -> set[str]:
    """Names of what a node reads, also within what it decides or repeats."""
    inner = (attribute.g for attribute in node.attribute if attribute.HasField("g"))
    return {*node.input}.union(*(_read(one) for graph in inner for one in graph.node))


def entry(graph: GraphProto, path: Path) -> ValueInfoProto:
    """The one input. Raises InputError where there are several, or one that is not of floats."""
    entries = list(graph.input)
    if len(entries) != 1:
        names = ", ".join(f"'{one.name}'" for one in entries) or "none"
        raise InputError(
            f"it has {len(entries)} inputs ({names}), and one image is what a network is given",
            where=str(path),
            hint="export the part of it that reads one input",
        )
    kind = entries[0].type.tensor_type.elem_type
    if kind not in FLOATS:
        number = TensorProto.DataType.Name(kind).lower()
        raise InputError(
            f"its input '{entries[0].name}' is of {number}, not float", where=str(path)
        )
    return entries[0]


def channels_last(graph: GraphProto, entry: ValueInfoProto) -> bool:
    """Whether all that the network does with its input is to put its channels first: where there
    is one, a Reshape does that too."""
    readers = [node for node in graph.node if entry.name in node.input]
    dims = [d.dim_value for d in entry.type.tensor_type.shape.dim]
    one = [1, *dims[1:3]] if len(dims) == 4 and dims[3] == 1 and 0 not in dims[1:] else None
    return bool(readers) and all(
        _orders(node) == [0, 3, 1, 2] or (one is not None and _target(graph, node) == one)
        for node in readers
    )


def _orders(node: NodeProto) -> list[int]:
    return attributes(node).get("perm", []) if node.op_type == "Transpose" else []


def _target(graph: GraphProto, node: NodeProto) -> list[int]:
    """The sizes that a Reshape makes of each image, where they are constant numbers."""
    return _constants(graph, node)[1:] if node.op_type == "Reshape" else []


def _constants(graph: GraphProto, node: NodeProto) -> list[int]:
    """The whole numbers of a node's second input, where they do not depend on the first."""
    if len(node.input) != 2:
        return []
    given = [tensor for tensor in graph.initializer if tensor.name == node.input[1]]
    makers = [one for one in graph.node if node.input[1] in one.output]
    given += [how["value"] for how in map(attributes, makers) if "value" in how]
    return [int(side) for side in numpy_helper.to_array(given[0]).reshape(-1)] if given else []


def give_batch(graph: GraphProto, entry: ValueInfoProto) -> None:
    """An image to which the network itself adds a batch is given with one."""
    dimensions = entry.type.tensor_type.shape.dim
    readers = [node for node in graph.node if entry.name in node.input]
    sizes = [1, *(dimension.dim_value for dimension in dimensions)]
    added = [
        (_constants(graph, node) or attributes(node).get("axes")) == [0]
        if node.op_type == "Unsqueeze"
        else node.op_type == "Reshape" and _constants(graph, node) == sizes
        for node in readers
    ]
    if len(dimensions) != 3 or not readers or not all(added):
        return
    del dimensions[:]
    for size in sizes:
        dimensions.add().dim_value = size
    for node in readers:
        name = node.name or node.output[0]
        node.CopyFrom(helper.make_node("Identity", [entry.name], [*node.output], name))


def fix_size(entry: ValueInfoProto, size: tuple[int, ...] | None, path: Path) -> None:
    """Gives the input a batch of 1 and its other sizes numbers: those of the image, in the order of
    the file."""
    dimensions = entry.type.tensor_type.shape.dim
    if len(dimensions) not in (2, 3, 4):
        raise InputError(
            f"its input '{entry.name}' has {len(dimensions)} dimensions; 2, 3 and 4 are read",
            where=str(path),
        )
    sides = [d.dim_value if d.dim_value > 0 else None for d in dimensions[1:]]
    forms = _forms(size, len(sides)) if size else [tuple(side or 0 for side in sides)]
    fitting = [form for form in forms if 0 not in form and _fits(form, sides)]
    if not fitting:
        shown = "x".join("?" if side is None else str(side) for side in sides)
        raise InputError(
            f"the size of its input '{entry.name}' is {shown}",
            where=str(path),
            hint="write `input: {channels: …, height: …, width: …}` that fits it in model.yaml, "
            "or `inv init NAME --from FILE --input 3x224x224` with its figures",
        )
    for dimension, side in zip(dimensions, (1, *fitting[0]), strict=True):
        dimension.Clear()
        dimension.dim_value = side


def _fits(form: Sides, sides: Sequence[int | None]) -> bool:
    return all(side is None or side == own for side, own in zip(sides, form, strict=True))


def _forms(size: tuple[int, ...], rank: int) -> list[Sides]:
    """The sizes that an image may have where the file's input has so many beside the batch: a row,
    or channels and a length; an image of one channel needs none for it."""
    channels, height, width = size
    if rank == 3:
        return [(channels, height, width)]
    if rank == 1:
        return [(prod(size),)]
    one = [(height, width)] if channels == 1 else []
    return [*one, (channels, height * width)]
