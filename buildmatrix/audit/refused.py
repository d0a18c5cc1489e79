"""Rules about libraries that the loader finds, at the start or by dlopen, and does not take."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit.process import is_program, is_static
from buildmatrix.audit.rule import ERROR, Rule
from buildmatrix.audit.threads import NO_ROOM, SURPLUS, no_room, reserves
from buildmatrix.nouns.target import version_tuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from buildmatrix.audit.process import Process
    from buildmatrix.audit.tree import Fault, Tree
    from buildmatrix.nouns import ElfFacts


KNOWS_PIE = (2, 30)
READS_ALONE = (2, 35)  # glibc's NEWS, bug 28340


def not_a_library(tree: Tree) -> Iterator[Fault]:
    floor = tree.target.libc_floor
    for process in tree.processes:
        for one in process.loaded[1:]:
            if one.facts is not None:
                yield from ((one.facts.file, words) for words in _needed(process, one.facts, floor))
    yield from _not_written(tree)
    for facts, opener in _opened(tree):
        if _no_library(facts, floor):
            yield facts.file, f"is a program, and {opener.file} names it to open it (dlopen)"
        if "NOOPEN" in facts.linking.flags:
            yield facts.file, f"has DF_1_NOOPEN, and {opener.file} names it to open it (dlopen)"
        if reserves(facts) and facts.linking.tls_size > SURPLUS and not is_program(opener):
            yield facts.file, f"needs {facts.linking.tls_size} bytes {NO_ROOM.format(opener.file)}"
    yield from no_room(tree)


def _needed(process: Process, facts: ElfFacts, floor: str) -> Iterator[str]:
    """What speaks against a library that a process needs."""
    if _no_library(facts, floor):
        yield "is needed as a library and is a program: cannot be loaded"
    if not facts.linking.found:
        yield "has no PT_DYNAMIC: 'object file has no dynamic section'"
    if not facts.linking.loaded:
        yield "has no segment to be mapped: 'object file has no loadable segments'"
    if facts.linking.osabi not in (0, 3):  # ELFOSABI_SYSV, ELFOSABI_GNU
        yield f"ELF OS ABI {facts.linking.osabi} is invalid to glibc's loader"
    elif odd := facts.linking.odd_header:
        yield f"{', '.join(odd)} of its header is none that glibc's loader takes"
    elif version := _other_libc(process, facts, floor):
        yield f"is the libc of glibc {version}, beside the board's own loader"


def _no_library(facts: ElfFacts, floor: str) -> bool:
    """Whether glibc loads it as a program alone. A position-independent one was taken for a library
    before 2.30 (its NEWS, bug 24323)."""
    knows = not floor or version_tuple(floor) >= KNOWS_PIE
    return facts.elf_type == "ET_EXEC" or (knows and "PIE" in facts.linking.flags)


def _not_written(tree: Tree) -> Iterator[Fault]:
    """Before 2.35 glibc wrote addresses into the dynamic section of each file (its bug 28340)."""
    floor = tree.target.libc_floor
    for facts in tree.own if floor and version_tuple(floor) < READS_ALONE else ():
        if facts.linking.fixed_dynamic and facts.linking.dynamic and not is_static(facts):
            yield (
                facts.file,
                f"its dynamic section may not be written, and glibc {floor} writes there",
            )


def _other_libc(process: Process, libc: ElfFacts, floor: str) -> str:
    """The version of a libc that a program would start with, where it is not that of the loader
    which starts it: the two are halves of one program."""
    loader = PurePosixPath(process.root.linking.interpreter).name
    if libc.soname != "libc.so.6" or not floor or not process.is_program:
        return ""
    if any(PurePosixPath(facts.file).name == loader for facts in process.files):
        return ""
    defined = [name.removeprefix("GLIBC_") for name in libc.linking.versions_defined]
    versions = [name for name in defined if name[:1].isdigit()]
    newest = max(versions, key=version_tuple, default=floor)
    return "" if newest == floor else newest


def _opened(tree: Tree) -> Iterator[tuple[ElfFacts, ElfFacts]]:
    """(library, who names it) of the tree's files that a file may open at run time, and that are
    not loaded at the start."""
    started = _started(tree)
    for facts in tree.own:
        for name in facts.linking.opens:
            for path in tree.files.by_name.get(PurePosixPath(name).name, ()):
                library = tree.files.open(path)
                if library is not None and library.file not in started:
                    yield library, facts


def _started(tree: Tree) -> frozenset[str]:
    """Files that some program loads when it starts, beside itself."""
    programs = (p for p in tree.processes if p.is_program)
    return frozenset(f.file for p in programs for f in p.files if f is not p.root)


RULES = (
    Rule(
        "BM148",
        ERROR,
        "The loader refuses a library that it finds.",
        "Link it as a shared library for Linux (-shared); one that is opened at run time without "
        "-z nodlopen and without -ftls-model=initial-exec.",
        not_a_library,
    ),
)
