"""The tensors and operators of a TensorFlow Lite file, as values of ours.

By the bindings of its schema (PyPI: tflite 2.18): tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
import tflite

from buildmatrix.errors import InputError
from buildmatrix.imported.lite_sparse import sparsity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from buildmatrix.imported.lite_sparse import Sparsity

IDENTIFIER = b"TFL3"
SHARED = 4  # times that a part of a file may be read, on average: writers may share equal ones
LEAST = 64  # bytes that a tensor or an operator is counted as
NONE = -1  # in the place of an input that is left out
NUMBERS = {
    tflite.TensorType.FLOAT32: "float32",
    tflite.TensorType.FLOAT16: "float16",
    tflite.TensorType.FLOAT64: "float64",
    tflite.TensorType.INT8: "int8",
    tflite.TensorType.UINT8: "uint8",
    tflite.TensorType.INT16: "int16",
    tflite.TensorType.INT32: "int32",
    tflite.TensorType.INT64: "int64",
    tflite.TensorType.BOOL: "bool",
}
# What damaged tables end in: a place outside the file, a size that does not fit, text that is none.
FAULTS = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError)


@dataclass
class Room:
    """How many bytes may still be read. Parts of a file may overlap, each be as large as all of it,
    and be named any number of times: what is read of it, and made of it, is bounded by its size."""

    left: int

    def take(self, size: int) -> None:
        """Raises ValueError where there is not so much."""
        self.left -= size
        if self.left < 0:
            raise ValueError("its parts overlap, or are used so often that they outgrow the file")


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor. `sizes`: as the file says them, 0 for one that it leaves open. `content`: of a
    constant."""

    name: str
    sizes: tuple[int, ...]
    number: str  # NumPy's name of the format; empty for one that is not known here
    content: NDArray[Any] | None = None
    scales: tuple[float, ...] = ()  # of quantized numbers
    zeros: tuple[int, ...] = ()
    axis: int = 0  # along which the scales go
    sparse: Sparsity | None = None  # how the zeros of `content` are left out


@dataclass(frozen=True, slots=True)
class Operation:
    """`kind` is a name of BuiltinOperator, or that of a custom operator. `options`: the fields of
    its table that are numbers, as the bindings name them."""

    kind: str
    name: str
    inputs: tuple[int, ...]  # numbers of values
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LiteGraph:
    """The first subgraph of a file, which is the one that runs."""

    values: tuple[Value, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(data: bytes, where: str) -> LiteGraph:
    """The graph of a file's bytes. Raises InputError for what is none, or only a part of one."""
    if data[4:8] != IDENTIFIER:
        raise InputError("this is no TensorFlow Lite file", where=where)
    try:
        return _graph(tflite.Model.GetRootAs(data, 0), Room(SHARED * len(data)))
    except FAULTS as fault:
        raise InputError(f"this is no whole TensorFlow Lite file: {fault}", where=where) from None


def _graph(model: Any, room: Room) -> LiteGraph:
    graph = model.Subgraphs(0)
    room.take(LEAST * (graph.TensorsLength() + graph.OperatorsLength()))
    room.take(LEAST * model.OperatorCodesLength())
    values = tuple(_value(model, graph.Tensors(n), room) for n in range(graph.TensorsLength()))
    inputs, outputs = (_numbers(graph, vector, room) for vector in ("Inputs", "Outputs"))
    if not all(0 <= number < len(values) for number in (*inputs, *outputs)):
        raise ValueError("an input or output is not there")
    return LiteGraph(values, tuple(_operations(model, graph, values, room)), inputs, outputs)


def _operations(
    model: Any, graph: Any, values: tuple[Value, ...], room: Room
) -> Iterator[Operation]:
    kinds = [_kind(model.OperatorCodes(n)) for n in range(model.OperatorCodesLength())]
    for number in range(graph.OperatorsLength()):
        one = graph.Operators(number)
        inputs, outputs = (_numbers(one, vector, room) for vector in ("Inputs", "Outputs"))
        if not all(0 <= n < len(values) for n in outputs):
            raise ValueError("an operator makes what is not there")
        if not all(NONE <= n < len(values) for n in inputs):
            raise ValueError("an operator reads what is not there")
        name = values[outputs[0]].name.partition(";")[0] if outputs else ""  # the first of several
        yield Operation(kinds[one.OpcodeIndex()], name, inputs, outputs, _options(one))


def _numbers(table: Any, vector: str, room: Room) -> tuple[int, ...]:
    """A vector of numbers; the bindings say 0 for one that is not there."""
    if getattr(table, f"{vector}IsNone")():
        return ()
    room.take(4 * getattr(table, f"{vector}Length")())
    return tuple(getattr(table, f"{vector}AsNumpy")().tolist())


def _kind(code: Any) -> str:
    # Files from before 2.4 have the old field alone; it holds 127 where the number is larger.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        return (code.CustomCode() or b"").decode()
    return KINDS.get(number, f"of number {number}")


def _options(one: Any) -> Mapping[str, Any]:
    table = one.BuiltinOptions()
    kind = OPTIONS.get(one.BuiltinOptionsType(), "")
    if table is None or not hasattr(tflite, kind):
        return {}
    options = getattr(tflite, kind)()
    options.Init(table.Bytes, table.Pos)
    return {name: getattr(options, name)() for name in _fields(kind)}


@cache
def _fields(table: str) -> tuple[str, ...]:
    """The fields of a table that are one number each: the readers of others take an index, or end
    in what they tell of a vector."""
    return tuple(
        name
        for name, reader in vars(getattr(tflite, table)).items()
        if name[:1].isupper()
        and not name.endswith(("Length", "IsNone", "AsNumpy"))
        and isinstance(reader, FunctionType)
        and name != "Init"
        and reader.__code__.co_argcount == 1
    )


def _value(model: Any, tensor: Any, room: Room) -> Value:
    number = NUMBERS.get(tensor.Type(), "")
    sizes, open_sizes = (_numbers(tensor, v, room) for v in ("Shape", "ShapeSignature"))
    how, name = tensor.Quantization(), tensor.Name() or b""
    room.take(len(name))
    return Value(
        name=name.decode(),
        sizes=tuple(max(size, 0) for size in open_sizes or sizes),
        number=number,
        content=_content(model, tensor, number, sizes),
        scales=_numbers(how, "Scale", room) if how is not None else (),
        zeros=_numbers(how, "ZeroPoint", room) if how is not None else (),
        axis=how.QuantizedDimension() if how is not None else 0,
        sparse=sparsity(tensor.Sparsity(), room.take),
    )


def _content(model: Any, tensor: Any, number: str, sizes: tuple[int, ...]) -> NDArray[Any] | None:
    """The numbers of a constant, in its sizes; those of a sparse one are left as they lie."""
    buffer = model.Buffers(tensor.Buffer())
    if buffer is None or not buffer.DataLength() or not number:
        return None
    content = np.frombuffer(buffer.DataAsNumpy(), np.dtype(number).newbyteorder("<"))
    return content if tensor.Sparsity() is not None else content.reshape(sizes)


def _names(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if name.isupper()}


KINDS = _names(tflite.BuiltinOperator)
OPTIONS = {
    number: name for name, number in vars(tflite.BuiltinOptions).items() if name[:1].isupper()
}
