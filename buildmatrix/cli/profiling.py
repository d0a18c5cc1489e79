"""profile: where the instructions of a cell go, and what makes another one slower."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import mirror, print_json, print_table, progress, say, workshop
from buildmatrix.cli.devices import access
from buildmatrix.errors import InputError
from buildmatrix.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.documents.profiling import FunctionRow, Profile
    from buildmatrix.pipeline.workshop import Workshop

SHOWN = 12  # functions in the table
NO_VALUE = ("--json", "-j", "--help")  # of its flags


HELP = {
    "cell": "the cell to look at",
    "host": "a virtual board that counts, or one of hardware with perf; without it, what is kept",
    "batch": "images of one forward pass",
}


def two_cells(arguments: Sequence[str]) -> bool:
    """Whether a command line has two cells behind `profile`, wherever its flags stand.

    Invoke knows no positional argument that may be left out, and takes the second word for a
    command; so `profile CELL` and `profile A B` are two tasks, of which one is there.
    """
    words = iter(arguments[arguments.index("profile") + 1 :] if "profile" in arguments else ())
    cells = 0
    for word in words:
        if not word.startswith("-"):
            cells += 1
        elif word not in NO_VALUE and "=" not in word:
            next(words, None)
    return cells > 1


@command(HELP, positional=["cell"], name="profile")
def profile(
    _c: Any,
    cell: str,
    host: str = "",
    batch: int = 1,
    matrix: str = "matrix.yaml",
    json: bool = False,
    state: str = "",
) -> None:
    """Say which functions execute a cell's instructions; `profile A B`: what makes one slower."""
    (made,) = _profiles((cell,), host, batch, matrix, state)
    if json:
        print_json(made)
    else:
        _show(made)


@command(
    {**HELP, "other": "a second one: says in a sentence what makes one of them slower"},
    positional=["cell", "other"],
    name="profile",
)
def profile_two(
    _c: Any,
    cell: str,
    other: str,
    host: str = "",
    batch: int = 1,
    matrix: str = "matrix.yaml",
    json: bool = False,
    state: str = "",
) -> None:
    """Say in a sentence which function makes one of two cells slower, and by what work."""
    from buildmatrix.profile.sentence import difference

    made = difference(*_profiles((cell, other), host, batch, matrix, state))
    if json:
        print_json(made)
    else:
        say(made["sentence"])


def _profiles(
    cells: Sequence[str], host: str, batch: int, matrix: str, state: str
) -> list[Profile]:
    with progress() as reporter:
        shop = workshop(matrix, None, state, reporter)
        for name in cells:
            shop.project.cell(name)
        return [_profiled(shop, name, host, batch) for name in cells]


def _profiled(shop: Workshop, cell: str, host: str, batch: int) -> Profile:
    """Of a board that is named, counted now and kept; else the one that is kept."""
    from buildmatrix.profile import kept

    path = State(shop.state).profile(cell)
    if host:
        made = _measured(shop, cell, host, batch)
        kept.write(path, made)
        return made
    counted = kept.read(path)
    if counted is None:
        raise InputError(f"{cell} was not profiled yet", hint=f"inv profile {cell} --host BOARD")
    return counted


def _measured(shop: Workshop, cell: str, host: str, batch: int) -> Profile:
    """Counted on a twin of the virtual board that is named; sampled on a board of hardware."""
    from buildmatrix.boards import profiling, reach, sampling

    kind, ways = profiling.kind_of(host, shop.state), access(shop.state)
    if kind is not None:
        return profiling.profile(shop, cell, kind, access=ways, mirror=mirror(), batch=batch)
    board = reach.find(host, devices=shop.project.matrix.devices, state=shop.state)
    return sampling.profile(shop, cell, board, access=ways, batch=batch)


def _show(profile: Profile) -> None:
    from rich.table import Table

    counted = profile["counted_by_harness"]
    apart = profile["instructions"] / counted - 1
    useful, works = profile["quad_multiply_adds_needed"], profile["works"]
    print_table(_table(Table(box=None), profile["functions"][:SHOWN]))
    kinds = sorted(works, key=lambda work: -works[work])
    say("by kind: " + ", ".join(f"{_m(works[kind])} {kind}" for kind in kinds))
    shares = (f"{one['library']} {one['share']:.1%}" for one in profile["libraries"][:4])
    say("by library: " + ", ".join(shares))
    if profile["samples"] is not None:
        say(f"sampled by perf, {profile['samples']} samples: functions are right, kinds nearly")
    say(
        f"{_m(profile['instructions'])} an image, {apart:+.3%} beside the harness's own count"
        + (f"; the network needs {_m(useful)} quad multiply-adds" if useful is not None else "")
    )


def _table(table: Any, rows: list[FunctionRow]) -> object:
    from rich.text import Text

    from buildmatrix.profile.naming import spoken

    for title in ("instructions", "share", "library", "function", "most of it"):
        table.add_column(title, justify="right" if title in ("instructions", "share") else "left")
    for row in rows:
        most = max(row["works"], key=lambda work: row["works"][work])
        words = f"{_m(row['works'][most])} {most}"
        cells = (
            _m(row["instructions"]),
            f"{row['share']:.1%}",
            row["library"],
            spoken(row["name"]),
            words,
        )
        table.add_row(*map(Text, cells))
    return table


def _m(count: float) -> str:
    return f"{count / 1e6:.2f} M"


TASKS = (profile_two if two_cells(sys.argv) else profile,)
