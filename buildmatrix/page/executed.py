"""Where the instructions of a page's cells go: kinds of work, functions, and what costs more."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from buildmatrix.isa.classes import Work
from buildmatrix.profile.naming import spoken
from buildmatrix.profile.sentence import DECIDING, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from buildmatrix.documents.profiling import FunctionRow, Profile

SHOWN = 12  # functions of a cell


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a cell: million instructions of an image, and its two main kinds of work."""

    name: str
    library: str
    million: str
    share: str
    works: str


@dataclass(frozen=True, slots=True)
class Counted:
    """A cell's profile: million instructions of an image, by the kinds of its table."""

    cell: str
    million: str
    apart: str  # of the harness's own count
    works: tuple[str, ...]
    functions: tuple[Function, ...]
    rest: str  # what the functions that are not shown execute; empty: there are none


@dataclass(frozen=True, slots=True)
class Executed:
    """Profiles that may stand in one table: of one model, batch size and kind of board."""

    title: str
    emulated: bool  # counted on a virtual board; else sampled on one of hardware
    needed: str  # the fewest quad multiply-adds; empty: not known
    works: tuple[str, ...]  # kinds that any of them does
    cells: tuple[Counted, ...]
    sentences: tuple[str, ...]  # what each executes more than the leanest


def tables(profiles: Iterable[Profile]) -> tuple[Executed, ...]:
    """One table for each model, batch size and kind of board, the leanest cell first."""
    ordered = sorted(profiles, key=lambda one: (_alike(one), one["instructions"]))
    return tuple(_table(list(group)) for _, group in groupby(ordered, _alike))


def _alike(profile: Profile) -> tuple[str, ...]:
    return tuple(str(profile[name]) for name in DECIDING)


def _table(profiles: Sequence[Profile]) -> Executed:
    leanest, *others = profiles
    kinds = tuple(work.value for work in Work if any(one["works"].get(work) for one in profiles))
    needed = leanest["quad_multiply_adds_needed"]
    return Executed(
        title=f"{leanest['model']}, batch {leanest['batch']}, {leanest['board']}",
        emulated=leanest["samples"] is None,
        needed=_m(needed) if needed is not None else "",
        works=kinds,
        cells=tuple(_counted(one, kinds) for one in profiles),
        sentences=tuple(sentence(other, leanest) for other in others),
    )


def _counted(profile: Profile, kinds: Iterable[str]) -> Counted:
    total, shown = profile["instructions"], profile["functions"][:SHOWN]
    rest = total - sum(row["instructions"] for row in shown)
    return Counted(
        cell=profile["cell"],
        million=_m(total),
        apart=f"{total / profile['counted_by_harness'] - 1:+.3%}",
        works=tuple(_m(profile["works"].get(kind, 0)) for kind in kinds),
        functions=tuple(map(_function, shown)),
        rest=_m(rest) if len(profile["functions"]) > SHOWN else "",
    )


def _function(row: FunctionRow) -> Function:
    return Function(
        spoken(row["name"]),
        row["library"],
        _m(row["instructions"]),
        f"{row['share']:.1%}",
        ", ".join(_kinds(row)),
    )


def _kinds(row: FunctionRow) -> Iterator[str]:
    """The two kinds of work that it does most of."""
    for work in sorted(row["works"], key=lambda work: -row["works"][work])[:2]:
        yield f"{_m(row['works'][work])} {work}"


def _m(count: float) -> str:
    return f"{count / 1e6:.2f}"
