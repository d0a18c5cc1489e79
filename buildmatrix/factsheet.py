"""ELF facts as they stand in an audit document, and back."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from buildmatrix.nouns import ElfFacts

if TYPE_CHECKING:
    from collections.abc import Mapping


def document(facts: ElfFacts) -> dict[str, Any]:
    """All but the symbol table, which is larger than the rest by far."""
    row = asdict(replace(facts, symbols=None))
    del row["symbols"]
    return row


def facts_of(row: Mapping[str, Any]) -> ElfFacts:
    """The facts that `document` wrote, each record of its own type again; of symbols, nothing."""
    return _adapter().validate_python(row)


@cache
def _adapter() -> TypeAdapter[ElfFacts]:
    return TypeAdapter(ElfFacts)
