"""Rules about what the instructions need of the processor, read from the code itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.audit.rule import ERROR, WARNING, Rule
from buildmatrix.audit.tree import OBJECT
from buildmatrix.isa.features import features_of
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import CompiledFor, ElfFacts, FeatureUse

# What people call the features whose word in /proc/cpuinfo says little.
SPOKEN = {
    "armv8": "ARMv8 in 32-bit state",
    "asimddp": "dot products",
    "asimdfhm": "half-precision multiplies into single",
    "asimdhp": "half-precision vectors",
    "asimdrdm": "rounding multiply-add",
    "atomics": "large-system atomics",
    "fcma": "complex numbers",
    "fphp": "half-precision scalars",
    "i8mm": "8-bit matrix multiplies",
    "idiva": "division in ARM code",
    "idivt": "division in Thumb code",
    "lrcpc": "weaker acquire loads",
    "paca": "pointer authentication",
    "pmu": "the counters of the performance monitor",
    "privileged": "for the kernel alone",
    "rng": "random numbers",
    "v6t2": "ARMv6T2",
    "v7": "ARMv7",
    "vfpv4": "fused multiply-add",
}
FEW = 3  # features and functions that one message names

# Features that no attribute older than these declares: Tag_CPU_arch, Tag_FP_arch.
ARMV8 = frozenset(
    (
        *("armv8", "crc32", "aes", "pmull", "sha1", "sha2"),
        *("asimdrdm", "asimddp", "asimdhp", "fphp", "i8mm", "bf16"),
    )
)
BEFORE_ARMV8 = ("Pre-v4", "v4", "v4T", "v5T", "v5TE", "v5TEJ", "v6", "v6K", "v6KZ", "v6T2", "v7")
BEFORE_VFPV4 = ("VFPv1", "VFPv2", "VFPv3", "VFPv3-D16")
# The kernel gives every program what this asks for.
EMULATED = frozenset(("cpuid",))


def unavoidable(tree: Tree) -> Iterator[Fault]:
    """A run comes to such an instruction without asking the processor first."""
    for facts in tree.own:
        for use in _lacking(tree, facts):
            if way := _way(tree, facts, use):
                yield facts.file, f"needs {_spoken(use)}, which the target lacks: {way}"
                break


def _way(tree: Tree, facts: ElfFacts, use: FeatureUse) -> str:
    """How a run comes to the feature, in words; empty where it need not."""
    if use.path:
        return f"{', '.join(use.path)} runs into it"
    if names := sorted(_called(tree, facts, use)):
        return f"who calls {some(names, FEW)} runs into it"
    if use.compiled is not None and _entered(tree, facts, use.compiled):
        unit, switch = use.compiled.unit, use.compiled.switch
        return f"{unit} was compiled for it as a whole ({switch}), and nothing asks the processor"
    return ""


def _entered(tree: Tree, facts: ElfFacts, unit: CompiledFor) -> bool:
    """Whether a run may come into a source file that was compiled for a newer processor."""
    if tree.dispatches(facts.file) or facts.file in tree.asking:
        return False
    return unit.started or bool(_imported(tree, facts, unit.exports))


def _called(tree: Tree, facts: ElfFacts, use: FeatureUse) -> frozenset[str]:
    """The exported functions that come to the feature and that somebody may call who did not ask.

    Nothing where a file that is loaded with it asks the processor.
    """
    if not use.exports or tree.dispatches(facts.file) or facts.file in tree.asking:
        return frozenset()
    return _imported(tree, facts, use.exports)


def _imported(tree: Tree, facts: ElfFacts, exports: Sequence[str]) -> frozenset[str]:
    """Of a program, or a library that only the tree's own programs load, the names that one of
    them, or what it loads, takes from it; of another library all."""
    offered, around = frozenset(exports), tree.around.get(facts.file, ())
    if not offered:
        return frozenset()
    if not all(process.is_program for process in around):
        return offered
    return frozenset[str]().union(*(process.taken(facts, offered) for process in around))


def dispatchable(tree: Tree) -> Iterator[Fault]:
    """Such instructions that a run may leave out; of a static library in one finding.

    Those of outline atomics, which ask by themselves, are none.
    """
    for file, parts in _by_file(tree).items():
        uses: dict[str, FeatureUse] = {}
        counts: dict[str, int] = {}
        for facts in parts:
            for use in _lacking(tree, facts):
                open_ones = use.count - use.guarded
                if open_ones and not _way(tree, facts, use):
                    uses.setdefault(use.feature, use)
                    counts[use.feature] = counts.get(use.feature, 0) + open_ones
        if uses and not tree.dispatches(file):
            most = sorted(counts, key=lambda feature: -counts[feature])
            shown = [f"{counts[f]} of {_spoken(uses[f])}{_where(uses[f])}" for f in most]
            all_of_them = some(shown, FEW, between="; ")
            yield file, f"has instructions that the target lacks: {all_of_them}"


def understated(tree: Tree) -> Iterator[Fault]:
    """The attributes name an older processor than the code needs (lld keeps the first object's)."""
    for facts in tree.own:
        uses = {use.feature: use for use in facts.features or ()}
        newer = [use for feature, use in uses.items() if feature in ARMV8]
        fused = uses.get("vfpv4")
        if facts.cpu_arch in BEFORE_ARMV8 and newer:
            use = newer[0]
            yield (
                facts.file,
                f"Tag_CPU_arch {facts.cpu_arch}, and {use.count} instructions of {_spoken(use)}"
                f"{_where(use)}",
            )
        elif facts.fp_arch in BEFORE_VFPV4 and fused:
            yield (
                facts.file,
                f"Tag_FP_arch {facts.fp_arch}, and {fused.count} instructions of "
                f"{_spoken(fused)}{_where(fused)}",
            )


def _lacking(tree: Tree, facts: ElfFacts) -> Sequence[FeatureUse]:
    has = features_of(tree.target) | EMULATED
    # Linux hides it where it is broken (Cortex-A76, erratum 3194386); the register is there.
    has |= {"ssbs"} if "asimddp" in has else set()
    return [use for use in facts.features or () if use.feature not in has]


def _by_file(tree: Tree) -> dict[str, list[ElfFacts]]:
    files: dict[str, list[ElfFacts]] = {}
    for facts in tree.own:
        files.setdefault(OBJECT.sub("", facts.file), []).append(facts)
    return files


def _spoken(use: FeatureUse) -> str:
    words = SPOKEN.get(use.feature)
    return f"{use.feature} ({words})" if words else use.feature


def _where(use: FeatureUse) -> str:
    return f" in {some(use.functions, FEW, total=use.holders)}" if use.functions else ""


RULES = (
    Rule(
        "BM116",
        ERROR,
        "A run cannot but come to an instruction that the target's processor lacks.",
        "Build it for the target's -march and -mfpu; a prebuilt file of this kind needs another "
        "release or a newer board.",
        unavoidable,
    ),
    Rule(
        "BM117",
        WARNING,
        "There are instructions that the target's processor lacks, where a run may not come.",
        "See that the file asks the processor before it uses them, and name it in `dispatched`.",
        dispatchable,
    ),
    Rule(
        "BM118",
        WARNING,
        "The attributes declare an older processor than the code is for.",
        "Take the code's word: lld keeps the attributes of the first object only, and an assembler "
        "file or a function's own target may say less than it holds.",
        understated,
    ),
)
