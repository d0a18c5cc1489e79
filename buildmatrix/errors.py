"""The error tree: what happened, where, what to do next, and the exit code it leads to.

BuildmatrixError (1)
├── UsageError (2)            the command line
├── InputError (3)            matrix, recipe, toolchain, model: what people write
├── BuildError (4)            a cell failed to build
│   ├── SourceUnavailable     no alternate of a source answered (not a failure of the cell's code)
│   └── DamageError           stored content is not what was written: forgotten, made anew (1)
├── AuditError (5)            findings that forbid shipping
├── DeviceError (6)           device or SSH, permanent: do not retry
│   └── LinkLost              transient: the same call may succeed
├── BenchError (7)            benchmark failed or a wrong answer
├── RegressionError (8)
└── NotCachedError (9)        --frozen
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file a person wrote; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class BuildmatrixError(Exception):
    """Base of every error a user may see.

    `brief` is one sentence of what is wrong, `where` the place (file:line:column for YAML),
    `hint` an imperative that says what to do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, brief: str, *, where: Location | str | None = None, details: str = "", hint: str = ""
    ) -> None:
        super().__init__(brief)
        self.brief = brief
        self.where = where
        self.details = details
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.brief}" if self.where else self.brief
        parts = [head, self.details.rstrip(), f"next: {self.hint}" if self.hint else ""]
        return "\n".join(part for part in parts if part)


class UsageError(BuildmatrixError):
    exit_code = 2


class InputError(BuildmatrixError):
    exit_code = 3


class BuildError(BuildmatrixError):
    exit_code = 4


class SourceUnavailable(BuildError):
    """No alternate of a source could be had here; the cell is reported, the others go on."""


class DamageError(BuildError):
    """Stored content is not what was written; nothing counts on it any more."""

    exit_code = 1


class AuditError(BuildmatrixError):
    exit_code = 5


class DeviceError(BuildmatrixError):
    exit_code = 6


class LinkLost(DeviceError):
    """The connection broke or never answered; trying again may help."""


class BenchError(BuildmatrixError):
    exit_code = 7


class RegressionError(BuildmatrixError):
    exit_code = 8


class NotCachedError(BuildmatrixError):
    exit_code = 9


def did_you_mean(word: object, allowed: list[str]) -> str:
    """' (did you mean 'stack'?)', or nothing when no known word is near.

    >>> did_you_mean("stak", ["stack", "name"])
    " (did you mean 'stack'?)"
    """
    near = difflib.get_close_matches(str(word), allowed, n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""
