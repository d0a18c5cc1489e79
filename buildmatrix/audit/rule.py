"""What a rule is: a stable code, what it means, how to mend it, and the check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.nouns import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from buildmatrix.audit.tree import Fault, Tree

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


@dataclass(frozen=True, slots=True)
class Rule:
    """`meaning` and `hint` are whole sentences that hold for every file the check names."""

    code: str
    severity: Severity
    meaning: str
    hint: str
    check: Callable[[Tree], Iterator[Fault]]
