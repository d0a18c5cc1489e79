"""Rules about what a file declares of its code: machine, ABI, instructions, compiler flags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from buildmatrix.audit.neon import quad_multiplies
from buildmatrix.audit.process import is_static
from buildmatrix.errors import InputError
from buildmatrix.isa.cores import compiled_for
from buildmatrix.isa.features import INTEGER32, features_of
from buildmatrix.nouns import FPU_RANK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from buildmatrix.audit.tree import Fault, Tree

# Application-profile values of Tag_CPU_arch, oldest first. A core runs what stands before its own.
A_PROFILE = (
    *("Pre-v4", "v4", "v4T", "v5T", "v5TE", "v5TEJ", "v6", "v6K", "v6KZ", "v6T2", "v7"),
    *("v8", "v8.1-A", "v8.2-A", "v8.3-A", "v9"),
)

# The same of microcontrollers. Source: ADDENDA32, Tag_CPU_arch and Tag_CPU_arch_profile.
M_PROFILE = ("v6-M", "v6S-M", "v7", "v7E-M")

# What each -mfpu adds to the one before it in FPU_RANK, in the words of Tag_FP_arch and
# Tag_Advanced_SIMD_arch. Source: GCC's manual, ARM options; ADDENDA32.
FPU_GIVES = {
    "": (),
    "vfpv2": ("VFPv1", "VFPv2"),
    "vfpv3-d16": ("VFPv3-D16",),
    "vfpv3": ("VFPv3",),
    "neon": ("NEONv1",),
    "neon-vfpv4": ("VFPv4", "VFPv4-D16", "NEONv1 with Fused-MAC"),
    "neon-fp-armv8": ("FP for ARMv8", "FPv5/FP-D16 for ARMv8", "NEON for ARMv8"),
    "crypto-neon-fp-armv8": (),  # has no attribute of its own
}

# What only the machine that compiles knows. GCC's driver puts the host's processor in the place of
# -march=native, on x86 with the sizes of its caches, which nobody gives by hand.
HOST_SWITCH = r"-m(arch|cpu|tune)=native$|--param=l[12]-cache-"
X86_SWITCH = r"|-m(mmx|sse|ssse3|avx|3dnow|f16c)"  # in code for another machine


# -- can it start at all ------------------------------------------------------------------------


def wrong_machine(tree: Tree) -> Iterator[Fault]:
    for facts in tree.facts:
        if facts.machine != tree.target.machine:
            yield facts.file, f"built for {facts.machine}, the target is {tree.target.machine}"


def no_eabi(tree: Tree) -> Iterator[Fault]:
    """1 to 4 are drafts of the same ABI: Tiny C writes 4, and Linux and glibc take all of them."""
    for facts in tree.own:
        if facts.machine == "EM_ARM" and not facts.eabi:
            yield facts.file, "no EABI version in e_flags (the old ABI), the board's libc uses 5"


def float_abi(tree: Tree) -> Iterator[Fault]:
    wanted = tree.target.float_abi
    for facts in tree.own:
        by_code = not facts.linking.soft_float_by_header and not is_static(facts)
        if facts.float_abi not in (wanted, "unspecified") and by_code:
            args = "VFP" if facts.vfp_args else "core"
            yield (
                facts.file,
                f"{facts.float_abi}-float ABI, the target is {wanted}-float "
                f"(Tag_ABI_VFP_args: {args} registers)",
            )


# -- instructions -------------------------------------------------------------------------------


def cpu_arch(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        word = facts.cpu_arch
        march = tree.target.march
        profile = M_PROFILE if march.endswith("-m") else A_PROFILE
        highest = _profile_of(march, profile) if word else ""
        if word and word not in profile[: profile.index(highest) + 1]:
            yield facts.file, f"Tag_CPU_arch {word}, the target is {highest} ({tree.target.march})"


def _profile_of(march: str, profile: tuple[str, ...]) -> str:
    """The Tag_CPU_arch value that -march=MARCH leads to: armv7-a gives v7, armv6kz v6KZ."""
    name = march.removeprefix("arm").lower()
    fitting = [word for word in profile if name.startswith(word.lower())]
    if not fitting:
        raise InputError(f"unknown march '{march}'", hint="use a name that GCC knows, as armv7-a")
    return max(fitting, key=len)


def fp_arch(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.fp_arch and facts.fp_arch not in _given_by(tree.target.fpu):
            yield facts.file, f"Tag_FP_arch {facts.fp_arch}, the target is {_fpu(tree)}"


def simd(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.simd and facts.simd not in _given_by(tree.target.fpu):
            yield facts.file, f"Tag_Advanced_SIMD_arch {facts.simd}, the target is {_fpu(tree)}"


def unless_dispatched(
    check: Callable[[Tree], Iterator[Fault]],
) -> Callable[[Tree], Iterator[Fault]]:
    """The check for files that use all they hold: the attributes are those of the newest kernel.

    Where the code was read and holds nothing that the target lacks, or asks the processor first,
    the attributes say more than the code needs: BM115 tells it, and BM116 judges the code.
    """

    def of_what_runs(tree: Tree) -> Iterator[Fault]:
        excused = _says_more(tree, check)
        for file, message in check(tree):
            if not tree.dispatches(file) and file not in excused:
                yield file, message

    return of_what_runs


def _says_more(tree: Tree, check: Callable[[Tree], Iterator[Fault]]) -> Mapping[str, str]:
    """Files whose attributes alone are for a newer processor, each with why that is no error.

    The attributes of the floating-point unit say nothing of integer instructions: a Cortex-A9
    lacks division, and BM116 and BM117 judge that.
    """
    given = features_of(tree.target)
    if check is not cpu_arch:
        given |= INTEGER32
    reasons = {}
    for facts in tree.own:
        if facts.features is None:
            continue
        lacking = [use for use in facts.features if use.feature not in given]
        if facts.asks_cpu:
            reasons[facts.file] = "the file asks the processor what it has"
        elif not lacking:
            reasons[facts.file] = "no instruction in the code needs it"
        elif all(use.unreached for use in lacking):
            reasons[facts.file] = "nothing in the file leads to the functions that need it"
    return reasons


def dispatched(tree: Tree) -> Iterator[Fault]:
    for check in (cpu_arch, fp_arch, simd):
        excused = _says_more(tree, check)
        for file, message in check(tree):
            if tree.dispatches(file):
                yield file, f"{message}; the recipe says that it asks the CPU first"
            elif reason := excused.get(file):
                yield file, f"{message}; {reason}"
    yield from _compiled_for_newer(tree)


def _compiled_for_newer(tree: Tree) -> Iterator[Fault]:
    """AArch64 has no attributes; the switches that a compiler wrote down say as much."""
    given = features_of(tree.target)
    for facts in tree.own:
        lacks_none = facts.features is not None and given.issuperset(
            use.feature for use in facts.features
        )
        if facts.machine == "EM_AARCH64" and lacks_none:
            for switch in facts.machine_switches:
                if compiled_for(facts.machine, [switch]) - given:
                    yield facts.file, f"compiled with {switch}; no instruction in the code needs it"
                    break


def undeclared_neon(tree: Tree) -> Iterator[Fault]:
    if tree.target.machine != "EM_ARM" or "NEONv1" in _given_by(tree.target.fpu):
        return
    for facts in tree.own:
        if facts.neon_instructions and not facts.simd:
            figures = quad_multiplies(facts.neon_instructions)
            yield facts.file, f"{figures} and no Tag_Advanced_SIMD_arch on {_fpu(tree)}"


def host_leak(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        foreign = "" if facts.machine in ("EM_386", "EM_X86_64") else X86_SWITCH
        told = [s for s in facts.machine_switches if re.match(f"{HOST_SWITCH}{foreign}", s)]
        if told:
            yield facts.file, f"its compiler was told {' '.join(told)}"


def _given_by(fpu: str) -> tuple[str, ...]:
    ranked = FPU_RANK[: FPU_RANK.index(fpu) + 1]
    return tuple(word for name in ranked for word in FPU_GIVES[name])


def _fpu(tree: Tree) -> str:
    return tree.target.fpu or "without an FPU"
