"""What the rules look at: the files of a tree, and what they are held against."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.audit.loading import opened, processes
from buildmatrix.audit.process import Process, is_program, is_static
from buildmatrix.audit.search import Files
from buildmatrix.audit.undefined import Mismatch, Undefined, mismatched_in, undefined_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from buildmatrix.nouns import AuditPolicy, ElfFacts, ElfTree, Target

Fault = tuple[str, str]  # file, message

# An object in a static library is named LIBRARY.a(OBJECT).
OBJECT = re.compile(r"(?<=\.a)\(.*\)$")


@dataclass(frozen=True)
class Tree:
    """What is judged: every file, and those of the target's machine."""

    elf: ElfTree
    policy: AuditPolicy

    @property
    def facts(self) -> Sequence[ElfFacts]:
        return self.elf.facts

    @property
    def target(self) -> Target:
        return self.policy.target

    @property
    def own(self) -> Iterator[ElfFacts]:
        return (f for f in self.facts if f.machine == self.target.machine)

    @cached_property
    def files(self) -> Files:
        return Files(self.elf, self.target.machine)

    @cached_property
    def processes(self) -> Sequence[Process]:
        """What is loaded together, of the files for the target's machine."""
        return processes(self.files, tuple(self.own), self.policy)

    @cached_property
    def openings(self) -> Sequence[Process]:
        """Of each program that names libraries to open: what it has loaded when all are open."""
        programs = [p for p in self.processes if p.is_program and not is_static(p.root)]
        pairs = ((start, opened(self.files, start, self.policy)) for start in programs)
        return [later for start, later in pairs if later.unfound or later.loaded != start.loaded]

    @cached_property
    def runs(self) -> Sequence[Process]:
        """Every process: programs as they start, with what they open, then libraries alone."""
        programs = [process for process in self.processes if process.is_program]
        alone = [process for process in self.processes if not process.is_program]
        return (*programs, *self.openings, *alone)

    @cached_property
    def around(self) -> Mapping[str, Sequence[Process]]:
        """The processes that have each file loaded as they start."""
        processes: dict[str, list[Process]] = {}
        for process in self.processes:
            for facts in process.files:
                processes.setdefault(facts.file, []).append(process)
        return processes

    @cached_property
    def asking(self) -> frozenset[str]:
        """Files that look at what the processor has, or are loaded with one that does.

        Who asks and opens others may open what it names, and what no program loads at the start.
        """
        openers = [one for one in self.own if one.asks_cpu and one.linking.opens]
        names = {PurePosixPath(name).name for one in openers for name in one.linking.opens}
        paths = (path for name in names for path in self.files.by_name.get(name, ()))
        opened_files = {facts.file for path in paths if (facts := self.files.open(path))}
        files = set(opened_files)
        started: set[str] = set()
        for process in self.processes:
            loaded = [one.file for one in process.files]
            started.update(loaded if process.is_program else ())
            if process.root.file in opened_files or any(one.asks_cpu for one in process.files):
                files.update(loaded)
        rest = (one.file for one in self.own if one.file not in started) if openers else ()
        return frozenset(files.union(rest))

    @cached_property
    def undefined(self) -> Sequence[Undefined]:
        return tuple(undefined_in(self.runs, self.target.libc_floor))

    @property
    def mismatched(self) -> Iterator[Mismatch]:
        return mismatched_in(self.runs, self.target.libc_floor)

    @cached_property
    def program_exports(self) -> frozenset[str]:
        """What the programs of the tree offer to the libraries that they load."""
        tables = (f.symbols for f in self.own if f.symbols is not None and is_program(f))
        return frozenset(name for table in tables for name in table.exports)

    def matching(self, glob: str) -> Mapping[str, Sequence[ElfFacts]]:
        """Files whose path matches; a glob without a slash is held against the name alone.

        A static library is one file here, with the facts of its objects.
        """
        found: dict[str, list[ElfFacts]] = {}
        for facts in self.facts:
            file = OBJECT.sub("", facts.file)
            if _fits(file, glob):
                found.setdefault(file, []).append(facts)
        return found

    def dispatches(self, file: str) -> bool:
        return any(_fits(OBJECT.sub("", file), glob) for glob in self.policy.dispatched)


def _fits(file: str, glob: str) -> bool:
    return fnmatchcase(file if "/" in glob else PurePosixPath(file).name, glob)
