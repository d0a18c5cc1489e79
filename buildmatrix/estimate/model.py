"""From what a network asks for to milliseconds on a board.

Arithmetic takes cycles of a core: `lanes` multiply-adds could begin in each. Memory takes time that
grows with the core's clock and, more slowly, with the memory's: its speed is the square root of
one times the fourth root of the other, chosen among five such mixes by the error of boards that
were held out. Threads share both but for a serial part. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.estimate.work import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.estimate.board import Board

ARITHMETIC = (Part.PRODUCTS, Part.GROUPED, Part.DEPTHWISE)
MEMORY = (Part.WEIGHTS, Part.VALUES, Part.PASSES, Part.TILES, Part.COPIES)
MHZ, BANDWIDTH = 1400.0, 8.0  # of the board that the coefficients are meant for
FIRST = "cortex-a53"  # the core that the coefficients are meant for; others have factors


@dataclass(frozen=True, slots=True)
class Setting:
    """A board and how many of its cores work. `own`: with the system and libraries of whoever asks,
    which the published times did not have."""

    board: Board
    threads: int
    own: bool = False


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A quantity that is fitted: its middle before any row is seen, and how far (in the logarithm)
    rows may move it for the price of one standard deviation."""

    name: str
    middle: float
    spread: float


def coefficients(
    cores: Sequence[str], groups: Sequence[str], own: Sequence[str] = ()
) -> tuple[Coefficient, ...]:
    """All that is fitted: a cost for each part, in cycles; factors of cores, of 32-bit programs and
    of boards on arithmetic and on memory; serial parts. `own`: boards with runs of one's own.

    The middles are what is known of such kernels: matrix products of ncnn reach half of a
    Cortex-A53, a depthwise window waits for memory, a value that is moved costs a few cycles.
    """
    middles = {
        Part.PRODUCTS: 2.0,
        Part.GROUPED: 2.0,
        Part.DEPTHWISE: 4.5,
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
        for names, spread in ((cores, 0.3), (groups, 0.25))
        for kind in ("arithmetic", "memory")
        for one in names
        if one != FIRST
    ]
    return (
        *costs,
        *factors,
        Coefficient("32-bit programs", 1.28, 0.3),
        Coefficient("serial part of memory", 0.3, 0.4),
        Coefficient("serial part of arithmetic", 0.08, 0.4),
        *(Coefficient(own_runs(board), 1.0, 0.4) for board in own),
    )


def milliseconds(
    asks: Mapping[Part, float], setting: Setting, values: Mapping[str, float]
) -> Mapping[Part, float]:
    """Time by part, of one image. `values` are the coefficients by name; a core or board that has
    none counts as the common one."""
    each = rates(setting, values)
    return {part: asks[part] * each[part] for part in Part}


def rates(setting: Setting, values: Mapping[str, float]) -> Mapping[Part, float]:
    """Milliseconds for one of what each part counts; see `milliseconds`."""
    board, hz = setting.board, setting.board.mhz * 1e3  # cycles of a millisecond
    arithmetic = _factor(values, "arithmetic", board) / board.lanes / hz
    if board.bits == 32:
        arithmetic *= values["32-bit programs"]
    speed = MHZ * 1e3 * (board.mhz / MHZ) ** 0.5 * (board.bandwidth / BANDWIDTH) ** 0.25
    memory = _factor(values, "memory", board) / speed
    each = dict.fromkeys(ARITHMETIC, arithmetic * _shared(values, "arithmetic", setting))
    each |= dict.fromkeys(MEMORY, memory * _shared(values, "memory", setting))
    each[Part.CALLS] = 1 / hz
    apart = values.get(own_runs(board.name), 1.0) if setting.own else 1.0
    return {part: values[part.value] * each[part] * apart for part in Part}


def own_runs(board: str) -> str:
    """The name of the factor by which runs of one's own on a board differ from what was published
    of boards: another library, system, cooling."""
    return f"own runs on {board}"


def _factor(values: Mapping[str, float], kind: str, board: Board) -> float:
    return values.get(f"{kind} of {board.core}", 1.0) * values.get(f"{kind} of {board.group}", 1.0)


def _shared(values: Mapping[str, float], kind: str, setting: Setting) -> float:
    serial = values[f"serial part of {kind}"]
    return serial + (1 - serial) / setting.threads
