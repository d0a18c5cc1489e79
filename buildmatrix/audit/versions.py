"""Rules about symbol versions: each that a file needs, against what will be there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from buildmatrix.audit.process import is_static
from buildmatrix.audit.rule import ERROR, Rule
from buildmatrix.nouns import version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.audit.process import Process
    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts, VersionNeed

RELR_VERSION, RELR_LIBC = "GLIBC_ABI_DT_RELR", "2.36"
DOTTED = re.compile(r"(?P<name>.*?)_(?P<number>\d+(?:\.\d+)*)")


def libc_floor(tree: Tree) -> Iterator[Fault]:
    floor = tree.target.libc_floor
    for facts in tree.own if floor else ():
        if facts.glibc_max and version_tuple(facts.glibc_max) > version_tuple(floor):
            yield facts.file, f"needs GLIBC_{facts.glibc_max}, the floor is GLIBC_{floor}"


def undefined_version(tree: Tree) -> Iterator[Fault]:
    told: set[Fault] = set()
    for process in tree.runs:
        for facts in process.files:
            for need in facts.linking.versions_needed:
                message = "" if need.weak else unmet(tree, process, need)
                if message and (facts.file, message) not in told:
                    told.add((facts.file, message))
                    yield facts.file, message


def unmet(tree: Tree, process: Process, need: VersionNeed) -> str:
    """What is wrong with a need for a version in a process; empty where it is met or not known."""
    provider = next((one for one in process.loaded if one.answers_to(need.library)), None)
    if provider is None:
        if any(one.name == need.library for one in process.missing):
            return ""  # said by the rule about libraries
        return f"needs {need.version} of {need.library}, and nothing loads {need.library}"
    if provider.facts is not None:
        defined = provider.facts.linking.versions_defined
        # A library without any version is accepted: the loader takes it for an older build.
        if not defined or need.version in defined:
            return ""
        return f"needs {need.version}, {provider.facts.file} ends at {_last(defined, need.version)}"
    if need.version.startswith("GLIBC_") and tree.target.libc_floor:
        return ""  # said by BM130, also of a board that lists its libc among its libraries
    known = tree.policy.libraries.get(need.library)
    if known is None or _reaches(known, need.version):
        return ""
    return f"needs {need.version}, the board's {need.library} ends at {_last(known, need.version)}"


def _reaches(known: Sequence[str], version: str) -> bool:
    """Whether one of the highest versions of a library stands for this one too."""
    match = DOTTED.fullmatch(version)
    if match is None:
        return True  # no number to compare by
    highest = (DOTTED.fullmatch(one) for one in known)
    numbers = [one["number"] for one in highest if one and one["name"] == match["name"]]
    return any(version_tuple(number) >= version_tuple(match["number"]) for number in numbers)


def _last(defined: Sequence[str], version: str) -> str:
    """The highest that a library defines of the version's kind."""
    kind = version.rpartition("_")[0]
    same = [one for one in defined if one.rpartition("_")[0] == kind and version_tuple(one)]
    return max(same, key=version_tuple, default=f"no {kind} at all")


def relr(tree: Tree) -> Iterator[Fault]:
    """Packed relative relocations: glibc wants them announced, and before 2.36 knows none."""
    floor = tree.target.libc_floor
    for facts in tree.own:
        if is_static(facts):
            continue  # it does its own
        if not facts.linking.relr or any(_announces(n) for n in facts.linking.versions_needed):
            continue
        if _asks_libc(facts):
            yield (
                facts.file,
                f"has DT_RELR and does not need {RELR_VERSION}: glibc from {RELR_LIBC} on refuses "
                f"it ('DT_RELR without {RELR_VERSION} dependency'), an older one does not read it",
            )
        elif floor and version_tuple(floor) < version_tuple(RELR_LIBC):
            yield facts.file, f"has DT_RELR, which glibc reads from {RELR_LIBC} on, not {floor}"


def _announces(need: VersionNeed) -> bool:
    return need.version == RELR_VERSION


def _asks_libc(facts: ElfFacts) -> bool:
    """The loader's own test: versions are needed, and libc is one of the libraries."""
    libc = any(name.startswith("libc.so.") for name in facts.needed)
    return libc and bool(facts.linking.versions_needed)


def promised_floor(tree: Tree) -> Iterator[Fault]:
    promised = tree.elf.promised_libc
    for facts in tree.own if promised else ():
        if facts.glibc_max and version_tuple(facts.glibc_max) > version_tuple(promised):
            yield (
                facts.file,
                f"needs GLIBC_{facts.glibc_max}, the wheel's tag says glibc {promised}",
            )


RULES = (
    Rule(
        "BM130",
        ERROR,
        "The file needs a newer glibc than the floor allows.",
        "Build with a toolchain of an older suite; "
        "`readelf --dyn-syms -W FILE` names the symbols of that version.",
        libc_floor,
    ),
    Rule(
        "BM131",
        ERROR,
        "A symbol version that is needed is defined by nobody.",
        "Ship the library of the compiler that built the file, or build with an older compiler; "
        "`readelf -V FILE` lists what it needs.",
        undefined_version,
    ),
    Rule(
        "BM132",
        ERROR,
        "The file has relocations in a form (DT_RELR) that the loader refuses or does not read.",
        "Link with -Wl,-z,pack-relative-relocs, which announces them, or without packing.",
        relr,
    ),
    Rule(
        "BM135",
        ERROR,
        "The file needs a newer glibc than the tag of its wheel says.",
        "Tag the wheel for what it needs (`auditwheel repair`), or build it in that tag's image.",
        promised_floor,
    ),
)
