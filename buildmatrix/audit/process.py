"""What one process loads: a program or a library, and all it brings along, as glibc does it.

Breadth first; a name that is loaded already, by the name it was asked for or by its soname, is not
looked for again. RPATH is inherited along the chain of who loaded whom, RUNPATH is not, and who has
a RUNPATH uses no RPATH at all. Files count, not sonames. A file for another machine is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit import search

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.audit.search import Files
    from buildmatrix.nouns import AuditPolicy, ElfFacts


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

    @property
    def files(self) -> Iterator[ElfFacts]:
        return (one.facts for one in self.loaded if one.facts is not None)

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


def processes(files: Files, own: Sequence[ElfFacts], policy: AuditPolicy) -> tuple[Process, ...]:
    """One of each program, then of each library that none of those loads, needed ones last."""
    made: list[Process] = []
    seen: set[str] = set()

    def add(facts: ElfFacts) -> None:
        made.append(_process(files, facts, policy))
        seen.update(one.file for one in made[-1].files)

    loadable = [facts for facts in own if facts.file in files.by_path]
    for facts in loadable:
        if is_program(facts):
            add(facts)
    needed = {name for facts in loadable for name in facts.needed}
    free = [f for f in loadable if not {f.soname, PurePosixPath(f.file).name} & needed]
    for facts in (*free, *loadable):
        if facts.file not in seen:
            add(facts)
    return tuple(made)


def _process(files: Files, root: ElfFacts, policy: AuditPolicy) -> Process:
    program = is_program(root)
    open_ended = not program and not root.rpath and not root.runpath and not files.tree.rooted
    loaded = [Loaded(root, root.file, None)]
    missing: list[Missing] = []
    for asker in loaded:  # grows while it is walked
        if asker.facts is None:
            continue
        for name in (*asker.facts.needed, *asker.facts.linking.filters):
            if any(one.answers_to(name) for one in loaded):
                continue
            search = _find(files, name, asker, loaded[0] if program else None, policy)
            found = search.path
            if not search.ended_at and found is None and open_ended and name in files.by_name:
                found = files.by_name[name][0]
            if found is not None:
                _add(files, loaded, found, name, asker)
            elif name in policy.provided and search.goes_on(asker.facts):
                loaded.append(Loaded(None, "", asker, {name}))
            else:
                chain = tuple(one.facts for one in asker.chain if one.facts is not None)[1:]
                missing.append(
                    Missing(asker.facts, name, chain, search.passed_over, search.ended_at)
                )
    return Process(root, program, tuple(loaded), tuple(missing), open_ended)


def _add(files: Files, loaded: list[Loaded], path: str, name: str, asker: Loaded) -> None:
    """One file is one object, by whatever path it is reached."""
    facts = files.open(path)
    for one in loaded:
        if one.facts is facts:
            one.names.add(name)
            return
    loaded.append(Loaded(facts, path, asker, {name}))


@dataclass(frozen=True, slots=True)
class _Search:
    """How the search for one name in the tree ended."""

    path: str | None = None
    passed_over: tuple[ElfFacts, ...] = ()
    ended_at: str = ""

    def goes_on(self, asker: ElfFacts) -> bool:
        """Whether the board's own folders are looked at next."""
        return not self.ended_at and "NODEFLIB" not in asker.linking.flags


def _find(
    files: Files, name: str, asker: Loaded, program: Loaded | None, policy: AuditPolicy
) -> _Search:
    """The path that the loader opens for `name`. A file for another machine is passed over; one
    that is no ELF file at all ends the search."""
    passed_over: dict[str, ElfFacts] = {}
    for path in _paths(files, name, asker, program, policy):
        facts = files.open(path)
        if facts is None:
            if (real := files.real(path)) is not None and real in files.refused:
                return _Search(ended_at=real)
            continue
        if facts.machine == policy.target.machine and not facts.linking.soft_float_flag:
            return _Search(path)
        passed_over[facts.file] = facts
    return _Search(passed_over=tuple(passed_over.values()))


def _paths(
    files: Files, name: str, asker: Loaded, program: Loaded | None, policy: AuditPolicy
) -> Iterator[str]:
    target = policy.target
    if "/" in name:
        relative = not name.startswith(("/", "$ORIGIN", "${ORIGIN}"))
        yield from () if relative else search.expanded(name, asker.origin, target)
        return
    assert asker.facts is not None
    if not asker.facts.runpath:
        chain = list(asker.chain)
        above = [program] if program is not None and program not in chain else []
        for one in (*chain, *above):
            if one.facts is not None and not one.facts.runpath:
                for place in search.places(one.facts.rpath, one.origin, target):
                    yield f"{place}/{name}"
    for place in search.places(asker.facts.runpath, asker.origin, target):
        yield f"{place}/{name}"
    if "NODEFLIB" not in asker.facts.linking.flags:
        for place in search.default_places(files.tree, target):
            yield f"{place}/{name}"
