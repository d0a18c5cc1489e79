"""What makes one cell slower than another, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from buildmatrix.errors import InputError
from buildmatrix.isa.classes import Work
from buildmatrix.profile.naming import spoken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.documents.profiling import Difference, FunctionRow, Profile

DECIDING: tuple[Literal["model", "batch", "board"], ...] = ("model", "batch", "board")
ALIKE = 0.01  # of all instructions: less is no difference to explain
MULTIPLYING = (Work.QUAD, Work.PAIR, Work.INTEGER_NEON, Work.SCALAR)
GONE = 0.02  # of a function in the other cell: less is another function's work


def difference(one: Profile, other: Profile) -> Difference:
    """The document of two profiles.

    Raises InputError where they are not of one model, batch size and kind of board.
    """
    for name in DECIDING:
        if one[name] != other[name]:
            raise InputError(
                f"not alike: {one['cell']} was profiled with {name} {one[name]}, "
                f"{other['cell']} with {other[name]}",
                hint=f"inv profile {one['cell']} {other['cell']} --host BOARD",
            )
    slower, faster = ordered(one, other)
    return {
        "version": 1,
        "slower": slower["cell"],
        "faster": faster["cell"],
        "sentence": sentence(one, other),
        "profiles": [one, other],
    }


def ordered(one: Profile, other: Profile) -> tuple[Profile, Profile]:
    """The slower one, by instructions, and the faster."""
    slower, faster = sorted((one, other), key=lambda each: -each["instructions"])
    return slower, faster


def sentence(one: Profile, other: Profile) -> str:
    """Which function makes the difference, by what kind of work, and how much of it."""
    slower, faster = ordered(one, other)
    more = slower["instructions"] - faster["instructions"]
    names = f"{slower['cell']} and {faster['cell']}"
    if more < ALIKE * slower["instructions"]:
        return f"{names} execute the same within {ALIKE:.0%}: {_m(slower['instructions'])} an image"
    row, twin = _culprit(slower, faster)
    extra = _extra((row, twin))
    times = slower["instructions"] / faster["instructions"]
    return (
        f"{slower['cell']} executes {times:.2f} times the instructions of {faster['cell']} "
        f"({_m(slower['instructions'])} against {_m(faster['instructions'])} an image): "
        f"{_what(row, twin)}; that is {_part(extra, more)}{_in_all(slower, faster, row, twin)}"
    )


def _culprit(slower: Profile, faster: Profile) -> tuple[FunctionRow, FunctionRow | None]:
    """The function that does most more than its twin, and the twin.

    A twin has the same name; that of the function that multiplies most is the one that does so in
    the faster cell, where names differ. A function without a twin is more by all that it does.
    """
    here, there = _by_symbol(slower), _by_symbol(faster)
    kernel = _kernel(slower)
    pairs = []
    for row in slower["functions"]:
        twin = there.get(row["symbol"])
        if twin is not None and twin["instructions"] < GONE * row["instructions"]:
            twin = None
        if twin is None and row is kernel:
            twin = _other_kernel(faster, here)
        pairs.append((row, twin))
    return max(pairs, key=_extra)


def _extra(pair: tuple[FunctionRow, FunctionRow | None]) -> float:
    row, twin = pair
    return row["instructions"] - (twin["instructions"] if twin else 0)


def _kernel(profile: Profile) -> FunctionRow | None:
    """The function that does most multiply-adds."""
    row = max(profile["functions"], key=_multiply_adds, default=None)
    return row if row is not None and _multiply_adds(row) else None


def _other_kernel(faster: Profile, here: Mapping[str, FunctionRow]) -> FunctionRow | None:
    """The function in whose place the slower cell has another: the one that multiplies most, else
    the one that does most more than there."""
    kernel = _kernel(faster)
    if kernel is not None and kernel["symbol"] not in here:
        return kernel
    row = max(faster["functions"], key=lambda each: _more(each, here), default=None)
    return row if row is not None and _more(row, here) > 0 else None


def _multiply_adds(row: FunctionRow) -> float:
    return sum(row["works"].get(work, 0) for work in MULTIPLYING)


def _by_symbol(profile: Profile) -> dict[str, FunctionRow]:
    return {row["symbol"]: row for row in reversed(profile["functions"])}


def _more(row: FunctionRow, others: Mapping[str, FunctionRow]) -> float:
    other = others.get(row["symbol"])
    return row["instructions"] - (other["instructions"] if other else 0)


def _part(extra: float, more: float) -> str:
    """How much of a difference a function makes; it may be more than all of it.

    >>> _part(8e6, 11e6), _part(10.3e6, 2.2e6)
    ('8.0 M of the 11.0 M more', '10.3 M more, and all else together 8.1 M less')
    """
    if _m(extra) == _m(more) or extra < more:
        return f"{_m(extra)} of the {_m(more)} more"
    return f"{_m(extra)} more, and all else together {_m(extra - more)} less"


def _what(row: FunctionRow, twin: FunctionRow | None) -> str:
    whose = f"{spoken(row['name'])} in {row['library']}"
    if twin is None:
        return f"{whose}, which the other has not, executes {_m(row['instructions'])}"
    ours, theirs = _main(row), _main(twin)
    if ours is None or theirs is None or ours == theirs:
        ours = theirs = max(
            row["works"], key=lambda work: row["works"][work] - twin["works"].get(work, 0)
        )
    same = twin["symbol"] == row["symbol"]
    other = "its twin" if same else f"{spoken(twin['name'])} in {twin['library']}"
    return (
        f"{whose} does {_m(row['works'][ours])} {_plural(ours)} where {other} does "
        f"{_m(twin['works'].get(theirs, 0))} {_plural(theirs)}"
    )


def _in_all(slower: Profile, faster: Profile, row: FunctionRow, twin: FunctionRow | None) -> str:
    """What each cell as a whole multiplies with, where that is another kind and was not told of
    the two functions: as a network in float32 beside one in int8."""
    ours, theirs = _main(slower), _main(faster)
    if None in (ours, theirs) or ours == theirs:
        return ""
    if twin is not None and (_main(row), _main(twin)) == (ours, theirs):
        return ""
    return (
        f"; in all, {slower['cell']} does {_m(slower['works'].get(ours or '', 0))} {ours} where "
        f"{faster['cell']} does {_m(faster['works'].get(theirs or '', 0))} {theirs}"
    )


def _main(row: FunctionRow | Profile) -> str | None:
    """The kind of multiply-add that a function, or a cell, does most of; None where it hardly
    does any."""
    works = row["works"]
    kind = max(MULTIPLYING, key=lambda work: works.get(work, 0)).value
    return kind if works.get(kind, 0) >= row["instructions"] / 100 else None


def _plural(kind: str) -> str:
    """A kind of work as what is counted.

    >>> _plural("integer"), _plural("loads")
    ('integer instructions', 'loads')
    """
    return kind if kind.endswith("s") else f"{kind} instructions"


def _m(count: float) -> str:
    return f"{count / 1e6:.1f} M"
