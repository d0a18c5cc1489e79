"""cells, plan, why, build, audit, toolchains, sources, doctor: from the matrix to bundles."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from buildmatrix.nouns import Basis, ElfFacts, Finding

Rung = Literal["rendered", "runner", "built", "ran", "measured"]
SourceState = Literal[
    "held", "verified", "damaged", "badly signed", "unlocked", "out of reach", "not fetched"
]


class Shown(TypedDict):
    """How far a cell was really shown to work, and the command that shows it."""

    rung: Rung
    command: str


class CellRow(TypedDict):
    id: str
    stack: str
    toolchain: str
    options: dict[str, str | bool | int]
    shown: Shown
    reason: str  # "stored", or what stands in the way
    where: str


class DroppedRow(TypedDict):
    id: str
    rule: str
    reason: str


class Cells(TypedDict):
    """`inv cells`: the cells of the matrix, kept and dropped."""

    version: Literal[1]
    cells: list[CellRow]
    dropped: list[DroppedRow]


class ActionRow(TypedDict):
    id: str
    cell: str
    stage: str
    verb: Literal["RUN", "RERUN", "SKIP", "BLOCKED"]
    reason: str
    needs: list[str]
    key: str
    predicted_seconds: float | None  # of one that would be made, alone on the machine
    predicted_by: Basis | None  # on record of the same work, or guessed from what is like it
    blocked_by: str  # id of the action at the root, where it is another


class ForecastRow(TypedDict):
    """All that would be made, played through with the predicted seconds."""

    seconds: float  # until everything is over, as many works at once as `inv build` has
    one_at_a_time: float  # the same with one work after the other
    critical_path: list[str]  # the chain of actions that takes longest: no build is over sooner
    critical_seconds: float
    guessed: int  # actions of which nothing is on record


class Plan(TypedDict):
    """`inv plan`: every action, what it does and why."""

    version: Literal[1]
    actions: list[ActionRow]
    forecast: ForecastRow


class ChangeRow(TypedDict):
    words: str
    lines: list[str]  # of a text: those that differ, "- " or "+ " before each; of a source: files


class ExplainedRow(ActionRow):
    changes: list[ChangeRow]  # empty where nothing is stored to compare with


class Why(TypedDict):
    """`inv why`: what of a cell is not stored as it is now, and all that changed in it."""

    version: Literal[1]
    actions: list[ExplainedRow]


class EndedCell(TypedDict):
    id: str
    state: Literal["done", "cached", "failed", "unavailable", "not reached"]
    message: str
    cause: str  # whole: of a compile also the end of its log
    brief: str  # what is wrong and what to do next, without the log


class EndedAction(TypedDict):
    id: str
    state: Literal["done", "cached", "failed", "unavailable"]
    message: str
    fault: str  # id of the action at the root, where it is another
    key: str
    seconds: float | None


class ReproducedRow(TypedDict):
    """A work that was made again, beside what is stored of it."""

    id: str
    files: int  # stored
    differing: list[str]  # paths; empty where all is the same, or where it could not be made again
    difference: str  # of the first: which section, member or line; or why it was not made again
    report: str  # path of diffoscope's report on that file; empty without diffoscope


class Build(TypedDict):
    """`inv build`: what was done, and where every cell stands."""

    version: Literal[1]
    cells: list[EndedCell]
    actions: list[EndedAction]
    reproduced: NotRequired[list[ReproducedRow]]  # with --twice


class AuditDocument(TypedDict):
    """`inv audit`: facts and findings, and what they were judged against."""

    version: Literal[1]
    findings: list[Finding]
    facts: list[ElfFacts]
    cell: NotRequired[str]
    target: NotRequired[dict[str, Any]]


class HandedFile(TypedDict):
    path: str
    sha256: str  # empty for a link
    size: int
    executable: bool
    link: str  # target of a symlink, relative


class Get(TypedDict):
    """`inv get`: a cell's files, and where they were written."""

    version: Literal[1]
    cell: str
    kind: Literal["bundle", "products"]  # products: of a recipe with nothing to run
    key: str
    out: str
    tar: str
    files: list[HandedFile]


Origin = Literal["project", "shipped"]  # in the project's own folder, or with buildmatrix


class OfferRow(TypedDict):
    name: str
    summary: str
    origin: Origin
    folder: str


class Offers(TypedDict):
    """`inv recipes`, `inv models`: what a project may name, and where each comes from."""

    version: Literal[1]
    kind: Literal["recipes", "models"]
    offers: list[OfferRow]


class ToolchainRow(TypedDict):
    name: str
    summary: str
    origin: Origin
    target: dict[str, str]
    identity: str
    image: str
    packages: list[str]
    changed: str  # by what was asked for: in a rebuilt image, or in the lock


class Toolchains(TypedDict):
    """`inv toolchains`: the images on record."""

    version: Literal[1]
    toolchains: list[ToolchainRow]


class SignatureRow(TypedDict):
    state: Literal["good", "bad", "not checked", "none"]
    reason: str
    key: str  # fingerprint of the primary key, where one is known


class SourceRow(TypedDict):
    source: str
    identity: str
    state: SourceState
    reason: str
    alternates: list[str]
    way_out: str
    file: str  # written for --archives
    signature: SignatureRow | None  # asked for by --verify
    cells: list[str]


class Sources(TypedDict):
    """`inv sources`: what the cells are made from."""

    version: Literal[1]
    sources: list[SourceRow]


class CheckRow(TypedDict):
    name: str
    ok: bool | None  # None: not needed for everything
    found: str
    hint: str


class Checks(TypedDict):
    """`inv doctor`: what this machine has and lacks."""

    version: Literal[1]
    checks: list[CheckRow]
