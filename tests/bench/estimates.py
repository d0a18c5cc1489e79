"""How far estimates of published times are off, beside two simple rivals, on the same rows.

`python -m tests.bench.estimates`: fits without each row's network family, without its board, and
without both (data/split.toml), what is chosen chosen anew in each of those trainings, and prints
median and ninth decile of the relative errors, the least rank correlation of any board, and the
error over the rival's: of all rows, and of the boards that were first. Some minutes. Then what
one row of a board, as a run of one's own, changes for the others of that board.

instructions.json beside this is what `ncnn_instructions` counted with ncnn 1.0.20261020's wheel for
64-bit ARM; a rival is held to the rows of its networks. `--write` refreshes what the package
carries: what the networks ask for, the choice, the coefficients, and each row's estimates.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypedDict

from buildmatrix import network
from buildmatrix.estimate import board, calibration, fit, model, validation
from buildmatrix.estimate.validation import Held
from buildmatrix.estimate.work import Part, total, works
from tests.bench.published_networks import WRITTEN, drawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.estimate.board import Row
    from buildmatrix.estimate.validation import Figures

COUNTED = Path(__file__).with_name("instructions.json")
DATA = Path(board.__file__).parent / "data"
FIRST = ("pi3b+", "msm8916", "pi4", "rk3399-big", "rk3399-little", "rk3288")
MULTIPLY_ADDS = "multiply-adds"  # as they are written; for a rival only


def asked() -> Mapping[str, Mapping[str, float]]:
    """What each published network asks for."""
    return {name: _asks(name) for name in WRITTEN}


def _asks(name: str) -> Mapping[str, float]:
    net = drawn(name)
    parts = {part.value: round(count, 1) for part, count in total(works(net)).items()}
    return {**parts, MULTIPLY_ADDS: network.multiply_adds(net)}


class Checked(TypedDict):
    """The choice and the coefficients of all rows, and each row's estimates without it."""

    choice: dict[str, float]
    coefficients: dict[str, float]
    held_out: dict[str, list[float]]


def checked(rows: Sequence[Row]) -> Checked:
    """What the package carries of these rows."""
    asks = board.asked()
    method, choice = validation.by_chosen(asks), validation.chosen(rows, asks)
    return {
        "choice": asdict(choice),
        "coefficients": dict(fit.fitted(rows, asks, choice)),
        "held_out": {
            held.value: [round(ms, 2) for ms in validation.estimates(rows, held, method)]
            for held in Held
        },
    }


def rivals() -> Mapping[str, Mapping[str, float]]:
    """The figures of each network that a time may be proportional to."""
    asks = board.asked()
    return {
        MULTIPLY_ADDS: {name: asks[name][MULTIPLY_ADDS] for name in asks},
        "instructions": json.loads(COUNTED.read_text()),
    }


def show(
    name: str, rows: Sequence[Row], made: Mapping[Held, Sequence[float]]
) -> Mapping[Held, Figures]:
    """A line for each way to hold rows out."""
    figures = {held: validation.figures(rows, made[held]) for held in Held}
    for held, one in figures.items():
        line = f"{one.median:7.1%} {one.ninth:7.1%} {one.ranks:6.2f}"
        sys.stdout.write(f"{name:45} {held.value:8} {line}\n")
    return figures


def beside(title: str, boards: Sequence[str], made: Mapping[Row, Mapping[Held, float]]) -> None:
    """The model and each rival, fitted to the same rows, on those of some boards that the rival has
    a figure for."""
    for name, figures in rivals().items():
        every = [row for row in made if row.network in figures]
        known = [row for row in every if row.board in boards]
        sys.stdout.write(f"{title}, {len(known)} rows: median error, ninth decile, least rank\n")
        ours = {held: [made[row][held] for row in known] for held in Held}
        model = show("the model", known, ours)
        for more, powers in (("", validation.ALL_CORES), (", threads fitted", validation.POWERS)):
            method = validation.by_figure(figures, powers)
            rival = {held: _of(known, every, held, method) for held in Held}
            other = show(f"proportional to {name}{more}", known, rival)
            ratios = (f"{one.value} {model[one].median / other[one].median:.2f}" for one in Held)
            sys.stdout.write(f"the model's median error over that: {', '.join(ratios)}\n")


def _of(
    rows: Sequence[Row], every: Sequence[Row], held: Held, method: validation.Method
) -> list[float]:
    times = validation.estimates(every, held, method)
    each = dict(zip(every, times, strict=True))
    return [each[row] for row in rows]


def calibrated(rows: Sequence[Row]) -> None:
    """For each board: the median error of its rows by a fit without it, and with one of them taken
    for a run of one's own; the middle over all that may be the one."""
    for group in dict.fromkeys(board.boards()[row.board].group for row in rows):
        ours = [row for row in rows if board.boards()[row.board].group == group]
        others = [row for row in rows if row not in ours]
        before = _errors(ours, calibration.together(others, ()))
        after = []
        for one in ours:
            values = calibration.together(others, [_own(one)])
            rest = [row for row in ours if row.network != one.network]
            after.append(median(_errors(rest, values)))
        sys.stdout.write(f"{group:14} {median(before):6.1%}, with a run {median(after):6.1%}\n")


def _errors(rows: Sequence[Row], values: Mapping[str, float]) -> list[float]:
    """Of rows taken for whoever asks, whose own runs on the board the fit may have seen; nobody
    runs an early release today."""
    settings = [replace(fit.setting(row), own=True, early=False) for row in rows]
    times = [
        sum(model.milliseconds(_parts(row), setting, values).values())
        for row, setting in zip(rows, settings, strict=True)
    ]
    return [abs(ms / row.ms - 1) for ms, row in zip(times, rows, strict=True)]


def _parts(row: Row) -> Mapping[Part, float]:
    return {part: board.asked()[row.network][part] for part in Part}


def _own(row: Row) -> calibration.Own:
    asks = {part.value: count for part, count in _parts(row).items()}
    return calibration.Own("run", "cell", row.network, row.board, row.threads, row.ms, asks)


def main() -> None:
    rows = board.published()
    if "--write" in sys.argv[1:]:
        (DATA / "networks.json").write_text(json.dumps(asked(), indent=1) + "\n")
        board.asked.cache_clear()
    document = checked(rows)
    if "--write" in sys.argv[1:]:
        (DATA / "fitted.json").write_text(json.dumps(document, indent=1) + "\n")
    made = {
        row: {held: document["held_out"][held.value][place] for held in Held}
        for place, row in enumerate(rows)
    }
    beside("all boards", [*board.boards()], made)
    beside("the first boards", FIRST, made)
    calibrated(rows)


if __name__ == "__main__":
    main()
