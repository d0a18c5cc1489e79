"""The program that is ExecuTorch's file: one method, which is one call of the XNNPACK backend.

Source of its fields: package executorch 1.5.1, schema/program.fbs. The flatbuffer stands alone: the
backend's blob is in it, and there are no segments behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import flatbuffers
import numpy as np

from buildmatrix.export.tables import Field, content, made, numbers, offsets, table

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 1024  # the largest that a program takes; it costs no memory before it is asked for
FLOAT, DYNAMIC = 6, 1  # of a tensor: its type, and sizes that may be smaller
TENSOR, DELEGATE_CALL = 5, 2  # kinds of a value and of an instruction


def program(blob: bytes, ends: tuple[tuple[int, ...], tuple[int, ...]]) -> bytes:
    """The file, of the backend's blob and the sizes of one image's input and output."""
    builder = flatbuffers.Builder(len(blob) + (1 << 12))
    data = table(builder, [made(0, content(builder, blob))])
    plan = _plan(builder, [_tensor(builder, shape) for shape in ends])
    none = table(
        builder, [made(1, numbers(builder, [0], np.uint64))]
    )  # constants: the first is none
    program = [
        made(1, offsets(builder, [plan])),
        made(3, offsets(builder, [data])),
        made(5, none),
    ]
    builder.Finish(table(builder, program), b"ET12")
    return bytes(builder.Output())


def _tensor(builder: flatbuffers.Builder, shape: tuple[int, ...]) -> int:
    """A value whose memory is the caller's."""
    fields = [
        Field(0, "Int8", FLOAT),
        made(2, numbers(builder, (BATCH, *shape[1:]), np.int32)),
        made(3, numbers(builder, range(len(shape)), np.uint8)),
        Field(8, "Int8", DYNAMIC),
    ]
    tensor = table(builder, fields)
    return table(builder, [Field(0, "Uint8", TENSOR), made(1, tensor)])


def _plan(builder: flatbuffers.Builder, values: Sequence[int]) -> int:
    """The method `forward`: one call, of the only backend, with both values."""
    arguments = numbers(builder, (0, 1), np.int32)
    call = table(builder, [made(1, arguments)])
    step = table(builder, [Field(0, "Uint8", DELEGATE_CALL), made(1, call)])
    ends = [numbers(builder, [number], np.int32) for number in (0, 1)]
    chain = table(builder, [made(0, ends[0]), made(1, ends[1]), made(2, offsets(builder, [step]))])
    inside = table(builder, [])  # the program's own data, the first
    name = builder.CreateString("XnnpackBackend")
    none = offsets(builder, [])
    backend = table(builder, [made(0, name), made(1, inside), made(2, none)])
    fields = [
        made(0, builder.CreateString("forward")),
        made(2, offsets(builder, values)),
        made(3, ends[0]),
        made(4, ends[1]),
        made(5, offsets(builder, [chain])),
        made(6, offsets(builder, [])),
        made(7, offsets(builder, [backend])),
        made(8, numbers(builder, [0], np.int64)),
    ]
    return table(builder, fields)
