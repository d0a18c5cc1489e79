"""Selectors: which values an entry speaks of. Lists mean 'any of', text may be a glob."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StrictBool, StrictInt, StrictStr

if TYPE_CHECKING:
    from buildmatrix.model import Scalar

# Strict members, so that `1` does not silently become `true` or "1".
Value = Annotated[StrictBool | StrictInt | StrictStr, Field(union_mode="left_to_right")]
Selector = Mapping[str, Value | list[Value]]


def matches(selector: Mapping[str, Scalar | list[Scalar]], values: Mapping[str, Scalar]) -> bool:
    """True when every name of the selector has one of its values.

    >>> matches({"stack": ["caffe", "mx*"]}, {"stack": "mxnet", "neon": True})
    True
    >>> matches({"neon": True}, {"stack": "mxnet"})
    False
    """
    return all(
        name in values and any(_same(wanted, values[name]) for wanted in _listed(wanted_values))
        for name, wanted_values in selector.items()
    )


def matches_id(patterns: tuple[str, ...], identifier: str) -> bool:
    """True when a cell id fits one of the globs, or when there are none."""
    return not patterns or any(fnmatchcase(identifier, pattern) for pattern in patterns)


def _listed(value: Scalar | list[Scalar]) -> list[Scalar]:
    return value if isinstance(value, list) else [value]


def _same(wanted: Scalar, value: Scalar) -> bool:
    if isinstance(wanted, str) and isinstance(value, str):
        return fnmatchcase(value, wanted)
    return type(wanted) is type(value) and wanted == value
