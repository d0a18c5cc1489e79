"""The audit's verdict on a built tree for one board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import audit, elf, glibc
from buildmatrix.nouns import AuditPolicy, Severity

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.baseline import Baseline
    from buildmatrix.nouns import ElfTree, Finding


# An error that does not say that the program fails to start: a file of another machine, which the
# loader passes over where it is not the program itself.
OTHER_REASONS = frozenset(["BM101"])


# What names that on which it hangs whether a run fails: instructions that the processor lacks, by
# the attributes and in the code; a library that is opened at run time, or is not found then; the
# kernel, and the ABI by which it is called; who writes a variable of which there are two.
OF_RUNS = frozenset(
    [
        "BM102",
        "BM110",
        "BM111",
        "BM112",
        "BM116",
        "BM117",
        "BM138",
        "BM149",
        "BM153",
        "BM156",
        "BM168",
        "BM174",
    ]
)


@dataclass(frozen=True, slots=True)
class Verdict:
    errors: tuple[Finding, ...]  # that say: it does not start
    others: tuple[Finding, ...]  # errors for another reason
    warnings: tuple[Finding, ...]

    @property
    def passes(self) -> bool:
        return not self.errors and not self.others

    @property
    def names_it(self) -> bool:
        findings = (*self.errors, *self.warnings)
        return any(finding.code in OF_RUNS for finding in findings)

    def codes(self) -> str:
        """The codes of the findings that name what it hangs on, each once."""
        findings = (*self.errors, *self.warnings)
        return " ".join(sorted({f.code for f in findings if f.code in OF_RUNS}))

    def words(self) -> str:
        """Each error's code, file and message, else each warning's code."""
        if errors := (*self.errors, *self.others):
            return "; ".join(f"{f.code} {f.file}: {f.message}" for f in errors)
        return " ".join(sorted({f.code for f in self.warnings}))


def read(tree: Path) -> ElfTree:
    return elf.survey(tree)


def judge(tree: ElfTree, baseline: Baseline) -> Verdict:
    """What `inv audit TREE --target BASELINE` finds, of a tree that was read once for all."""
    policy = AuditPolicy(
        baseline.target,
        provided=(*glibc.LIBRARIES, *baseline.provided, *baseline.files),
        libraries=baseline.libraries,
        page_size=baseline.page_size,
        stray=True,
    )
    findings = audit.judge_tree(tree, policy)
    errors = [f for f in findings if f.severity is Severity.ERROR]
    return Verdict(
        tuple(f for f in errors if f.code not in OTHER_REASONS or _is_the_program(f, tree)),
        tuple(f for f in errors if f.code in OTHER_REASONS and not _is_the_program(f, tree)),
        tuple(f for f in findings if f.severity is Severity.WARNING),
    )


def _is_the_program(finding: Finding, tree: ElfTree) -> bool:
    """A program of another machine does not start; a library of one may be passed over."""
    return finding.code == "BM101" and finding.file.startswith("bin/") and bool(tree.facts)
