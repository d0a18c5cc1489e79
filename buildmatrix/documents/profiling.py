"""profile: where a cell's instructions go."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict


class Share(TypedDict):
    """A library's instructions of one image, and its part of all of them, 0 to 1."""

    library: str
    instructions: float
    share: float


class FunctionRow(Share):
    """A function's, with its kinds of work: 'quad multiply-adds' and the others that it did."""

    symbol: str
    name: str  # as it was written
    works: dict[str, float]


class Profile(TypedDict):
    """`inv profile CELL`: all figures are instructions of one image, in user mode."""

    version: Literal[1]
    cell: str
    bundle: str
    model: str
    board: str  # the kind of virtual board, or the name of a board of hardware
    batch: int
    passes: int  # that were told from the rest
    samples: int | None  # taken by perf on hardware; None: every block of a virtual board counted
    instructions: float
    counted_by_harness: float
    quad_multiply_adds_needed: float | None  # of four lanes: multiply-adds of the network by four
    works: dict[str, float]
    libraries: list[Share]
    functions: list[FunctionRow]


class Difference(TypedDict):
    """`inv profile A B`: what makes one of them slower, and both profiles."""

    version: Literal[1]
    slower: str
    faster: str
    sentence: str
    profiles: list[Profile]
