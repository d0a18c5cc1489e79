"""estimate: milliseconds that nobody measured. No field has the name of a measured time's."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class PartRow(TypedDict):
    """A part of the estimated time, 0 to 1 of it: a kind of work, or a layer."""

    name: str
    estimated_ms: float | None  # None where no milliseconds may be told
    share: float


class ErrorFigures(TypedDict):
    """How far estimates of published times were off that were held out: relative errors, and the
    least rank correlation over the networks of any board."""

    rows: int
    median_error: float
    ninth_decile: float
    least_rank_correlation: float


class CheckRow(TypedDict):
    """A published time, and what was estimated for it by a fit that had not seen it."""

    board: str
    threads: int
    network: str
    published_ms: float
    estimated_ms: float
    error: float  # relative, with its sign
    held_out: Literal["network", "board", "both"]


class Counted(TypedDict):
    """Multiply-adds of one image that emulation counted in the cell, and by how much the arithmetic
    of its layers was taken to be more than they say; see `inv profile`."""

    multiply_add_instructions: float
    times: float


class Placed(TypedDict):
    """Which cell, as on which real board."""

    cell: str
    model: str
    board: str
    core: str
    threads: int
    batch: Literal[1]


class Estimate(Placed):
    """`inv estimate CELL --as BOARD`. Times are None where held-out errors are beyond the bound:
    then only the order is told."""

    version: Literal[1]
    kind: Literal["estimated"]
    multiply_adds: int
    counted: Counted | None  # where the cell has a kept profile
    estimated_ms_per_image: float | None
    estimated_interval_ms: tuple[float, float] | None
    covers: float  # of held-out rows that such intervals take in
    held_out: Literal["network", "board", "both"]  # what the errors below were not fitted to
    errors: ErrorFigures
    slower_than: str | None  # the published network next below it on this board
    faster_than: str | None  # the one next above it
    parts: list[PartRow]  # largest first, as the next
    layers: list[PartRow]
    own_rows: int  # runs on real boards that were taken into the fit
    changed: list[str]  # by the run that was just taken in
    notes: list[str]
    validation: list[CheckRow]


class Ordered(TypedDict):
    """A cell among others of its network: what emulation counted of one image."""

    cell: str
    stack: str
    instructions: float
    multiply_add_instructions: float
    times: float  # the instructions of the cell that was asked for
    told_apart: bool  # from it; nearer ones may stand in the other order on a board


class Order(Placed):
    """`inv estimate CELL --as BOARD` of a stack that no times were published for: no milliseconds,
    an order among the cells of its network that were profiled."""

    version: Literal[1]
    kind: Literal["estimated order"]
    cells: list[Ordered]  # that with the fewest instructions first
    near: float  # share of instructions within which two are not told apart
    reason: str
    notes: list[str]


class OfCell(TypedDict):
    """What is estimated of one cell: milliseconds, an order, or neither, and why in words."""

    cell: str
    milliseconds: Estimate | None
    order: Order | None
    refused: str


class Estimates(TypedDict):
    """What `inv report --estimated BOARD` puts into the report, apart from all that was measured:
    every cell of the model, as on one real board that is not here."""

    kind: Literal["estimated"]
    model: str
    board: str
    about: str
    threads: int
    cells: list[OfCell]
