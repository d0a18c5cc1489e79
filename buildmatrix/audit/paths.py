"""Rules about DT_RPATH and DT_RUNPATH."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit.rule import ERROR, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts


def absolute_rpath(tree: Tree) -> Iterator[Fault]:
    """In a root folder an absolute path is a place of the board, as Debian's packages have it."""
    for facts in tree.own if not tree.elf.rooted else ():
        for entry in _entries(facts):
            if entry.startswith("/"):
                yield facts.file, f"rpath {entry} is a path of the machine that built it"


def straying_rpath(tree: Tree) -> Iterator[Fault]:
    for facts in tree.own:
        for entry in _entries(facts):
            if not entry.startswith(("/", "$ORIGIN", "${ORIGIN}")):
                yield facts.file, f"rpath '{entry}' depends on the folder the program is started in"
            elif _leaves(facts.file, entry):
                yield facts.file, f"rpath {entry} leaves the bundle"


def _entries(facts: ElfFacts) -> tuple[str, ...]:
    return (*facts.rpath, *facts.runpath)


def _leaves(file: str, entry: str) -> bool:
    """Whether $ORIGIN/... climbs out of the tree. What lies above a top-level file is unknown."""
    depth = len(PurePosixPath(file).parents) - 1
    for part in PurePosixPath(entry).parts[1:] if depth else ():
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


RULES = (
    Rule(
        "BM150",
        ERROR,
        "The file looks for libraries under an absolute path.",
        "Link with -Wl,-rpath,'$ORIGIN/../lib', and with CMAKE_SKIP_RPATH=ON for libraries.",
        absolute_rpath,
        starts=True,
    ),
    Rule(
        "BM151",
        ERROR,
        "The file looks for libraries outside its bundle.",
        "Use an rpath that begins with $ORIGIN and stays in the bundle: $ORIGIN/../lib.",
        straying_rpath,
        starts=True,
    ),
)
