"""What was measured, and in which figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How one measurement ended. Only OK publishes a time."""

    OK = "ok"
    WRONG = "wrong"  # the answer is not the golden one
    OOM = "oom"
    FAILED = "failed"
    VOID = "void"  # the board was disturbed; the samples are kept and count for nothing
    SKIPPED = "skipped"  # not run: predicted not to fit into the board's memory


@dataclass(frozen=True, slots=True)
class Measurement:
    """One block: one turn of a cell at one batch size in one round, with every raw sample.

    A run is rounds of blocks. Blocks of one cell and batch are repeated measurements of the same
    thing; `summary` puts them together.
    """

    run: str
    cell: str
    device: str
    emulated: bool
    model: str
    batch: int
    threads: int
    passes: int  # timed passes asked for in this block
    status: Status
    block: int = 0  # place in the run's order; names the block within its run
    round: int = 0
    sentinel: bool = False  # the fixed cell between rounds: tells drift, is no row of a table
    samples_ns: tuple[int, ...] = ()  # one per pass, whole batch
    first_pass_ns: int | None = None
    instructions: int | None = None  # executed in user mode over all timed passes
    peak_rss_kib: int | None = None
    max_rel_error: float | None = None
    void_reason: str = ""
    bundle: str = ""  # digest of what ran
    series: str = ""  # hash of the controlled variables
    taken_at: str = ""  # ISO 8601, UTC, by the board's clock
    environment: Mapping[str, object] = field(default_factory=dict)

    @property
    def mean_ms_per_image(self) -> float | None:
        """The study's figure; None unless the answer was right."""
        if self.status is not Status.OK or not self.samples_ns:
            return None
        return sum(self.samples_ns) / len(self.samples_ns) / self.batch / 1e6

    @property
    def instructions_per_image(self) -> float | None:
        """None without a time, and where nothing was counted: a counter that reads 0 is off."""
        if self.status is not Status.OK or not self.instructions or not self.samples_ns:
            return None
        return self.instructions / len(self.samples_ns) / self.batch


@dataclass(frozen=True, slots=True)
class Run:
    """One benchmark run as it is kept: what was asked, and all that the board wrote down."""

    id: str
    device: str
    emulated: bool
    request: Mapping[str, object]  # JSON form of bench.request.Request: seed, order, settings
    journal: str  # the board's own lines, unchanged
    collected_at: str  # ISO 8601, UTC, by the collector's clock
    label: str = ""  # a word for people, as 'nightly'


@dataclass(frozen=True, slots=True)
class Right:
    """How many of the pictures that a network has not learnt from a cell knows."""

    count: int
    of: int

    @property
    def share(self) -> float:
        return self.count / self.of


@dataclass(frozen=True, slots=True)
class LayerFigures:
    """What one layer of a network takes in one cell, by the stack's own name for it."""

    name: str
    ms_per_image: float
    instructions_per_image: float | None  # None: not counted


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that cells are compared by. `sign` is -1 where less is better, +1 where more is."""

    name: str  # as in the JSON documents
    counted: str  # ms, instructions
    sign: int
    per: str = "an image"  # or a call, of a library's own functions

    @property
    def unit(self) -> str:
        """For people: 'ms an image'."""
        return f"{self.counted} {self.per}"


TIME = Metric("ms_per_image", "ms", -1)
INSTRUCTIONS = Metric("instructions_per_image", "instructions", -1)
