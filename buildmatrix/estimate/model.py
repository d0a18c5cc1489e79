"""From what a network asks for to milliseconds on a board.

Arithmetic takes cycles of a core, of an instruction of four multiply-adds one for each `lanes` of
them, and those of the loads around it. Memory is as fast as a power of the core's clock times a
power of the memory's peak; both powers are fitted. Threads share both but for a serial part. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.estimate.work import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from buildmatrix.estimate.board import Board

    Vector = NDArray[np.float64]
    Numbers = np.float64 | Vector

ARITHMETIC = (
    Part.PRODUCTS,
    Part.GROUPED,
    Part.DEPTHWISE,
    Part.ODD_DEPTHWISE,
    Part.EXPONENTIALS,
)
MEMORY = (Part.WEIGHTS, Part.VALUES, Part.PASSES, Part.TILES, Part.COPIES)
MHZ, BANDWIDTH = 1400.0, 8.0  # of the board that the coefficients are meant for
QUAD = 4  # multiply-adds of an instruction
ONE = np.float64(1.0)
KILO = 1e3  # cycles of a millisecond at one MHz
FIRST = "cortex-a53"  # the core that the coefficients are meant for; others have factors


@dataclass(frozen=True, slots=True)
class Setting:
    """A board and how many of its cores work. `own`: with the system and libraries of whoever asks,
    which the published times did not have; `early`: as Row has it."""

    board: Board
    threads: int
    own: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What is not fitted but chosen, by `validation.chosen` in the rows that are fitted to.

    `boards`: the spread of a board's own factors; `noise`: of a published time, in the logarithm:
    versions, systems and cooling differ.
    """

    boards: float
    noise: float


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A quantity that is fitted: its middle before any row is seen, and how far (in the logarithm)
    rows may move it for the price of one standard deviation."""

    name: str
    middle: float
    spread: float


def coefficients(
    cores: Sequence[str], groups: Sequence[str], own: Sequence[str], choice: Choice
) -> tuple[Coefficient, ...]:
    """All that is fitted: a cost for each part, in cycles; factors of cores, of 32-bit programs, of
    early releases and of boards on arithmetic and on memory; powers; serial parts. `own`: boards
    with runs of one's own.

    The middles are what is known of such kernels: matrix products of ncnn reach half of a
    Cortex-A53, a depthwise window waits for memory, a value that is moved costs a few cycles. Where
    instructions were counted, half as many cycles more: an exponential takes 2.7 of them for four
    multiply-adds, a depthwise window without a kernel of its own 12 where others take 2 to 3.
    """
    middles = {
        Part.PRODUCTS: 2.0,
        Part.GROUPED: 2.0,
        Part.DEPTHWISE: 4.5,
        Part.ODD_DEPTHWISE: 18.0,
        Part.EXPONENTIALS: 4.0,
        Part.WEIGHTS: 4.0,
        Part.VALUES: 3.0,
        Part.PASSES: 3.0,
        Part.TILES: 10.0,
        Part.COPIES: 2.0,
        Part.CALLS: 6000.0,
    }
    costs = [Coefficient(part.value, middles[part], 0.25) for part in Part]
    factors = [
        Coefficient(f"{kind} of {one}", 1.0, spread)
        for names, spread in ((cores, 0.3), (groups, choice.boards))
        for kind in ("arithmetic", "memory")
        for one in names
        if one != FIRST
    ]
    return (
        *costs,
        *factors,
        Coefficient("32-bit programs", 1.28, 0.3),
        Coefficient("early releases", 1.28, 0.3),
        Coefficient("memory by clock", 0.5, 0.5),
        Coefficient("memory by bandwidth", 0.5, 0.5),
        Coefficient("serial part of memory", 0.3, 0.4),
        Coefficient("serial part of arithmetic", 0.08, 0.4),
        *(Coefficient(own_runs(board), 1.0, 0.4) for board in own),
    )


def milliseconds(
    asks: Mapping[Part, float], setting: Setting, values: Mapping[str, float]
) -> Mapping[Part, float]:
    """Time by part, of one image. `values` are the coefficients by name; a core or board that has
    none counts as the common one."""
    (each,) = rates([setting], {name: np.float64(value) for name, value in values.items()})
    return {part: asks[part] * float(rate) for part, rate in zip(Part, each, strict=True)}


def rates(settings: Sequence[Setting], values: Mapping[str, Numbers]) -> Vector:
    """Milliseconds for one of what each part counts; see `milliseconds`.

    Shape: settings, parts in the order of `Part`. Where a value is an array, one of each of its
    numbers stands before: a fit asks for many sets of coefficients at once.
    """
    boards = [one.board for one in settings]
    mhz, lanes, bandwidth = (
        np.array([getattr(board, fact) for board in boards], float)
        for fact in ("mhz", "lanes", "bandwidth")
    )
    threads = np.array([one.threads for one in settings], float)
    across = {name: np.asarray(value)[..., np.newaxis] for name, value in values.items()}
    arithmetic = _factors(values, "arithmetic", boards) / (QUAD * mhz * KILO)
    arithmetic = arithmetic * _shared(across["serial part of arithmetic"], threads)
    wide = np.array([board.bits == 32 for board in boards])
    arithmetic = arithmetic * np.where(wide, across["32-bit programs"], 1.0)
    speed = (mhz / MHZ) ** across["memory by clock"]
    speed = speed * (bandwidth / BANDWIDTH) ** across["memory by bandwidth"]
    memory = _factors(values, "memory", boards) / (MHZ * KILO * speed)
    memory = memory * _shared(across["serial part of memory"], threads)
    narrow = QUAD / lanes - 1  # cycles more that the multiply-adds of an instruction take
    each = {part: (across[part.value] + narrow) * arithmetic for part in ARITHMETIC}
    each |= {part: across[part.value] * memory for part in MEMORY}
    each[Part.CALLS] = across[Part.CALLS.value] / (mhz * KILO)
    whole = _stacked([_whole(one, values) for one in settings], values)
    return np.stack([each[part] * whole for part in Part], axis=-1)


def own_runs(board: str) -> str:
    """The name of the factor by which runs of one's own on a board differ from what was published
    of boards: another library, system, cooling."""
    return f"own runs on {board}"


def _whole(setting: Setting, values: Mapping[str, Numbers]) -> Numbers:
    """The factor on all of a setting's time."""
    apart = values.get(own_runs(setting.board.name), ONE) if setting.own else ONE
    return apart * (values["early releases"] if setting.early else ONE)


def _factors(values: Mapping[str, Numbers], kind: str, boards: Sequence[Board]) -> Vector:
    return _stacked(
        [
            values.get(f"{kind} of {board.core}", ONE) * values.get(f"{kind} of {board.group}", ONE)
            for board in boards
        ],
        values,
    )


def _stacked(each: Sequence[Numbers], values: Mapping[str, Numbers]) -> Vector:
    """One for each setting, last, of as many sets as the values have."""
    shape = np.shape(next(iter(values.values())))
    return np.stack([np.broadcast_to(one, shape) for one in each], axis=-1)


def _shared(serial: Vector, threads: Vector) -> Vector:
    return serial + (1 - serial) / threads
