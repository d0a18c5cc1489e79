"""estimate: what a cell would take on a real board that is not here, with the error of that."""

from __future__ import annotations

from typing import Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, print_table, progress, say, workshop


@command(
    {
        "cell": "the cell to estimate",
        "as_": "a real board: pi3, pi3b+, pi4, rk3399-big, …; a name not known names them all",
        "threads": "cores that work (default: all that the board has)",
        "calibrate": "a run on that board, for all later estimates: taken into the fit",
        "explain": "the parts of the time, and every published time beside its estimate",
    },
    positional=["cell"],
)
def estimate(
    _c: Any,
    cell: str,
    as_: str = "",
    threads: int = 0,
    calibrate: str = "",
    explain: bool = False,
    matrix: str = "matrix.yaml",
    json: bool = False,
    state: str = "",
) -> None:
    """Estimate milliseconds on a real board that is not here, with an interval; never a time."""
    from buildmatrix.cli import estimating_view
    from buildmatrix.estimate import shown
    from buildmatrix.verdicts import estimating

    place = shown.setting(as_, threads)
    with progress() as reporter:
        shop = workshop(matrix, None, state, reporter)
    made = estimating.one(shop, shop.project.cell(cell), place, run=calibrate)
    if json:
        print_json(made)
        return
    if made["kind"] == "estimated":
        say(estimating_view.sentence(made, place.board))
        table = estimating_view.explained(made)
    else:
        say(estimating_view.ranked(made, place.board))
        table = estimating_view.ordered(made)
    if explain:
        print_table(table)


TASKS = (estimate,)
