"""One process: a program or a library, all that it brings along, and what it asks for in vain."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.nouns import ElfFacts


@dataclass(frozen=True, slots=True)
class Loaded:
    """One object of a process. `facts` is None for a library of the board."""

    facts: ElfFacts | None
    path: str  # as it was opened: $ORIGIN is its folder
    loader: Loaded | None
    names: set[str] = field(default_factory=set, compare=False)  # by which it was asked for

    def answers_to(self, name: str) -> bool:
        return name in self.names or (self.facts is not None and self.facts.soname == name)

    @property
    def origin(self) -> str:
        parent = str(PurePosixPath(self.path).parent)
        return "" if parent == "." else parent

    @property
    def chain(self) -> Iterator[Loaded]:
        """This object, who loaded it, and so on up."""
        one: Loaded | None = self
        while one is not None:
            yield one
            one = one.loader


@dataclass(frozen=True, slots=True)
class Missing:
    """A library that the loader does not find."""

    asker: ElfFacts
    name: str
    chain: tuple[ElfFacts, ...]  # who loaded the asker, nearest first
    passed_over: tuple[ElfFacts, ...] = ()  # files of that name that it does not take
    ended_at: str = ""  # a path at which it gives up: what is there is no library at all


@dataclass(frozen=True, slots=True)
class Process:
    """`loaded` in the order in which symbols are looked up, the root first."""

    root: ElfFacts
    is_program: bool
    loaded: tuple[Loaded, ...]
    missing: tuple[Missing, ...]
    # The root is a library without a path of its own: whoever loads it says where its needs are
    # found (LD_LIBRARY_PATH, an RPATH above), so every file of the tree counts as in reach.
    open_ended: bool = False
    later: bool = False  # with the libraries that its files name to open (dlopen)
    unfound: tuple[Missing, ...] = ()  # what they name in vain to open

    @property
    def files(self) -> Iterator[ElfFacts]:
        return (one.facts for one in self.loaded if one.facts is not None)

    def taken(self, giver: ElfFacts, names: frozenset[str]) -> frozenset[str]:
        """Those of the names that a file of the process asks for, and the loader finds in `giver`
        first."""
        asked = set[str]()
        for facts in self.files:
            table = facts.symbols
            if table is not None and facts is not giver:
                asked |= names & {one.name for one in table.imports}
                if "SYMBOLIC" not in facts.linking.flags:
                    asked |= names & table.asked_back
        return frozenset(name for name in asked if self._first(name) in (None, giver))

    def _first(self, name: str) -> ElfFacts | None:
        offering = (f for f in self.files if f.symbols is not None and name in f.symbols.exports)
        return next(offering, None)

    @property
    def of_the_board(self) -> Iterator[str]:
        return (name for one in self.loaded if one.facts is None for name in one.names)


def is_program(facts: ElfFacts) -> bool:
    """A library may have a loader's name as well (libc.so.6 does), and a soname tells."""
    link = facts.linking
    started = "PIE" in link.flags or (bool(link.interpreter) and not facts.soname)
    return facts.elf_type == "ET_EXEC" or (facts.elf_type == "ET_DYN" and started)


def is_static(facts: ElfFacts) -> bool:
    """A program that brings all of libc along: it passes floats to nobody else's code."""
    return is_program(facts) and not facts.linking.interpreter and facts.linking.alignment > 0
