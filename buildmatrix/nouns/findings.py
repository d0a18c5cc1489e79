"""What the audit holds files against, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from buildmatrix.nouns.target import Target


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict of the audit, with a stable code, a place and a way out."""

    code: str  # BM101
    severity: Severity
    file: str
    message: str
    hint: str

    def __str__(self) -> str:
        """One line for people, without the hint."""
        return f"{self.code} {self.file}: {self.message}"


@dataclass(frozen=True, slots=True)
class WantedMultiplies:
    """Kinds of vector multiplies that must be in each file that a glob names."""

    glob: str
    kinds: tuple[str, ...]  # fields of `Multiplies`


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """What the audit holds a tree against. Data, so that a test can say it in one line."""

    target: Target
    neon_required: tuple[str, ...] = ()  # globs on file paths in which NEON must be found: float32
    multiplies_required: tuple[WantedMultiplies, ...] = ()  # ... of the kinds that each names
    neon_forbidden: tuple[str, ...] = ()  # ... may not be found
    dispatched: tuple[str, ...] = ()  # ... that ask the CPU before they use what the target lacks
    provided: tuple[str, ...] = ()  # sonames the board has: libc's own
    # What is known of the libraries that the board has: soname to the highest version of each name
    # that it defines, as {"libstdc++.so.6": ("GLIBCXX_3.4.30", "CXXABI_1.3.13")}. A soname that is
    # not here is one of which nothing is known.
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    page_size: int = 0  # bytes, of the board's kernel; 0: not known, no limit
    memory: int = 0  # bytes, of the board, at most; 0: not known, no limit
    stray: bool = False  # other people's files: only what does not start is an error
