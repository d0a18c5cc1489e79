"""What a rule is: a stable code, what it means, how to mend it, and the check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.nouns import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import AuditPolicy

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


@dataclass(frozen=True, slots=True)
class Rule:
    """`meaning` and `hint` are whole sentences that hold for every file the check names."""

    code: str
    severity: Severity
    meaning: str
    hint: str
    check: Callable[[Tree], Iterator[Fault]]
    starts: bool = False  # the loader starts it all the same: no error in other people's files

    def severity_for(self, policy: AuditPolicy) -> Severity:
        """What the rule's findings are worth: for a stray tree an error is what does not start."""
        milder = self.starts and policy.stray and self.severity is ERROR
        return WARNING if milder else self.severity
