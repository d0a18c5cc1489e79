"""Selectors: which values an entry speaks of. Lists mean 'any of', text may be a glob."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from buildmatrix.nouns import Scalar

LONGEST = 1_000  # characters of a glob


def _scalar(value: object) -> Scalar:
    """Told apart strictly: `1` is no boolean, and `0.3` is not a version."""
    if isinstance(value, bool | int | str):
        return value
    raise PydanticCustomError("scalar", "must be text (in quotes), a whole number, true or false")


def _scalars(value: object) -> Scalar | list[Scalar]:
    return [_scalar(item) for item in value] if isinstance(value, list) else _scalar(value)


_SCALAR = {"type": ["boolean", "integer", "string"]}

# One validator in place of a union: a union would tell each of its members' complaints.
Value = Annotated[bool | int | str, PlainValidator(_scalar), WithJsonSchema(_SCALAR)]
Values = Annotated[
    bool | int | str | list[bool | int | str],
    PlainValidator(_scalars),
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}),
]
Selector = Mapping[str, Values]


def matches(selector: Mapping[str, Scalar | list[Scalar]], values: Mapping[str, Scalar]) -> bool:
    """True when every name of the selector has one of its values.

    >>> matches({"stack": ["caffe", "mx*"]}, {"stack": "mxnet", "neon": True})
    True
    >>> matches({"neon": True}, {"stack": "mxnet"})
    False
    """
    return all(
        name in values and any(_same(wanted, values[name]) for wanted in listed(wanted_values))
        for name, wanted_values in selector.items()
    )


def fits(text: str, glob: str) -> bool:
    """True when the text fits the glob; one of more than LONGEST characters fits nothing.

    Python 3.11 reads a glob of 20,000 brackets for 20 s (fnmatch.translate, the square of them).
    """
    return len(glob) <= LONGEST and fnmatchcase(text, glob)


def matches_id(patterns: tuple[str, ...], identifier: str) -> bool:
    """True when a cell id fits one of the globs, or when there are none."""
    return not patterns or any(fits(identifier, pattern) for pattern in patterns)


def listed(value: Scalar | list[Scalar]) -> list[Scalar]:
    """The values that one name of a selector may have."""
    return value if isinstance(value, list) else [value]


def _same(wanted: Scalar, value: Scalar) -> bool:
    if isinstance(wanted, str) and isinstance(value, str):
        return fits(value, wanted)
    return type(wanted) is type(value) and wanted == value
