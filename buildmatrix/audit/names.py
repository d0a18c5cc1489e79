"""Rules about names: each that a process needs must be defined in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.audit import offered
from buildmatrix.audit.rule import ERROR, WARNING, Rule
from buildmatrix.audit.undefined import definer
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import Import

SHOWN = 5  # names of one finding


def undefined(tree: Tree) -> Iterator[Fault]:
    """In a program all of them; in a library that some program will load, what only a library
    offers, for whoever loads it may define the others."""
    for one in tree.undefined:
        if one.process.is_program:
            ways = "loads and opens" if one.process.later else "loads"
            yield one.facts.file, _words(one.names, f"in what {one.process.root.file} {ways}")
        elif alone := [name for name in one.names if _is_a_librarys(tree, name)]:
            yield one.facts.file, _words(alone, "in what it loads")


def left_to_the_program(tree: Tree) -> Iterator[Fault]:
    for one in tree.undefined:
        rest = [name for name in one.names if not _is_a_librarys(tree, name)]
        if not one.process.is_program and rest:
            yield one.facts.file, _words(rest, "in what it loads")


def two_kinds(tree: Tree) -> Iterator[Fault]:
    messages: set[Fault] = set()
    for one in tree.mismatched:
        kinds = ("thread-local", "an ordinary name")
        here, there = kinds if one.name.thread_local else kinds[::-1]
        words = f"{one.name.name} is {here} in it and {there} in {one.definer.file}"
        if (fault := (one.asker.file, words)) not in messages:
            messages.add(fault)
            yield fault


def two_places(tree: Tree) -> Iterator[Fault]:
    """A library goes on with its own variable where it is protected; what either side writes the
    other does not see."""
    for process in tree.processes:
        files = (*process.files,)
        table = process.root.symbols if process.is_program else None
        for one in table.imports if table is not None else ():
            there = definer(one, process.root, files, forgiving=True) if one.copied else None
            if there and there.symbols and one.name in there.symbols.protected:
                yield (
                    process.root.file,
                    f"has room of its own for {one.name}, and {there.file} goes on with its own, "
                    "which is protected: neither sees what the other writes",
                )


def _is_a_librarys(tree: Tree, one: Import) -> bool:
    return bool(one.version) or (
        bool(offered.linked_with(one.name)) and one.name not in tree.program_exports
    )


def _words(names: Sequence[Import], where: str) -> str:
    shown = [one.name + (f"@{one.version}" if one.version else "") for one in names]
    hints = dict.fromkeys(filter(None, (offered.linked_with(one.name) for one in names)))
    owner = f"; link with {' and '.join(hints)}" if hints else ""
    verb = "is" if len(shown) == 1 else "are"
    return f"{some(shown, SHOWN)} {verb} defined nowhere {where}{owner}"


RULES = (
    Rule(
        "BM138",
        WARNING,
        "A variable lies in the program and, protected, in its library as well.",
        "Link the program as a position-independent one (-pie, the compiler's default), or give "
        "the variable the default visibility.",
        two_places,
    ),
    Rule(
        "BM136",
        ERROR,
        "A name is thread-local on one side and an ordinary variable on the other.",
        "Build both from the same headers; the loader compares no kinds, and the file reads "
        "memory that is not the variable's.",
        two_kinds,
    ),
    Rule(
        "BM143",
        ERROR,
        "Names that the file needs are defined nowhere in the process.",
        "Link with the library that defines them; -Wl,--no-undefined tells when it is built, "
        "`ldd -r FILE` on the board.",
        undefined,
    ),
    Rule(
        "BM144",
        WARNING,
        "Names that the library needs are left to the program that loads it.",
        "Harmless in a plug-in of a program that exports them (-rdynamic); otherwise link with the "
        "library that defines them.",
        left_to_the_program,
    ),
)
