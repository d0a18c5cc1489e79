"""What ExecuTorch's XNNPACK backend is given: values and nodes of XNNPACK's, and the constants.

A header of 30 bytes, a flatbuffer and the constants, each padded to 16 bytes. Source of names,
places and numbers: package executorch 1.5.1, backends/xnnpack/serialization/runtime_schema.fbs and
xnnpack_graph_serialize.py.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import flatbuffers
import numpy as np

from buildmatrix.export.tables import (
    ALIGNMENT,
    Field,
    counted,
    made,
    numbers,
    offsets,
    table,
)

if TYPE_CHECKING:
    from buildmatrix.reference import F32

FLOAT32 = 1
TENSOR = 1  # the kind of a value
INTERNAL = 0xFFFFFFFF  # as a value's number outside: it has none
INPUT, OUTPUT = 1, 2  # flags of a value
EVERY = (-np.inf, np.inf)
KINDS = {  # of a node: its place in the schema's union
    "add": 1,
    "fc": 2,
    "softmax": 3,
    "sigmoid": 4,
    "transpose": 5,
    "clamp": 6,
    "conv": 7,
    "upsample": 9,
    "pad": 10,
    "average": 11,
    "depthwise": 13,
    "max": 14,
    "mul": 15,
    "reshape": 20,
    "hard-swish": 24,
    "leaky-relu": 25,
    "prelu": 31,
    "concat2": 32,
    "concat3": 33,
    "concat4": 34,
    "slice": 35,
    "concat5": 38,
    "tanh": 43,
}


@dataclass(frozen=True, slots=True)
class Node:
    """An operator: its kind, the first fields of its table in their order, and its limits.

    A whole number is a field of uint, a fraction one of float, a tuple a vector of uint; None is
    a field that is left out.
    """

    kind: str
    fields: tuple[int | float | tuple[int, ...] | None, ...]
    limits: tuple[float, float] = EVERY


@dataclass
class Graph:
    """Values by number, nodes in order. The first value is the input, the last the output."""

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    held: dict[int, int] = field(default_factory=dict)  # a value -> its place among the constants
    constants: list[bytes] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def value(self, shape: tuple[int, ...]) -> int:
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def constant(self, values: F32) -> int:
        number = self.value(values.shape)
        self.constants.append(values.astype("<f4").tobytes())
        self.held[number] = len(self.constants)  # from 1: 0 is no constant
        return number

    def serialized(self, output: int) -> bytes:
        """The backend's blob. The same graph gives the same bytes."""
        data = b"".join(map(_padded, self.constants))
        graph = _padded(flat := self._flat(output))
        start = -(-HEADER.size // ALIGNMENT) * ALIGNMENT
        behind = start + len(graph)
        header = HEADER.pack(b"XH00", HEADER.size, start, len(flat), behind, len(data))
        return _padded(header) + graph + data

    def _flat(self, output: int) -> bytes:
        builder = flatbuffers.Builder(1 << 16)
        values = [self._value(builder, number, output) for number in range(len(self.shapes))]
        nodes = [_node(builder, node) for node in self.nodes]
        graph = [
            made(0, builder.CreateString("0")),
            made(1, offsets(builder, nodes)),
            made(2, offsets(builder, values)),
            Field(3, "Uint32", 2),
            made(4, numbers(builder, [0], np.uint32)),
            made(5, numbers(builder, [1], np.uint32)),
            made(8, offsets(builder, self._places(builder))),
        ]
        builder.Finish(table(builder, graph), b"XN00")
        return bytes(builder.Output())

    def _value(self, builder: flatbuffers.Builder, number: int, output: int) -> int:
        shape = self.shapes[number]
        outside, flags = {0: (0, INPUT), output: (1, OUTPUT)}.get(number, (INTERNAL, 0))
        fields = [
            Field(0, "Int16", FLOAT32),
            Field(1, "Uint32", len(shape)),
            made(2, numbers(builder, shape, np.uint32)),
            *counted(3, (self.held.get(number, 0), outside, flags, number)),
        ]
        tensor = table(builder, fields)
        return table(builder, [Field(0, "Uint8", TENSOR), made(1, tensor)])

    def _places(self, builder: flatbuffers.Builder) -> list[int]:
        """Where each constant lies behind the flatbuffer; the first stands for none."""
        found, at = [(0, 0)], 0
        for data in self.constants:
            found.append((at, len(data)))
            at += len(_padded(data))
        return [
            table(builder, [Field(0, "Uint64", at), Field(1, "Uint64", size)]) for at, size in found
        ]


HEADER = struct.Struct("<4x4sHIIIQ")


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNMENT)


def _node(builder: flatbuffers.Builder, node: Node) -> int:
    inner = []
    for place, value in enumerate(node.fields):
        if isinstance(value, tuple):
            inner.append(made(place, numbers(builder, value, np.uint32)))
        elif value is not None:
            inner.append(Field(place, "Uint32" if isinstance(value, int) else "Float32", value))
    outer = [Field(0, "Uint8", KINDS[node.kind]), made(1, table(builder, inner))]
    if node.limits != EVERY:
        least, most = node.limits
        limits = table(builder, [Field(0, "Float32", least), Field(1, "Float32", most)])
        outer.append(made(3, limits))
    return table(builder, outer)
