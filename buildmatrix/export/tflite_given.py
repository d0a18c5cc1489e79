"""A quantized file of TensorFlow Lite's as its user gave it, between float ends.

The harness gives and takes floats. So QUANTIZE stands before an input of 8 bits and DEQUANTIZE
behind an output, each with the scale that the file has there; all else in it stays: buffers byte
for byte, tensors and operators in their order. A file whose ends are floats already, an image and
one output, is not touched at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from buildmatrix.export.flat import ALIGNMENT, IDENTIFIER
from buildmatrix.network import INPUT, OUTPUT, QuantizedNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.network import NetworkSpec
    from buildmatrix.reference import Parameters

FILE = "net.tflite"
FLOAT = schema.TensorType.FLOAT32
IMAGE = 4  # sizes: batch, height, width, channels


def write(net: NetworkSpec, _parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    """The file, with what its ends lack."""
    assert isinstance(net, QuantizedNetwork)
    content = net.file.read_bytes()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    leaving = _leaving(graph, net.output)
    entry = int(graph.inputs[0])
    if _is_plain(graph, entry) and [int(n) for n in graph.outputs] == [leaving]:
        return {FILE: content}
    ends = _Ends(model, graph)
    graph.inputs = [ends.before(entry, net)]
    graph.outputs = [ends.behind(leaving)]
    model.signatureDefs = None  # of the ends that it had
    for number, buffer in enumerate(model.buffers):
        model.buffers[number] = _Aligned(buffer)
    builder = flatbuffers.Builder(len(content) + (1 << 16))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return {FILE: bytes(builder.Output())}


def _leaving(graph: Any, name: str) -> int:
    named = {graph.tensors[n].name.decode(): int(n) for n in graph.outputs}
    return named[name] if name else int(graph.outputs[0])


def _is_plain(graph: Any, entry: int) -> bool:
    tensor = graph.tensors[entry]
    return tensor.type == FLOAT and len(tensor.shape) == IMAGE


class _Ends:
    """Adds operators at the ends of a graph."""

    def __init__(self, model: Any, graph: Any) -> None:
        self.model = model
        self.graph = graph

    def before(self, entry: int, net: QuantizedNetwork) -> int:
        """An image of floats, channels last, that becomes what the graph reads; its number."""
        tensor = self.graph.tensors[entry]
        size = (1, net.input.height, net.input.width, net.input.channels)
        first = self._tensor(INPUT, FLOAT, size)
        made, added = first, []
        if len(tensor.shape) != IMAGE:
            to = self._constant(f"{INPUT}/shape", [-1, *tensor.shape[1:]])
            last = entry
            if tensor.type != FLOAT:
                last = self._tensor(f"{INPUT}/row", FLOAT, tuple(tensor.shape))
            added.append(self._operator("RESHAPE", 1, (made, to), last))
            made = last
        if tensor.type != FLOAT:
            added.append(self._operator("QUANTIZE", 1, (made,), entry))
        self.graph.operators[:0] = added
        return first

    def behind(self, leaving: int) -> int:
        """What the graph makes, in floats; its number."""
        tensor = self.graph.tensors[leaving]
        if tensor.type == FLOAT:
            return leaving
        last = self._tensor(OUTPUT, FLOAT, tuple(tensor.shape))
        version = 2 if tensor.type == schema.TensorType.INT8 else 1  # as op_version.cc has it
        self.graph.operators.append(self._operator("DEQUANTIZE", version, (leaving,), last))
        return last

    def _tensor(self, name: str, kind: int, shape: tuple[int, ...], buffer: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.buffer = name, kind, buffer
        tensor.shape = np.array(shape, np.int32)
        if not buffer:
            tensor.shapeSignature = np.array((-1, *shape[1:]), np.int32)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _constant(self, name: str, numbers: list[int]) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.array(numbers, "<i4").tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        shape, kind = (len(numbers),), schema.TensorType.INT32
        return self._tensor(name, kind, shape, len(self.model.buffers) - 1)

    def _operator(self, code: str, version: int, inputs: tuple[int, ...], output: int) -> Any:
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, code), version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        return operator

    def _code(self, number: int, version: int) -> int:
        """Of an operator below 127, which both fields hold."""
        one = schema.OperatorCodeT()
        one.builtinCode = one.deprecatedBuiltinCode = number
        one.version = version
        self.model.operatorCodes.append(one)
        return len(self.model.operatorCodes) - 1


class _Aligned(schema.BufferT):  # type: ignore[misc]  # the bindings have no types
    """A buffer whose data begins where the schema wants it: the bindings leave that out."""

    def __init__(self, buffer: Any) -> None:
        super().__init__()
        self.__dict__.update(vars(buffer))

    def Pack(self, builder: Any) -> Any:
        if self.data is None:
            return super().Pack(builder)
        content = bytes(self.data)
        builder.StartVector(1, len(content), ALIGNMENT)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)
