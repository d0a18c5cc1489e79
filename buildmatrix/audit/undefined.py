"""The names of a process that nothing in it defines, as `ldd -r` tells them.

A file's names are looked for in everything the process has loaded, in the order of loading. A name
with a version is met by that version, by a definition without one, or by a library that has no
versions at all (glibc, elf/dl-lookup.c, check_match). Weak names may stay undefined.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit import offered
from buildmatrix.nouns import version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    told: set[str] = set()
    forgiving = bool(libc_floor) and version_tuple(libc_floor) >= FORGIVING
    for process in processes:
        board = tuple(process.of_the_board)
        closed = not process.missing and not process.open_ended and offered.all_known(board)
        scope = _exports(process)
        for facts in process.files:
            if facts.file in told or facts.symbols is None:
                continue
            names = [
                one
                for one in facts.symbols.imports
                if not _defined(one, facts, process, scope, board, forgiving=forgiving)
                and (closed or _of_a_file(one, process))
                and (process.is_program or not one.name.startswith(PYTHON))
            ]
            if names:
                told.add(facts.file)
                yield Undefined(process, facts, names)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A name that is thread-local where it is needed and ordinary where it is defined, or so."""

    asker: ElfFacts
    name: Import
    definer: ElfFacts


def mismatched_in(processes: Sequence[Process], libc_floor: str) -> Iterator[Mismatch]:
    """The loader compares no types: it hands out an address as an offset, or the reverse."""
    forgiving = bool(libc_floor) and version_tuple(libc_floor) >= FORGIVING
    for process in processes:
        scope = _exports(process)
        own = {name for f in process.files if f.symbols for name in f.symbols.thread_local}
        for facts in process.files:
            for one in facts.symbols.imports if facts.symbols is not None else ():
                if not (one.thread_local or one.name in own):
                    continue
                definer = _definer(one, facts, scope, forgiving=forgiving)
                table = definer.symbols if definer is not None else None
                if definer and table and (one.name in table.thread_local) != one.thread_local:
                    yield Mismatch(facts, one, definer)


def _exports(process: Process) -> Mapping[str, list[ElfFacts]]:
    scope: dict[str, list[ElfFacts]] = {}
    for facts in process.files:
        if facts.symbols is not None and facts.linking.hashed:
            for name in facts.symbols.exports:
                scope.setdefault(name, []).append(facts)
    return scope


def _defined(
    one: Import,
    asker: ElfFacts,
    process: Process,
    scope: Mapping[str, list[ElfFacts]],
    board: Sequence[str],
    *,
    forgiving: bool,
) -> bool:
    if _definer(one, asker, scope, forgiving=forgiving) is not None:
        return True
    if one.version:
        return not _of_a_file(one, process)  # the board's: held to its versions
    return offered.offers(board, one.name)


def _definer(
    one: Import, asker: ElfFacts, scope: Mapping[str, list[ElfFacts]], *, forgiving: bool
) -> ElfFacts | None:
    """The file of the process whose definition the loader takes."""
    for facts in scope.get(one.name, ()):
        if (one.copied and facts is asker) or facts.symbols is None:
            continue  # the program's own room for a library's variable does not define it
        versions = facts.symbols.exports[one.name]
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


def _of_a_file(one: Import, process: Process) -> bool:
    """Whether the library that defined the name when the file was linked is a file of the tree."""
    return bool(one.library) and any(
        loaded.facts is not None and loaded.answers_to(one.library) for loaded in process.loaded
    )
