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
