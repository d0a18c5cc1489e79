"""The audit of one tree as a value, and the one way into JSON and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from buildmatrix.nouns import ElfFacts, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import TypeAdapter

VERSION = 1


@dataclass(frozen=True, slots=True)
class Audit:
    """What was read from the files of a tree, and what the rules say of them."""

    findings: tuple[Finding, ...]
    facts: tuple[ElfFacts, ...]

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that forbid shipping."""
        return blocking(self.findings)

    def to_json(self) -> dict[str, Any]:
        """A JSON object: version, findings, facts; of facts all but the symbol table, which is
        larger than the rest by far."""
        return {
            "version": VERSION,
            "findings": [asdict(finding) for finding in self.findings],
            "facts": [_without_symbols(facts) for facts in self.facts],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Audit:
        """The value that `to_json` was called on, records of their own types; no symbols."""
        audit: Audit = _types().validate_python(document)
        return audit


def blocking(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that forbid shipping."""
    return tuple(f for f in findings if f.severity is Severity.ERROR)


def findings_in(document: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The findings of such a JSON object alone, for who asks nothing of the facts: those are the
    larger part by far."""
    rows = document["findings"]
    return tuple(Finding(**{**row, "severity": Severity(row["severity"])}) for row in rows)


def _without_symbols(facts: ElfFacts) -> dict[str, Any]:
    row = asdict(replace(facts, symbols=None))
    del row["symbols"]
    return row


@cache
def _types() -> TypeAdapter[Any]:
    """What the fields' annotations say, as a reader of JSON's lists, words and objects."""
    from pydantic import TypeAdapter

    return TypeAdapter(Audit)
