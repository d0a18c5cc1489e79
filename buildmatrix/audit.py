"""Judges ELF facts against a target: pure rules with stable codes; an error forbids shipping.

What a code means and how to mend it is said once, in RULES; docs/audit.md shows the same table
and a test holds the two together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.model import (
    FPU_RANK,
    AuditPolicy,
    ElfFacts,
    Finding,
    Severity,
    Target,
    version_tuple,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# Application-profile values of Tag_CPU_arch, oldest first. A core runs what stands before its own.
A_PROFILE = (
    *("Pre-v4", "v4", "v4T", "v5T", "v5TE", "v5TEJ", "v6", "v6K", "v6KZ", "v6T2", "v7"),
    *("v8", "v8.1-A", "v8.2-A", "v8.3-A", "v9"),
)

# What each -mfpu adds to the one before it in FPU_RANK, in the words of Tag_FP_arch and
# Tag_Advanced_SIMD_arch. Source: GCC's manual, ARM options; ADDENDA32.
FPU_GIVES = {
    "": (),
    "vfpv3-d16": ("VFPv1", "VFPv2", "VFPv3-D16"),
    "vfpv3": ("VFPv3",),
    "neon": ("NEONv1",),
    "neon-vfpv4": ("VFPv4", "VFPv4-D16", "NEONv1 with Fused-MAC"),
}

# An object in a static library is named LIBRARY.a(OBJECT).
OBJECT = re.compile(r"(?<=\.a)\(.*\)$")


@dataclass(frozen=True, slots=True)
class Tree:
    """What is judged: every file, and those of the target's machine."""

    facts: Sequence[ElfFacts]
    policy: AuditPolicy

    @property
    def target(self) -> Target:
        return self.policy.target

    @property
    def own(self) -> Iterator[ElfFacts]:
        return (f for f in self.facts if f.machine == self.target.machine)

    def matching(self, glob: str) -> Mapping[str, Sequence[ElfFacts]]:
        """Files whose path matches; a glob without a slash is held against the name alone.

        A static library is one file here, with the facts of its objects.
        """
        found: dict[str, list[ElfFacts]] = {}
        for facts in self.facts:
            file = OBJECT.sub("", facts.file)
            if _fits(file, glob):
                found.setdefault(file, []).append(facts)
        return found

    def dispatches(self, file: str) -> bool:
        return any(_fits(OBJECT.sub("", file), glob) for glob in self.policy.dispatched)


def _fits(file: str, glob: str) -> bool:
    return fnmatchcase(file if "/" in glob else PurePosixPath(file).name, glob)


Fault = tuple[str, str]  # file, message

# What only the machine that compiles knows. GCC's driver puts the host's processor in the place of
# -march=native, on x86 with the sizes of its caches, which nobody gives by hand.
HOST_SWITCH = r"-m(arch|cpu|tune)=native$|--param=l[12]-cache-"
X86_SWITCH = r"|-m(mmx|sse|ssse3|avx|3dnow|f16c)"  # in code for another machine


@dataclass(frozen=True, slots=True)
class Rule:
    code: str
    severity: Severity
    meaning: str
    hint: str
    check: Callable[[Tree], Iterator[Fault]]


def judge(facts: Sequence[ElfFacts], policy: AuditPolicy) -> tuple[Finding, ...]:
    """Findings of one tree, by file, then code. A file of another machine is judged no further."""
    tree = Tree(facts, policy)
    found = [
        Finding(rule.code, rule.severity, file, message, rule.hint)
        for rule in RULES
        for file, message in rule.check(tree)
    ]
    return tuple(sorted(found, key=lambda f: (f.file, f.code, f.message)))


def blocking(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that forbid shipping."""
    return tuple(f for f in findings if f.severity is Severity.ERROR)


# -- can it start at all ------------------------------------------------------------------------


def _wrong_machine(tree: Tree) -> Iterator[Fault]:
    for facts in tree.facts:
        if facts.machine != tree.target.machine:
            yield facts.file, f"built for {facts.machine}, the target is {tree.target.machine}"


def _not_eabi5(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.machine == "EM_ARM" and facts.eabi != 5:
            yield facts.file, f"EABI version {facts.eabi} in e_flags, the board's libc uses 5"


def _float_abi(tree: Tree) -> Iterator[Fault]:
    wanted = tree.target.float_abi
    for facts in tree.own:
        if facts.float_abi not in (wanted, "unspecified"):
            args = "VFP" if facts.vfp_args else "core"
            yield (
                facts.file,
                f"{facts.float_abi}-float ABI, the target is {wanted}-float "
                f"(Tag_ABI_VFP_args: {args} registers)",
            )


# -- instructions -------------------------------------------------------------------------------


def _cpu_arch(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        word = facts.cpu_arch
        highest = _profile_of(tree.target.march) if word else ""
        if word and word not in A_PROFILE[: A_PROFILE.index(highest) + 1]:
            yield facts.file, f"Tag_CPU_arch {word}, the target is {highest} ({tree.target.march})"


def _profile_of(march: str) -> str:
    """The Tag_CPU_arch value that -march=MARCH leads to: armv7-a gives v7, armv6kz v6KZ."""
    name = march.removeprefix("arm").lower()
    fitting = [word for word in A_PROFILE if name.startswith(word.lower())]
    if not fitting:
        raise InputError(f"unknown march '{march}'", hint="use a name that GCC knows, as armv7-a")
    return max(fitting, key=len)


def _fp_arch(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.fp_arch and facts.fp_arch not in _given_by(tree.target.fpu):
            yield facts.file, f"Tag_FP_arch {facts.fp_arch}, the target is {_fpu(tree)}"


def _simd(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.simd and facts.simd not in _given_by(tree.target.fpu):
            yield facts.file, f"Tag_Advanced_SIMD_arch {facts.simd}, the target is {_fpu(tree)}"


def _unless_dispatched(
    check: Callable[[Tree], Iterator[Fault]],
) -> Callable[[Tree], Iterator[Fault]]:
    """The check for files that use all they hold: the attributes are those of the newest kernel."""
    return lambda tree: (fault for fault in check(tree) if not tree.dispatches(fault[0]))


def _dispatched(tree: Tree) -> Iterator[Fault]:
    for check in (_cpu_arch, _fp_arch, _simd):
        for file, message in check(tree):
            if tree.dispatches(file):
                yield file, f"{message}; the recipe says that it asks the CPU first"


def _undeclared_neon(tree: Tree) -> Iterator[Fault]:
    if tree.target.machine != "EM_ARM" or "NEONv1" in _given_by(tree.target.fpu):
        return
    for facts in tree.own:
        if facts.neon_instructions and not facts.simd:
            yield (
                facts.file,
                f"{_count(facts.neon_instructions)} and no Tag_Advanced_SIMD_arch on {_fpu(tree)}",
            )


def _host_leak(tree: Tree) -> Iterator[Fault]:
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


def _count(number: int) -> str:
    return f"{number} quad-register float multiply instruction{'' if number == 1 else 's'}"


# -- NEON where it must be, and where it must not -----------------------------------------------


def _neon_absent(tree: Tree) -> Iterator[Fault]:
    for glob in tree.policy.neon_required:
        for file, parts in tree.matching(glob).items():
            own = [facts for facts in parts if facts.machine == tree.target.machine]
            if own and not any(facts.neon_instructions for facts in own):
                yield file, f"NEON must be here ('{glob}'): {_count(0)}{_tags(own)}"


def _tags(parts: Sequence[ElfFacts]) -> str:
    if parts[0].machine != "EM_ARM":
        return ""
    fp = " and ".join(sorted({facts.fp_arch or "absent" for facts in parts}))
    simd = " and ".join(sorted({facts.simd or "absent" for facts in parts}))
    return f", Tag_FP_arch {fp}, Tag_Advanced_SIMD_arch {simd}"


def _glob_matches_nothing(tree: Tree) -> Iterator[Fault]:
    globs = [("neon_required", g) for g in tree.policy.neon_required]
    globs += [("neon_forbidden", g) for g in tree.policy.neon_forbidden]
    globs += [("dispatched", g) for g in tree.policy.dispatched]
    for field, glob in globs:
        if not tree.matching(glob):
            yield glob, f"{field} names '{glob}' and no file matches"


def _neon_present(tree: Tree) -> Iterator[Fault]:
    for glob in tree.policy.neon_forbidden:
        for parts in tree.matching(glob).values():
            for facts in parts:
                if facts.neon_instructions or facts.simd:
                    figures = f"{_count(facts.neon_instructions)}{_tags([facts])}"
                    yield facts.file, f"NEON may not be here ('{glob}'): {figures}"


# -- libraries ----------------------------------------------------------------------------------


def _libc_floor(tree: Tree) -> Iterator[Fault]:
    floor = tree.target.libc_floor
    for facts in tree.own:
        if facts.glibc_max and version_tuple(facts.glibc_max) > version_tuple(floor):
            yield facts.file, f"needs GLIBC_{facts.glibc_max}, the floor is GLIBC_{floor}"


def _missing_library(tree: Tree) -> Iterator[Fault]:
    there = {f.soname for f in tree.own} | {PurePosixPath(f.file).name for f in tree.own}
    there |= set(tree.policy.provided)
    for facts in tree.own:
        for name in facts.needed:
            if name not in there and not _is_foreign(name, tree.target):
                yield facts.file, f"needs {name}, which neither the bundle nor the board has"


def _foreign_library(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        for name in facts.needed:
            if _is_foreign(name, tree.target):
                yield facts.file, f"needs {name}, which belongs to another libc or machine"


def _is_foreign(name: str, target: Target) -> bool:
    """A loader other than the target's, or the C library of musl or Android (plain libc.so)."""
    arm = "ld-linux-armhf.so.3" if target.float_abi == "hard" else "ld-linux.so.3"
    loaders = {"EM_AARCH64": "ld-linux-aarch64.so.1", "EM_X86_64": "ld-linux-x86-64.so.2"}
    loader = (loaders | {"EM_ARM": arm}).get(target.machine)
    if fnmatchcase(name, "ld-linux*.so.*") or name.startswith("ld64.so"):
        return name != loader
    return name == "libc.so" or name.startswith(("ld-musl-", "libc.musl-"))


def _absolute_rpath(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        for entry in facts.rpath:
            if entry.startswith("/"):
                yield facts.file, f"rpath {entry} is a path of the machine that built it"


def _straying_rpath(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        for entry in facts.rpath:
            if not entry.startswith(("/", "$ORIGIN", "${ORIGIN}")):
                yield facts.file, f"rpath '{entry}' depends on the folder the program is started in"
            elif _leaves(facts.file, entry):
                yield facts.file, f"rpath {entry} leaves the bundle"


def _leaves(file: str, entry: str) -> bool:
    """Whether $ORIGIN/... climbs out of the tree. What lies above a top-level file is unknown."""
    depth = len(PurePosixPath(file).parents) - 1
    for part in PurePosixPath(entry).parts[1:] if depth else ():
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


# -- memory protection --------------------------------------------------------------------------


def _executable_stack(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.executable_stack:
            yield facts.file, "asks for an executable stack (PT_GNU_STACK is RWE or absent)"


def _text_relocations(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.text_relocations:
            yield facts.file, "has text relocations (DT_TEXTREL)"


ERROR, WARNING = Severity.ERROR, Severity.WARNING
# fmt: off
RULES = (
    Rule("BM101", ERROR, "The file is for another machine.",
         "Compile with the target's cross compiler; build tools do not belong into a product.",
         _wrong_machine),
    Rule("BM102", ERROR, "The file is ARM code of another ABI version than EABI 5.",
         "Compile for the triple arm-linux-gnueabihf.",
         _not_eabi5),
    Rule("BM103", ERROR, "Floats are passed in other registers than the target passes them in.",
         "Compile everything, assembly included, with -mfloat-abi=hard (a gnueabihf compiler).",
         _float_abi),
    Rule("BM110", ERROR, "The code may use instructions of a newer or another CPU architecture.",
         "Take -march from the toolchain, and no -mcpu or -march of the project's own.",
         _unless_dispatched(_cpu_arch)),
    Rule("BM111", ERROR, "The code may use floating-point instructions that the target lacks.",
         "Take -mfpu from the toolchain; a prebuilt library must be built anew.",
         _unless_dispatched(_fp_arch)),
    Rule("BM112", ERROR, "The code declares SIMD instructions that the target lacks.",
         "Take -mfpu from the toolchain; switch the project's own NEON option off.",
         _unless_dispatched(_simd)),
    Rule("BM113", WARNING, "There are NEON instructions that the attributes do not declare.",
         "See that the library asks the CPU before it uses them (FFmpeg does).",
         _undeclared_neon),
    Rule("BM114", ERROR, "The compiler was told about the machine that it ran on.",
         "Take -march=native, -msse and the like out of the project's build files; where a "
         "configure step adds them by itself, give the flags on its command line.",
         _host_leak),
    Rule("BM115", WARNING, "Some of the code is for a newer CPU than the target.",
         "Harmless where the library asks the CPU first; otherwise take it out of `dispatched`.",
         _dispatched),
    Rule("BM120", ERROR, "A library that must use NEON does not.",
         "Switch the library's NEON kernels on: -mfpu=neon alone does not choose them "
         "(OpenBLAS for ARMV7 wants HAVE_NEON=1).",
         _neon_absent),
    Rule("BM121", ERROR, "An audit rule of the recipe matches no file.",
         "Correct the glob in the recipe's audit section, or ship the file.",
         _glob_matches_nothing),
    Rule("BM122", ERROR, "A library that may not use NEON does.",
         "Switch its NEON kernels off, or drop the rule from the recipe.",
         _neon_present),
    Rule("BM130", ERROR, "The file needs a newer glibc than the floor allows.",
         "Build with a toolchain of an older suite; "
         "`readelf --dyn-syms -W FILE` names the symbols of that version.",
         _libc_floor),
    Rule("BM140", ERROR, "A library that is needed comes with nobody.",
         "Add the recipe that builds it as a run dependency, or link it statically.",
         _missing_library),
    Rule("BM141", ERROR, "The file was linked for another libc or another loader.",
         "Link with the target's cross linker against glibc (not musl, Android or soft-float).",
         _foreign_library),
    Rule("BM150", ERROR, "The file looks for libraries under an absolute path.",
         "Link with -Wl,-rpath,'$ORIGIN/../lib', and with CMAKE_SKIP_RPATH=ON for libraries.",
         _absolute_rpath),
    Rule("BM151", ERROR, "The file looks for libraries outside its bundle.",
         "Use an rpath that begins with $ORIGIN and stays in the bundle: $ORIGIN/../lib.",
         _straying_rpath),
    Rule("BM160", ERROR, "The file makes the stack of the whole process executable.",
         "Link with -Wl,-z,noexecstack: assembly without a .note.GNU-stack section asks for it.",
         _executable_stack),
    Rule("BM161", WARNING, "The loader must write into the code, so its pages are not shared.",
         "Compile everything in the shared object with -fPIC.",
         _text_relocations),
)
# fmt: on
