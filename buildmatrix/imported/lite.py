"""A TensorFlow Lite file as an ONNX model of the same layers, its images channels first.

What is read of it from then on is what is read of any ONNX file, and onnxruntime answers for it as
well. Only files of floats: what is quantized computes something else, and passes (`quantized`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import TensorProto, helper

from buildmatrix.errors import InputError
from buildmatrix.imported import lite_graph
from buildmatrix.imported.lite_net import IMAGE, TO_FIRST, Net
from buildmatrix.imported.lite_operators import OPERATORS
from buildmatrix.imported.lite_patterns import SHUFFLE, joined

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto, ValueInfoProto

    from buildmatrix.imported.lite_graph import Operation

ENDING = ".tflite"
OPSET = 17
GROWN = 16  # times that its constants may outgrow the file: made of half the bits, and shared
FAULTS = (ValueError, KeyError, IndexError, TypeError, OverflowError)


def loaded(path: Path) -> ModelProto:
    """The model. Raises InputError for what is no such file, is quantized, has several inputs, or
    an operator that is not read."""
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise InputError(
            f"it cannot be read: {fault.strerror}", where=str(path), hint="check its name"
        ) from None
    graph = lite_graph.read(data, str(path))
    net = Net(str(path), graph.values, lite_graph.Room(GROWN * len(data)))
    entries = [_entry(net, number) for number in graph.inputs]
    for one in joined(graph):
        _add(net, one)
    ends = [_end(net, number) for number in graph.outputs]
    made = helper.make_graph(net.nodes, "net", entries, ends, net.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])


def _entry(net: Net, number: int) -> ValueInfoProto:
    """An input, channels first; a size that the file leaves open has no number."""
    value = net.values[number]
    if value.number != "float32":
        brief = f"its input '{value.name}' is of {value.number or 'an unknown format'}, not float32"
        raise net.fault(brief, hint="take the file of floats, before it was quantized")
    net.made(number, value.name)
    sizes = [value.sizes[axis] for axis in TO_FIRST] if _is_image(value.sizes) else [*value.sizes]
    shape = [size or None for size in sizes]
    return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, shape)


def _is_image(sizes: tuple[int, ...]) -> bool:
    return len(sizes) == len(IMAGE)


def _add(net: Net, one: Operation) -> None:
    if one.kind not in OPERATORS:
        raise net.fault(
            f"the operator {one.kind} '{one.name}' is not read",
            hint=f"what is read: {', '.join(sorted({*OPERATORS} - {SHUFFLE}))}",
        )
    read = [net.values[number] for number in one.inputs if number >= 0]
    sparse = next((value.name for value in read if value.sparse), None)
    if sparse is not None and one.kind != "DENSIFY":
        raise net.lacks(one, f"the sparse weight '{sparse}'")
    try:
        OPERATORS[one.kind](net, one)
    except FAULTS as fault:  # sizes that do not fit each other, an option that is not there
        brief = f"the operator {one.kind} '{one.name}' is not what it should be: {fault}"
        raise net.fault(brief.replace("\n", " ")) from None


def _end(net: Net, number: int) -> ValueInfoProto:
    """An output under the name that the file gives it."""
    value = net.values[number]
    if number not in net.names:
        raise net.fault(f"its output '{value.name}' is a constant, or made by no operator")
    name = net.first(number)
    if name != value.name:
        node = helper.make_node("Identity", [name], [value.name], name=value.name)
        net.nodes.append(node)
    return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, None)
