"""Judges ELF facts against a target: pure rules with stable codes; an error forbids shipping.

What a code means and how to mend it is said once, in RULES; docs/audit.md shows the same table
and a test holds the two together. The checks: `code` of the instructions, `linking` of the loader.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from buildmatrix.audit import (
    code,
    ends,
    entry,
    libraries,
    memory,
    names,
    needs,
    neon,
    notes,
    odd,
    paths,
    refused,
    room,
    threads,
    unasked,
    versions,
)
from buildmatrix.audit.rule import ERROR, WARNING, Rule
from buildmatrix.audit.tree import Tree
from buildmatrix.nouns import AuditPolicy, ElfFacts, ElfTree, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence


def judge(facts: Sequence[ElfFacts], policy: AuditPolicy) -> tuple[Finding, ...]:
    """Findings of files that lie as their names say; `judge_tree` says how they are held."""
    return judge_tree(ElfTree(tuple(facts)), policy)


def judge_tree(files: ElfTree, policy: AuditPolicy) -> tuple[Finding, ...]:
    """Findings of one tree, by file, then code. A file of another machine is judged no further."""
    tree = Tree(files, policy)
    found = [
        Finding(rule.code, rule.severity_for(policy), file, message, rule.hint)
        for rule in _rules(policy)
        for file, message in rule.check(tree)
    ]
    return tuple(sorted(found, key=lambda f: (f.file, f.code, f.message)))


def _rules(policy: AuditPolicy) -> Sequence[Rule]:
    """All of them; of a target without an operating system, where there is no loader and no
    process, those of code and of files that cannot be judged."""
    if not policy.target.bare:
        return RULES
    return [rule for rule in RULES if rule.code < LOADED or rule in odd.RULES]


LOADED = "BM130"  # the first code of a rule about a loader, a process, or a library of the board

# fmt: off
_RULES = (
    Rule("BM101", ERROR, "The file is for another machine.",
         "Compile with the target's cross compiler; build tools do not belong into a product.",
         code.wrong_machine),
    Rule("BM102", ERROR, "The file is ARM code of the ABI before EABI.",
         "Compile for the triple arm-linux-gnueabihf.",
         code.no_eabi),
    Rule("BM103", ERROR, "Floats are passed in other registers than the target passes them in.",
         "Compile everything, assembly included, with -mfloat-abi=hard (a gnueabihf compiler).",
         code.float_abi),
    Rule("BM110", ERROR, "The code may use instructions of a newer or another CPU architecture.",
         "Take -march from the toolchain, and no -mcpu or -march of the project's own.",
         code.unless_dispatched(code.cpu_arch)),
    Rule("BM111", ERROR, "The code may use floating-point instructions that the target lacks.",
         "Take -mfpu from the toolchain; a prebuilt library must be built anew.",
         code.unless_dispatched(code.fp_arch)),
    Rule("BM112", ERROR, "The code declares SIMD instructions that the target lacks.",
         "Take -mfpu from the toolchain; switch the project's own NEON option off.",
         code.unless_dispatched(code.simd)),
    Rule("BM113", WARNING, "There are NEON instructions that the attributes do not declare.",
         "See that the library asks the CPU before it uses them (FFmpeg does).",
         code.undeclared_neon),
    Rule("BM114", ERROR, "The compiler was told about the machine that it ran on.",
         "Take -march=native, -msse and the like out of the project's build files; where a "
         "configure step adds them by itself, give the flags on its command line.",
         code.host_leak, starts=True),
    Rule("BM115", WARNING, "Some of the code is for a newer CPU than the target.",
         "Harmless where the library asks the CPU first; otherwise take it out of `dispatched`.",
         code.dispatched),
    Rule("BM120", ERROR, "A library that must use NEON does not.",
         "Switch the library's NEON kernels on: -mfpu=neon alone does not choose them "
         "(OpenBLAS for ARMV7 wants HAVE_NEON=1).",
         neon.neon_absent),
    Rule("BM121", ERROR, "An audit rule of the recipe matches no file.",
         "Correct the glob in the recipe's audit section, or ship the file.",
         neon.glob_matches_nothing),
    Rule("BM122", ERROR, "A library that may not use NEON does.",
         "Switch its NEON kernels off, or drop the rule from the recipe.",
         neon.neon_present),
    Rule("BM123", WARNING, "Whether a library uses NEON cannot be told.",
         "Audit it before it is stripped: the mapping symbols of .symtab tell ARM from Thumb.",
         neon.neon_unknown),
)
# fmt: on
MODULES = (
    ends,
    entry,
    libraries,
    memory,
    names,
    needs,
    notes,
    odd,
    paths,
    refused,
    room,
    threads,
    unasked,
    versions,
)
RULES = tuple(
    sorted(chain(_RULES, *(module.RULES for module in MODULES)), key=lambda rule: rule.code)
)
