"""The rule about weak names: who uses one without a look whether it is there needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.audit import offered
from buildmatrix.audit.rule import ERROR, Rule
from buildmatrix.audit.undefined import Around, definer
from buildmatrix.audit.versions import unmet
from buildmatrix.nouns import VersionNeed, version_tuple
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.process import Process
    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts, Import, Unasked

FEW = 3  # functions that one message names


def used_unasked(tree: Tree) -> Iterator[Fault]:
    """Of programs alone: who opens a library may bring its weak names."""
    told: set[tuple[str, str]] = set()
    for process in tree.runs:
        for facts in process.files if process.is_program else ():
            for one in facts.symbols.unasked if facts.symbols is not None else ():
                key = (facts.file, one.name.name)
                way = _way(process, facts, one) if key not in told else ""
                if way and _missing(tree, process, facts, one.name):
                    told.add(key)
                    uses, comes = ("calls", "jumps") if one.called else ("uses", "comes")
                    yield (
                        facts.file,
                        f"{uses} {one.name.name}, a weak name, without a look whether it is there, "
                        f"and nothing that {process.root.file} loads defines it: {way} {comes} to "
                        "address 0",
                    )


def unchosen(tree: Tree) -> Iterator[Fault]:
    """A run comes to such a call, or somebody binds to the name."""
    told: set[str] = set()
    for process in tree.runs:
        for facts in process.files:
            for one in facts.symbols.unchosen if facts.symbols is not None else ():
                called = one.offered and process.taken(facts, frozenset((one.name,)))
                if (one.path or called) and facts.file not in told:
                    told.add(facts.file)
                    way = ", ".join(one.path) or f"who calls {one.name}"
                    what = one.name or "an indirect function"
                    yield (
                        facts.file,
                        f"its resolver chooses nothing for {what}: {way} jumps to address 0",
                    )


def _way(process: Process, facts: ElfFacts, one: Unasked) -> str:
    """How a run comes to the call, in words; empty where it need not."""
    if one.path:
        return ", ".join(one.path)
    beside = (f.symbols for f in process.files if f is not facts and f.symbols is not None)
    imported = {name.name for table in beside for name in table.imports}
    names = sorted(imported.intersection(one.exports))
    return f"who calls {some(names, FEW)}" if names else ""


def _missing(tree: Tree, process: Process, facts: ElfFacts, name: Import) -> bool:
    """Whether it is sure that nobody defines the name."""
    around = Around.of(process)
    if not around.closed or definer(name, facts, (*process.files,), forgiving=True) is not None:
        return False
    if not name.version:
        return not offered.offers(around.board, name.name)
    floor, number = tree.target.libc_floor, name.version.removeprefix("GLIBC_")
    if number == name.version or not floor:
        return bool(unmet(tree, process, VersionNeed(name.library, name.version)))
    return version_tuple(number) > version_tuple(floor)


RULES = (
    Rule(
        "BM172",
        ERROR,
        "An indirect function (IFUNC) that is called is resolved to nothing.",
        "Let its resolver return a function whatever processor there is.",
        unchosen,
    ),
    Rule(
        "BM137",
        ERROR,
        "A name that may be missing (a weak one) is used as if it were there.",
        "Link with the library that defines it, or ask for its address before the call.",
        used_unasked,
    ),
)
