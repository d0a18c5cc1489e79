"""estimate: what a cell would take on a real board that is not here, with the error of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import print_json, print_table, progress, say, workshop

if TYPE_CHECKING:
    from buildmatrix.nouns import Cell
    from buildmatrix.pipeline.workshop import Workshop


@command(
    {
        "cell": "the cell to estimate",
        "as_": "a real board: pi3, pi3b+, pi4, msm8916, rk3399-little, rk3399-big, rk3288",
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
    from buildmatrix.estimate import calibration, shown
    from buildmatrix.profile import kept

    place = shown.setting(as_, threads)
    with progress() as reporter:
        shop = workshop(matrix, None, state, reporter)
    chosen = shop.project.cell(cell)
    net = shown.check(chosen, shop.project.networks[chosen.model])
    rows, fitted = calibration.kept(shop.paths.estimates)
    before = fitted if calibrate else None
    if calibrate:
        with shop.results() as results:
            blocks = results.blocks(calibrate)
        one = calibration.own(blocks, net, place, run=calibrate, cell=chosen.id)
        rows = calibration.with_row(rows, one)
        fitted = calibration.fitted(rows)
        calibration.keep(shop.paths.estimates, rows, fitted)
    profile = kept.read(shop.paths.profile(chosen.id))
    knowledge = shown.Knowledge(fitted, own=len(rows), before=before, profile=profile)
    made = shown.document(chosen, net, place, bits=_bits(shop, chosen), known=knowledge)
    if json:
        print_json(made)
        return
    say(estimating_view.sentence(made, place.board))
    if explain:
        print_table(estimating_view.explained(made))


def _bits(shop: Workshop, cell: Cell) -> int:
    machine = shop.project.toolchains[cell.toolchain].spec.target.machine
    return 32 if machine == "EM_ARM" else 64


TASKS = (estimate,)
