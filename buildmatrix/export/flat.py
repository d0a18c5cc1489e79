"""A TensorFlow Lite file from a list of tensors and operators, by the schema's own bindings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
import tflite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Options = tuple[str, "Mapping[str, Any]"]

SCHEMA_VERSION = 3
IDENTIFIER = b"TFL3"
MOST_IN_A_BYTE = tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
ALIGNMENT = 16  # of a buffer's data: force_align in tensorflow/lite/schema/schema.fbs
TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "float16": tflite.TensorType.FLOAT16,
    "int32": tflite.TensorType.INT32,
    "int8": tflite.TensorType.INT8,
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """`values` of a constant; otherwise `shape` and `number`, the first size a batch's if `varies`.

    A quantized number q stands for scale * (q - zero); scales are one, or one for each index of
    `axis`.
    """

    name: str
    values: NDArray[Any] | None = None
    shape: tuple[int, ...] = ()
    number: str = "float32"
    scales: tuple[float, ...] = ()
    zero: int = 0
    axis: int = 0
    varies: bool = True


@dataclass(frozen=True, slots=True)
class Operator:
    """`code` is a name of BuiltinOperator, `options` the name and fields of its options table."""

    code: str
    inputs: tuple[str, ...]
    output: str
    options: Options | None = None
    version: int = 1


@dataclass
class Graph:
    """Tensors and operators in order; tensors are named when used."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)

    def add(self, tensor: Tensor) -> str:
        self.tensors[tensor.name] = tensor
        return tensor.name

    def serialized(self, name: str, *, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
        """The file. The same graph gives the same bytes."""
        builder = flatbuffers.Builder(1 << 20)
        codes = sorted({(o.code, o.version) for o in self.operators})
        constants = [t for t in self.tensors.values() if t.values is not None]
        buffers = {t.name: i for i, t in enumerate(constants, start=1)}  # 0 is no data
        index = {name: i for i, name in enumerate(self.tensors)}
        tensors = [_tensor(builder, t, buffers.get(t.name, 0)) for t in self.tensors.values()]
        operators = [_operator(builder, o, codes, index) for o in self.operators]
        graph = _table(
            builder,
            "SubGraph",
            Tensors=_offsets(builder, tensors),
            Inputs=_numbers(builder, [index[n] for n in inputs], np.int32),
            Outputs=_numbers(builder, [index[n] for n in outputs], np.int32),
            Operators=_offsets(builder, operators),
            Name=builder.CreateString(name),
        )
        empty = _table(builder, "Buffer")
        model = _table(
            builder,
            "Model",
            Version=SCHEMA_VERSION,
            OperatorCodes=_offsets(builder, [_code(builder, *one) for one in codes]),
            Subgraphs=_offsets(builder, [graph]),
            Description=builder.CreateString("buildmatrix"),
            Buffers=_offsets(builder, [empty, *(_buffer(builder, t) for t in constants)]),
        )
        builder.Finish(model, IDENTIFIER)
        return bytes(builder.Output())


def _tensor(builder: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    number, shape, varies = tensor.number, tensor.shape, {}
    if tensor.values is not None:
        number, shape = tensor.values.dtype.name, tensor.values.shape
    elif tensor.varies:
        varies = {"ShapeSignature": _numbers(builder, (-1, *shape[1:]), np.int32)}
    if tensor.scales:
        zeros = [tensor.zero] * len(tensor.scales)
        varies["Quantization"] = _table(
            builder,
            "QuantizationParameters",
            Scale=_numbers(builder, tensor.scales, np.float32),
            ZeroPoint=_numbers(builder, zeros, np.int64),
            QuantizedDimension=tensor.axis,
        )
    return _table(
        builder,
        "Tensor",
        Shape=_numbers(builder, shape, np.int32),
        Type=TYPES[number],
        Buffer=buffer,
        Name=builder.CreateString(tensor.name),
        **varies,
    )


def _operator(
    builder: flatbuffers.Builder,
    operator: Operator,
    codes: Sequence[tuple[str, int]],
    index: Mapping[str, int],
) -> int:
    options = {}
    if operator.options is not None:
        kind, fields = operator.options
        options = {
            "BuiltinOptionsType": getattr(tflite.BuiltinOptions, kind),
            "BuiltinOptions": _table(builder, kind, **fields),
        }
    return _table(
        builder,
        "Operator",
        OpcodeIndex=codes.index((operator.code, operator.version)),
        Inputs=_numbers(builder, [index[n] for n in operator.inputs], np.int32),
        Outputs=_numbers(builder, [index[operator.output]], np.int32),
        **options,
    )


def _code(builder: flatbuffers.Builder, name: str, version: int) -> int:
    code = getattr(tflite.BuiltinOperator, name)
    short = min(code, MOST_IN_A_BYTE)  # the older field, whose largest number stands for the other
    return _table(
        builder, "OperatorCode", DeprecatedBuiltinCode=short, BuiltinCode=code, Version=version
    )


def _buffer(builder: flatbuffers.Builder, tensor: Tensor) -> int:
    assert tensor.values is not None
    little = tensor.values.dtype.newbyteorder("<")
    content = tensor.values.astype(little).tobytes()
    builder.StartVector(1, len(content), ALIGNMENT)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    return _table(builder, "Buffer", Data=builder.EndVector())


def _table(builder: flatbuffers.Builder, kind: str, **fields: Any) -> int:
    """A table of the schema with these fields, named as the bindings name them."""
    getattr(tflite, f"{kind}Start")(builder)
    for name, value in fields.items():
        getattr(tflite, f"{kind}Add{name}")(builder, value)
    return int(getattr(tflite, f"{kind}End")(builder))


def _offsets(builder: flatbuffers.Builder, items: Sequence[int]) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())


def _numbers(builder: flatbuffers.Builder, items: Sequence[float], kind: type) -> int:
    return int(builder.CreateNumpyVector(np.array(items, kind)))
