"""What a page says: frozen values, handed over by whoever has the results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.plots import Chart, Interval, intervals

if TYPE_CHECKING:
    from buildmatrix.compare import Comparison
    from buildmatrix.documents.profiling import Profile
    from buildmatrix.nouns import ElfFacts, Finding, Measurement
    from buildmatrix.plots import Point, Spec
    from buildmatrix.report import EstimatedTable, Grid, Judged, LayerTable

FULL = "float32"  # what a cell computes in unless it says otherwise
Facts = tuple[tuple[str, str], ...]  # name and what is known, in the order of reading


@dataclass(frozen=True, slots=True)
class BoardSection:
    """One grid, and what belongs to the runs behind it."""

    name: str  # pi3, 4 threads
    grid: Grid
    points: tuple[Point, ...]  # of the grid's rows, by `plots.points`
    bound: float | None = None  # least figure possible: ms, under emulation million instructions
    void: tuple[Measurement, ...] = ()  # every disturbed block, sentinels too
    events: Facts = ()  # when, what: conditions set, takeovers, restored
    environment: Facts = ()  # what the board said it is, how the run was made
    accuracy: tuple[Judged, ...] = ()  # of a trained network
    layers: tuple[LayerTable, ...] = ()  # of the cells whose stacks were asked
    formats: Facts = ()  # cell, and what it computes in; one that is not named: in float32

    def computes(self, cell: str) -> str:
        return dict(self.formats).get(cell, FULL)


@dataclass(frozen=True, slots=True)
class Built:
    """What is known of one cell's bundle without running it."""

    cell: str
    bundle_bytes: int | None = None
    files: tuple[ElfFacts, ...] = ()
    findings: tuple[Finding, ...] = ()
    provenance: Facts = ()  # toolchain, flags, sources, digests
    profile: Profile | None = None  # of this very bundle; None: it was not profiled


@dataclass(frozen=True, slots=True)
class Agreed:
    """How far one cell's answer is from the others, in words."""

    cell: str
    number_format: str
    reference: str
    worst: str


@dataclass(frozen=True, slots=True)
class Page:
    """All that the page says, in the order in which it says it."""

    title: str
    model: str  # face-cnn: 1,039,744 parameters, 49.4 million multiply-adds an image
    generated_at: str  # ISO 8601, UTC
    tool: str  # buildmatrix 0.1.0
    boards: tuple[BoardSection, ...] = ()  # as `report.grids` orders them: emulated ones last
    agreement: tuple[Agreed, ...] = ()
    right: str = "the reference"  # what those answers are held against
    comparisons: tuple[Comparison, ...] = ()
    compared: str = ""  # what they compare: NEW against BASE
    study: Grid | None = None  # the published table; its times stand beside a board's only
    cells: tuple[Built, ...] = ()
    footnotes: tuple[str, ...] = ()
    per: str = "an image"  # what a figure is of
    estimated: EstimatedTable | None = None  # apart from all that was measured

    @property
    def names(self) -> tuple[str, ...]:
        """Every cell that was measured: what decides how each one looks."""
        return tuple(dict.fromkeys(cell for board in self.boards for cell in board.grid.cells))

    @property
    def sizes(self) -> dict[str, int]:
        return {b.cell: b.bundle_bytes for b in self.cells if b.bundle_bytes is not None}

    @property
    def emulated(self) -> int:
        """How many of the boards are emulated."""
        return sum(board.grid.emulated for board in self.boards)

    @property
    def intervals(self) -> Spec | None:
        """The chart of what is estimated in milliseconds; None where nothing is."""
        told = self.estimated
        rows = told.rows if told else ()
        known = [Interval(r.cell, r.ms, *r.interval) for r in rows if r.ms and r.interval]
        return intervals(told.title, known) if told and known else None

    def chart(self, board: BoardSection) -> Chart:
        """The points of one board of this page, as `plots` wants them."""
        grid = board.grid
        return Chart(
            name=board.name,
            emulated=grid.emulated,
            points=board.points,
            batches=grid.batches,
            cells=self.names,
            bound=board.bound,
            per=self.per,
        )
