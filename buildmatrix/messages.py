"""Protobuf messages from a schema written as data: the part of it that a chain of layers needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message

Schema = dict[str, dict[str, tuple[int, str]]]  # message -> field -> (number, type); see messages()
Enums = dict[str, dict[str, int]]

SCALARS = {"string", "bytes", "float", "bool", "int32", "int64", "uint32"}


def messages(
    package: str, schema: Schema, enums: Enums | None = None
) -> Mapping[str, Callable[..., Message]]:
    """Message classes of the schema, in a pool of their own. A type with '*' is repeated, with
    '**' repeated and packed; one that is no scalar is a message or an enumeration.

    Described as proto2, so that a field which is set is written, also when it is zero. Members of
    a oneof need that, and otherwise the bytes are the same in both syntaxes.
    """
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    for name, values in (enums or {}).items():
        enum = file.enum_type.add(name=name)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in schema.items():
        described = file.message_type.add(name=name)
        described.field.extend(_field(field, *kind) for field, kind in fields.items())
    pool = DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"{package}.{name}") for name in schema)
    return {one.name: GetMessageClass(one) for one in found}


def _field(name: str, number: int, kind: str) -> FieldDescriptorProto:
    base = kind.rstrip("*")
    field = FieldDescriptorProto(name=name, number=number)
    field.label = field.LABEL_OPTIONAL if kind == base else field.LABEL_REPEATED
    if base in SCALARS:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{base.upper()}")
    else:
        field.type_name = base  # the pool finds out which it is
    if kind.endswith("**"):
        field.options.packed = True
    return field
