"""Which block comes when: drawn from the seed of the request, so that it can be drawn again.

Rounds, because a board that gets warm or busy then harms every cell alike and not the ones that
came last; a sentinel between them, because it tells that it did.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.nouns import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from buildmatrix.bench.request import Request
    from buildmatrix.nouns import Measurement

# With one of these in it, a row has no time whatever else is measured.
SETTLED = frozenset({Status.WRONG, Status.FAILED, Status.OOM})


@dataclass(frozen=True, slots=True)
class Block:
    """One turn of one cell at one batch size: a process of its own on the board."""

    index: int  # place in the run
    round: int
    cell: str
    batch: int
    sentinel: bool = False  # the first cell at the smallest batch: before, between, after rounds


def order(request: Request) -> tuple[Block, ...]:
    """All blocks of a run: sentinel, round, sentinel, round, ..., sentinel.

    A round holds every cell at every batch size once. In the first one the batches of a cell
    ascend, so that what a larger one needs of memory can be told before it is tried.
    """
    rng = random.Random(request.seed)
    batches = sorted(set(request.batches))
    turns = [entrant.cell for entrant in request.entrants for _ in batches]
    rng.shuffle(turns)
    ascending = {cell: iter(batches) for cell in turns}
    rounds = [[(cell, next(ascending[cell])) for cell in turns]]
    for _ in range(1, request.rounds):
        again = rounds[0].copy()
        rng.shuffle(again)
        rounds.append(again)
    first = Block(0, 0, *_sentinel(request), sentinel=True)
    return (first, *_numbered(rounds, request, index=1, round_number=0))


def retakes(measured: Iterable[Measurement], request: Request) -> tuple[Block, ...]:
    """A further round of a finished run, of the blocks that were disturbed; () if none is due.

    That is when every block that was void has been taken again, when `request.retakes` further
    rounds have been used up, or when a row has no time anyway.
    """
    blocks = list(measured)
    number = max((block.round for block in blocks), default=0) + 1
    if number >= request.rounds + request.retakes:
        return ()
    turns = [block for block in blocks if not block.sentinel]
    settled = {(b.cell, b.batch) for b in turns if b.status in SETTLED}
    lacking = Counter(
        {
            (e.cell, batch): request.rounds
            for e in request.entrants
            for batch in set(request.batches)
        }
    )
    lacking.subtract((b.cell, b.batch) for b in turns if b.status is not Status.VOID)
    due = [turn for turn in lacking.elements() if turn not in settled]
    return _another_round(blocks, request, due)


def further(
    measured: Iterable[Measurement], request: Request, wide: Collection[tuple[str, int]]
) -> tuple[Block, ...]:
    """One more round of a finished run, of the rows (cell, batch) that are not yet narrow enough.

    () when none is left that may have another turn: `request.at_most`, void ones counted.
    """
    blocks = list(measured)
    turns = Counter((b.cell, b.batch) for b in blocks if not b.sentinel)
    settled = {(b.cell, b.batch) for b in blocks if b.status in SETTLED}
    due = [row for row in wide if row not in settled and turns[row] < request.at_most]
    return _another_round(blocks, request, due)


def _another_round(
    blocks: Sequence[Measurement], request: Request, due: list[tuple[str, int]]
) -> tuple[Block, ...]:
    """These turns as the round after the last one, in an order drawn from the seed."""
    if not due:
        return ()
    number = max(block.round for block in blocks) + 1
    random.Random(f"{request.seed} {number}").shuffle(due)
    index = max(block.block for block in blocks) + 1
    return tuple(_numbered([due], request, index=index, round_number=number))


def plan_text(request: Request) -> str:
    """The plan of the whole run, as the agent reads it."""
    return plan_lines(request, order(request))


def plan_lines(request: Request, blocks: Sequence[Block]) -> str:
    """'INDEX ROUND cell|sentinel CELL BATCH PASSES WARMUP THREADS SECONDS-LIMIT' for each block."""
    tail = f"{request.passes} {request.warmup} {request.threads} {request.limit_seconds}"
    return "".join(
        f"{b.index} {b.round} {'sentinel' if b.sentinel else 'cell'} {b.cell} {b.batch} {tail}\n"
        for b in blocks
    )


def _numbered(
    rounds: Iterable[Sequence[tuple[str, int]]], request: Request, *, index: int, round_number: int
) -> Iterator[Block]:
    """Blocks of these rounds, each round closed by the sentinel."""
    for number, turns in enumerate(rounds, start=round_number):
        for cell, batch in turns:
            yield Block(index, number, cell, batch)
            index += 1
        yield Block(index, number, *_sentinel(request), sentinel=True)
        index += 1


def _sentinel(request: Request) -> tuple[str, int]:
    return request.entrants[0].cell, min(request.batches)
