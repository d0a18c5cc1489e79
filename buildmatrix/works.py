"""Works: the things to make, and the graph of those that the cells need.

An id reads as `stage:name` and is made here alone; nobody takes one apart again, because a work's
stage, cell and subject are fields.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from buildmatrix.nouns import AuditPolicy, Cell, Stage
from buildmatrix.recipe import SourceSpec
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.toolchain import Toolchain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from buildmatrix.nouns import ElfFacts


def work_id(stage: Stage, name: str) -> str:
    """The id of the work of a stage that is called so.

    >>> work_id(Stage.AUDIT, "caffe-openblas")
    'audit:caffe-openblas'
    """
    return f"{stage}:{name}"


@dataclass(frozen=True, slots=True)
class ModelWork:
    """A network in the format of one stack."""

    network: str
    format: str


@dataclass(frozen=True, slots=True)
class BundleWork:
    """A cell's bundle: which works' products go into it, and what it is held against."""

    cell: Cell
    runner: str
    libraries: tuple[str, ...]  # build works whose lib/ goes along, the stack's own first
    model: str
    policy: AuditPolicy

    def held_against(self, _files: Iterable[ElfFacts]) -> AuditPolicy:
        """A bundle has all that it needs in it: the policy as it is."""
        return self.policy


@dataclass(frozen=True, slots=True)
class ProductWork:
    """What a recipe makes that has nothing to run: audited where it lies, never bundled."""

    cell: Cell
    build: str
    policy: AuditPolicy

    def held_against(self, files: Iterable[ElfFacts]) -> AuditPolicy:
        """A library's neighbours come with whoever uses it: what the files need is taken as
        there, and all other rules hold."""
        needed = (name for file in files for name in file.needed)
        return replace(self.policy, provided=(*self.policy.provided, *dict.fromkeys(needed)))


Subject = Toolchain | SourceSpec | ResolvedBuild | ModelWork | BundleWork | ProductWork


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to make."""

    id: str
    cell: str  # the first cell that needs it
    stage: Stage
    subject: Subject
    toolchain: str  # empty where none is involved
    needs: tuple[str, ...]
    material: Mapping[str, object]
    blocked: str = ""  # why it cannot be made, when that is known without trying

    @property
    def name(self) -> str:
        """The id without its stage, fit for a file's name."""
        return self.id[len(self.stage) + 1 :].replace("/", "_")


@dataclass(frozen=True)
class Graph:
    """The works of all cells, each once, in an order in which they can be made."""

    works: tuple[Work, ...]
    goals: Mapping[str, str]  # cell -> id of the work that it is for; nothing else is after that

    def __iter__(self) -> Iterator[Work]:
        return iter(self.works)

    @cached_property
    def by_id(self) -> Mapping[str, Work]:
        return {work.id: work for work in self.works}

    @cached_property
    def _of_cell(self) -> Mapping[tuple[Stage, str], Work]:
        return {
            (work.stage, work.subject.cell.id): work
            for work in self.works
            if isinstance(work.subject, BundleWork | ProductWork)
        }

    def bundle_of(self, cell: str) -> Work | None:
        """The work that makes a cell's bundle; None for a recipe with nothing to run."""
        return self._of_cell.get((Stage.BUNDLE, cell))

    def audit_of(self, cell: str) -> Work:
        """The work that audits a cell's bundle, or without one its products."""
        return self._of_cell[Stage.AUDIT, cell]

    def sources_of(self, cell: str) -> tuple[SourceSpec, ...]:
        """Every source that goes into a cell's bundle; none for a recipe with nothing to run."""
        bundle = self.bundle_of(cell)
        works = self.below(bundle.id) if bundle else ()
        return tuple(work.subject for work in works if isinstance(work.subject, SourceSpec))

    def of(self, cells: Collection[str]) -> Graph:
        """The works of some of the cells, and all that they need."""
        goals = {cell: goal for cell, goal in self.goals.items() if cell in cells}
        needed = {
            work.id for goal in goals.values() for work in (self.by_id[goal], *self.below(goal))
        }
        return Graph(tuple(work for work in self.works if work.id in needed), goals)

    def below(self, work: str) -> tuple[Work, ...]:
        """All that a work needs, directly or not, each once, nearest first."""
        reached: dict[str, Work] = {}
        todo = [*self.by_id[work].needs]
        while todo:
            need = todo.pop(0)
            if need not in reached:
                reached[need] = self.by_id[need]
                todo += reached[need].needs
        return tuple(reached.values())
