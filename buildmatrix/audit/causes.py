"""Findings of one cause told once: what is wrong, how to mend it, and in which files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.nouns import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from buildmatrix.nouns import Finding

WORST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@dataclass(frozen=True, slots=True)
class Cause:
    """All findings that say the same, file apart."""

    code: str
    severity: Severity
    message: str
    hint: str
    files: tuple[str, ...]


def causes(findings: Iterable[Finding]) -> tuple[Cause, ...]:
    """The causes of findings: errors first, then by code and message, files as they come."""
    files: dict[tuple[int, str, str, str], list[str]] = {}
    for one in findings:
        key = (WORST_FIRST.index(one.severity), one.code, one.message, one.hint)
        files.setdefault(key, []).append(one.file)
    return tuple(
        Cause(code, WORST_FIRST[rank], message, hint, tuple(dict.fromkeys(files[key])))
        for key in sorted(files)
        for rank, code, message, hint in (key,)
    )
