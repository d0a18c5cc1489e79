"""The document of one cell's profile."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.documents.profiling import FunctionRow, Profile
    from buildmatrix.isa.classes import Work
    from buildmatrix.profile.folding import Place


@dataclass(frozen=True, slots=True)
class Subject:
    """What was profiled, and what its figures are held against."""

    cell: str
    bundle: str
    model: str
    board: str
    batch: int
    passes: int
    harness: float  # instructions of an image as the harness counted them
    needed: float | None  # the fewest quad multiply-adds that an image can take; None: not known
    samples: int | None = None  # that perf took of the longer run; None: every block was counted


def document(
    places: Mapping[Place, Mapping[Work, float]],
    names: Mapping[str, str],
    subject: Subject,
) -> Profile:
    """Functions and libraries by their instructions, the largest first; `names` are symbols as
    they were written."""
    total = sum(sum(works.values()) for works in places.values())
    libraries: dict[str, float] = defaultdict(float)
    kinds: dict[str, float] = defaultdict(float)
    functions: list[FunctionRow] = []
    for (library, symbol), works in places.items():
        done = {work.value: count for work, count in works.items() if count > 0}
        count = sum(works.values())
        libraries[library] += count
        for kind, amount in done.items():
            kinds[kind] += amount
        functions.append(
            {
                "library": library,
                "instructions": count,
                "share": count / total,
                "symbol": symbol,
                "name": names.get(symbol, symbol),
                "works": done,
            }
        )
    return {
        "version": 1,
        "cell": subject.cell,
        "bundle": subject.bundle,
        "model": subject.model,
        "board": subject.board,
        "batch": subject.batch,
        "passes": subject.passes,
        "samples": subject.samples,
        "instructions": total,
        "counted_by_harness": subject.harness,
        "quad_multiply_adds_needed": subject.needed,
        "works": dict(kinds),
        "libraries": [
            {"library": name, "instructions": count, "share": count / total}
            for name, count in sorted(libraries.items(), key=lambda item: -item[1])
        ],
        "functions": sorted(functions, key=lambda row: -row["instructions"]),
    }
