"""How often `compare` errs while the board moves: the figures of docs/statistics.md, printed again.

`python -m tests.bench.statistics [TABLES [PART OF A KIND'S NAME]]`: 300 tables of each kind, of 8
and 30 blocks, with nothing changed and with one row changed by 5 %. Some minutes of one processor.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from buildmatrix.compare import Verdict, compare
from tests.unit.moving import CHANGED, KINDS, table

CLAIMS = (Verdict.BETTER, Verdict.WORSE)


@dataclass(slots=True)
class Rates:
    """Of how many tables of one kind."""

    false: int = 0  # tables in which an unchanged row was called better or worse
    found: int = 0  # in which the changed row was called what it is
    board: int = 0  # in which any row was told as the board


def measured(kind: str, *, tables: int, blocks: int, shift: float) -> Rates:
    """Verdicts on synthetic tables; the seed is fixed, so that the figures come again."""
    rng = np.random.default_rng(2017)
    rates = Rates()
    for _ in range(tables):
        made = table(kind, rng, blocks=blocks, shift=shift)
        verdicts = [
            found.verdict for found in compare(made.base, made.new, sentinels=made.sentinels)
        ]
        if shift:
            rates.found += verdicts.pop(CHANGED) is Verdict.WORSE
        rates.false += any(verdict in CLAIMS for verdict in verdicts)
        rates.board += Verdict.BOARD in verdicts
    return rates


def main(tables: int = 300, part: str = "") -> None:
    sys.stdout.write("| what moves | blocks | false claim | beside +5 % | +5 % found |\n")
    sys.stdout.write("| --- | ---: | ---: | ---: | ---: |\n")
    for kind in KINDS:
        if part not in kind:
            continue
        for blocks in (8, 30):
            still = measured(kind, tables=tables, blocks=blocks, shift=0.0)
            one = measured(kind, tables=tables, blocks=blocks, shift=0.05)
            shares = (rate / tables for rate in (still.false, one.false, one.found))
            words = " | ".join(f"{share:.1%}" for share in shares)
            sys.stdout.write(f"| {kind} | {blocks} | {words} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 300, "".join(sys.argv[2:]))
