"""Rules about what the loader does: libraries and where they come from, and memory protection."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.nouns import version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts, Target


# -- libraries ----------------------------------------------------------------------------------


def libc_floor(tree: Tree) -> Iterator[Fault]:
    floor = tree.target.libc_floor
    for facts in tree.own if floor else ():
        if facts.glibc_max and version_tuple(facts.glibc_max) > version_tuple(floor):
            yield facts.file, f"needs GLIBC_{facts.glibc_max}, the floor is GLIBC_{floor}"


def missing_library(tree: Tree) -> Iterator[Fault]:
    there = {*_by_name(tree), *tree.policy.provided}
    for facts in tree.own:
        for name in facts.needed:
            if name not in there and not _is_foreign(name, tree.target):
                yield facts.file, f"needs {name}, which neither the bundle nor the board has"


def two_blas(tree: Tree) -> Iterator[Fault]:
    """Of a name that two libraries of one process offer, the loader gives all who ask the first."""
    known = _by_name(tree)
    asked_for = {id(known[name]) for f in tree.own for name in f.needed if name in known}
    for facts in tree.own:
        if id(facts) in asked_for:
            continue  # seen with what loads it
        loaded = _loaded(facts, known)
        for name in dict.fromkeys(name for one in loaded for name in one.blas):
            first, *others = (one.file for one in loaded if name in one.blas)
            if others:
                yield facts.file, f"{name} is in {first} and in {', '.join(others)}; the first wins"
                break


def _by_name(tree: Tree) -> dict[str, ElfFacts]:
    """Every file, by the names under which another may need it."""
    return {name: f for f in tree.own for name in (PurePosixPath(f.file).name, f.soname)}


def _loaded(facts: ElfFacts, known: Mapping[str, ElfFacts]) -> list[ElfFacts]:
    """A file and all it brings along, in the order in which the loader looks: breadth first."""
    found = [facts]
    for one in found:
        found += [lib for name in one.needed if (lib := known.get(name)) and lib not in found]
    return found


def foreign_library(tree: Tree) -> Iterator[Fault]:
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


def absolute_rpath(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        for entry in facts.rpath:
            if entry.startswith("/"):
                yield facts.file, f"rpath {entry} is a path of the machine that built it"


def straying_rpath(tree: Tree) -> Iterator[Fault]:
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


def executable_stack(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.executable_stack:
            yield facts.file, "asks for an executable stack (PT_GNU_STACK is RWE or absent)"


def text_relocations(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        if facts.text_relocations:
            yield facts.file, "has text relocations (DT_TEXTREL)"
