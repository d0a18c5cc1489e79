"""The names of a process that nothing in it defines, as `ldd -r` tells them.

A file's names are looked for in everything the process has loaded, in the order of loading. A name
with a version is met by that version, by a definition without one, or by a library that has no
versions at all (glibc, elf/dl-lookup.c, check_match). A name without a version is met by all but
what is hidden there. Weak names may stay undefined.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit import offered
from buildmatrix.audit.scope import Exporters
from buildmatrix.nouns import version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from buildmatrix.audit.process import Process
    from buildmatrix.nouns import ElfFacts, Import

FORGIVING = (2, 41)  # the first glibc seen to take a name from a library that lost its versions
PYTHON = ("Py", "_Py")  # the interpreter's own, which every extension module leaves to it


@dataclass(frozen=True, slots=True)
class Undefined:
    """Names of one file that nothing in a process defines."""

    process: Process
    facts: ElfFacts
    names: Sequence[Import]


def undefined_in(processes: Sequence[Process], libc_floor: str) -> Iterator[Undefined]:
    """For each file the first process in which names are undefined. Where a library of the process
    is missing, or one of the board whose names are not known, only versioned names are judged."""
    exporters, judged, told = Exporters(processes), set[object](), set[str]()
    forgiving = bool(libc_floor) and version_tuple(libc_floor) >= FORGIVING
    for process in processes:
        around = Around.of(process)
        for facts in process.files:
            if facts.file in told or facts.symbols is None:
                continue
            scope = exporters.within(process, facts)
            answered = frozenset(around.answered.intersection(_libraries(facts)))
            case = (facts.file, tuple(one.file for one in scope), answered, around.rest)
            if case in judged:
                continue
            judged.add(case)
            names = [
                one
                for one in facts.symbols.imports
                if not _defined(
                    one, facts, scope, answered, around.board, libc_floor, forgiving=forgiving
                )
                and (around.closed or one.library in answered)
                and (process.is_program or not one.name.startswith(PYTHON))
            ]
            if names:
                told.add(facts.file)
                yield Undefined(process, facts, names)


@dataclass(frozen=True, slots=True)
class Around:
    """What of a process decides about the names of all of its files."""

    answered: frozenset[str]  # names by which its files are asked for
    board: tuple[str, ...]  # its libraries of the board
    closed: bool  # all that it has is known
    rest: tuple[object, ...]  # what a verdict hangs on beside the files

    @classmethod
    def of(cls, process: Process) -> Around:
        board = tuple(dict.fromkeys(process.of_the_board))
        files = [one for one in process.loaded if one.facts is not None]
        sonames = {one.facts.soname for one in files if one.facts is not None}
        closed = not process.missing and not process.open_ended and offered.all_known(board)
        return cls(
            frozenset(sonames.union(*(one.names for one in files))),
            board,
            closed,
            (closed, process.is_program, board),
        )


def _libraries(facts: ElfFacts) -> set[str]:
    imports = facts.symbols.imports if facts.symbols is not None else ()
    return {one.library for one in imports if one.library}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A name that is thread-local where it is needed and ordinary where it is defined, or so."""

    asker: ElfFacts
    name: Import
    definer: ElfFacts


def mismatched_in(processes: Sequence[Process], libc_floor: str) -> Iterator[Mismatch]:
    """The loader compares no types: it hands out an address as an offset, or the reverse."""
    exporters, judged = Exporters(processes), set[object]()
    forgiving = bool(libc_floor) and version_tuple(libc_floor) >= FORGIVING
    for process in processes:
        own = {name for f in process.files if f.symbols for name in f.symbols.thread_local}
        for facts in process.files:
            scope = exporters.within(process, facts)
            case = (facts.file, tuple(one.file for one in scope))
            for one in facts.symbols.imports if facts.symbols and case not in judged else ():
                if not (one.thread_local or one.name in own):
                    continue
                there = definer(one, facts, scope, forgiving=forgiving)
                table = there.symbols if there is not None else None
                if there and table and (one.name in table.thread_local) != one.thread_local:
                    yield Mismatch(facts, one, there)
            judged.add(case)


def _defined(
    one: Import,
    asker: ElfFacts,
    scope: Sequence[ElfFacts],
    answered: frozenset[str],
    board: Sequence[str],
    libc_floor: str,
    *,
    forgiving: bool,
) -> bool:
    if definer(one, asker, scope, forgiving=forgiving) is not None:
        return True
    if one.version:
        if one.library in answered:
            return False
        # The board's, held to its versions; a name may be missing all the same.
        return asker.machine not in offered.MACHINES or offered.has_version(
            one.library, one.name, one.version, libc_floor
        )
    return offered.offers(board, one.name)


def definer(
    one: Import, asker: ElfFacts, scope: Sequence[ElfFacts], *, forgiving: bool
) -> ElfFacts | None:
    """The file of the process whose definition the loader takes."""
    for facts in scope:
        versions = facts.symbols.exports.get(one.name) if facts.symbols is not None else None
        if versions is None or (one.copied and facts is asker):
            continue  # the program's own room for a library's variable does not define it
        if facts.symbols is not None and not one.version and one.name in facts.symbols.hidden:
            continue
        if one.version and not facts.linking.versioned:
            return facts if forgiving or not _defined_it(one, facts) else None
        if not (one.version and facts.linking.versions_defined):
            return facts
        if one.version in versions or "" in versions:
            return facts
    return None


def _defined_it(one: Import, facts: ElfFacts) -> bool:
    """Whether this is the library that had the version when the asker was linked. Once it has none
    at all, glibc 2.36 and before take that for a broken library and stop ('Assertion
    version->filename == NULL …' in check_match); of any other library without versions they take
    the name."""
    return one.library in (facts.soname, PurePosixPath(facts.file).name)
