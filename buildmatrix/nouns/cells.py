"""Cells of the matrix, and what a plan does about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from buildmatrix.errors import Location


Scalar = str | bool | int
Basis = Literal["record", "guess"]  # of what is expected: how long it took, or what is like it
Options = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Cell:
    """One configuration to build and measure: recipe x toolchain x the options it uses x model."""

    id: str  # for people: select, log, file name, database, report
    model: str
    stack: str
    toolchain: str
    options: tuple[tuple[str, Scalar], ...]  # sorted; used by the recipe or a dependency of it
    where: Location | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A combination that the matrix excludes, and why."""

    id: str
    rule: str  # where the rule stands: matrix.yaml:14:5
    reason: str


class Stage(StrEnum):
    """What an action does, in pipeline order."""

    IMAGE = "image"
    SOURCE = "source"
    BUILD = "build"
    RUNNER = "runner"
    MODEL = "model"
    AUDIT = "audit"
    BUNDLE = "bundle"


class Verb(StrEnum):
    RUN = "RUN"  # nothing stored under this key
    RERUN = "RERUN"  # stored under another key: something changed
    SKIP = "SKIP"  # stored
    BLOCKED = "BLOCKED"  # cannot run here: a source is out of reach, or a dependency is blocked

    @property
    def makes(self) -> bool:
        """Whether a build would make it."""
        return self in (Verb.RUN, Verb.RERUN)


@dataclass(frozen=True, slots=True)
class Action:
    """One planned unit of work. A plan is a tuple of these in an order that can be executed."""

    id: str  # build:openblas[neon=true,openblas=0.3.34]@armv7hf-bookworm
    cell: str  # first cell that needs it
    stage: Stage
    verb: Verb
    reason: str
    needs: tuple[str, ...] = ()
    key: str = ""  # cache key; empty while the toolchain image's identity is unknown
    predicted_seconds: float | None = None  # of one that is to be made
    predicted_by: Basis | None = None
    blocked_by: str = ""  # BLOCKED: id of the action that is the root of it, where it is another
