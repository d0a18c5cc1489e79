"""Rules about vector multiplies: where a recipe wants NEON, of which kind, and where none."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from buildmatrix.nouns import ElfFacts, Multiplies, WantedMultiplies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.audit.tree import Fault, Tree

FLOAT = ("float32",)  # what a rule asks for that names no kind


def quad_multiplies(number: int) -> str:
    """That many float multiplies in quad registers, in words."""
    return f"{number} quad-register float multiply instruction{'' if number == 1 else 's'}"


def neon_absent(tree: Tree) -> Iterator[Fault]:
    for rule in _wanted(tree):
        for file, own in _own(tree, rule.glob):
            counts = _counts(own)
            absent = [kind for kind in rule.kinds if not counts[kind]]
            if not absent or not _all_known(own):
                continue
            wanted, figures = "NEON", quad_multiplies(0)
            if rule.kinds != FLOAT:
                wanted = f"vector multiplies of {' and '.join(absent)}"
                present = [f"{number} of {kind}" for kind, number in counts.items() if number]
                figures = ", ".join(present) or "none of any kind"
            yield file, f"{wanted} must be here ('{rule.glob}'): {figures}{_tags(own)}"


def neon_unknown(tree: Tree) -> Iterator[Fault]:
    """Files of which a recipe asks for NEON, or for none, and whose code could not be told."""
    unknown = "unknown, nothing tells its code from data"
    for rule in _wanted(tree):
        for file, own in _own(tree, rule.glob):
            counts = _counts(own)
            if not _all_known(own) and not all(counts[kind] for kind in rule.kinds):
                wanted = "NEON" if rule.kinds == FLOAT else " and ".join(rule.kinds)
                yield file, f"{wanted} must be here ('{rule.glob}'): {unknown}"
    for glob in tree.policy.neon_forbidden:
        for file, own in _own(tree, glob):
            if not _all_known(own) and not any(f.neon_instructions or f.simd for f in own):
                yield file, f"NEON may not be here ('{glob}'): {unknown}"


def _wanted(tree: Tree) -> Iterator[WantedMultiplies]:
    """The recipe's rules on what must multiply what, those without a kind first."""
    for glob in tree.policy.neon_required:
        yield WantedMultiplies(glob, FLOAT)
    yield from tree.policy.multiplies_required


def _own(tree: Tree, glob: str) -> Iterator[tuple[str, list[ElfFacts]]]:
    """Each file that the glob names, with its objects that are for the target's machine."""
    for file, parts in tree.matching(glob).items():
        own = [facts for facts in parts if facts.machine == tree.target.machine]
        if own:
            yield file, own


def _all_known(parts: Sequence[ElfFacts]) -> bool:
    return all(facts.neon_instructions is not None for facts in parts)


def _counts(parts: Sequence[ElfFacts]) -> dict[str, int]:
    """Multiplies by kind in those objects of a file whose code could be told from data."""
    counts = dict.fromkeys((one.name for one in fields(Multiplies)), 0)
    for facts in parts:
        known = facts.multiplies or Multiplies(float32=facts.neon_instructions or 0)
        for kind in counts:
            counts[kind] += getattr(known, kind)
    return counts


def _tags(parts: Sequence[ElfFacts]) -> str:
    if parts[0].machine != "EM_ARM":
        return ""
    fp = " and ".join(sorted({facts.fp_arch or "absent" for facts in parts}))
    simd = " and ".join(sorted({facts.simd or "absent" for facts in parts}))
    return f", Tag_FP_arch {fp}, Tag_Advanced_SIMD_arch {simd}"


def glob_matches_nothing(tree: Tree) -> Iterator[Fault]:
    globs = [("neon_required", rule.glob) for rule in _wanted(tree)]
    globs += [("neon_forbidden", g) for g in tree.policy.neon_forbidden]
    globs += [("dispatched", g) for g in tree.policy.dispatched]
    for field, glob in globs:
        if not tree.matching(glob):
            yield glob, f"{field} names '{glob}' and no file matches"


def neon_present(tree: Tree) -> Iterator[Fault]:
    for glob in tree.policy.neon_forbidden:
        for parts in tree.matching(glob).values():
            for facts in parts:
                if facts.neon_instructions or facts.simd:
                    figures = f"{quad_multiplies(facts.neon_instructions or 0)}{_tags([facts])}"
                    yield facts.file, f"NEON may not be here ('{glob}'): {figures}"
