"""Tables of a flatbuffer for schemas that have no bindings here: fields by their place and type."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import flatbuffers

ALIGNMENT = 16  # of a buffer's bytes: force_align in both of ExecuTorch's schemas


class Field(NamedTuple):
    """One field that a table has: its number in the schema, its type there, and its value.

    `kind` is a name of flatbuffers' Python builder (Uint32, Int8, Float32 …), or UOffsetTRelative
    for what was made before and is told by its offset.
    """

    place: int
    kind: str
    value: float


def table(builder: flatbuffers.Builder, fields: Iterable[Field]) -> int:
    """The offset of a new table with these fields and no others."""
    given = list(fields)
    builder.StartObject(1 + max((field.place for field in given), default=0))
    for field in given:
        prepend = getattr(builder, f"Prepend{field.kind}Slot")
        prepend(field.place, field.value, 0 if field.kind != "Float32" else 0.0)
    return int(builder.EndObject())


def made(place: int, offset: int) -> Field:
    """A field that is a table, a vector or a text."""
    return Field(place, "UOffsetTRelative", offset)


def counted(first: int, values: Iterable[int]) -> list[Field]:
    """Fields of uint, one behind the other from this place on."""
    return [Field(first + i, "Uint32", value) for i, value in enumerate(values)]


def offsets(builder: flatbuffers.Builder, items: Sequence[int]) -> int:
    """A vector of what was made before."""
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return int(builder.EndVector())


def numbers(builder: flatbuffers.Builder, items: Sequence[int], kind: type) -> int:
    """A vector of numbers of this NumPy type."""
    return int(builder.CreateNumpyVector(np.array(items, kind)))


def content(builder: flatbuffers.Builder, data: bytes) -> int:
    """A vector of bytes, aligned so that what lies in it may be read as numbers."""
    builder.StartVector(1, len(data), ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return int(builder.EndVector())
