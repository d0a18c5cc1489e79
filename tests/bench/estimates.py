"""How far estimates of published times are off, beside two simple rivals, on the same rows.

`python -m tests.bench.estimates`: fits without each row's network family, without its board, and
without both (data/split.toml), and prints median and ninth decile of the relative errors and the
least rank correlation of any board. instructions.json beside this is what `ncnn_instructions`
counted with ncnn 1.0.20261020's wheel for 64-bit ARM; a rival is held to the rows of its networks.
`--write` refreshes what the package carries: what the networks ask for, the coefficients, and each
row's estimates.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import network
from buildmatrix.estimate import board, fit, validation
from buildmatrix.estimate.validation import Held
from buildmatrix.estimate.work import total, works
from tests.bench.published_networks import WRITTEN, drawn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.estimate.board import Row

COUNTED = Path(__file__).with_name("instructions.json")
DATA = Path(board.__file__).parent / "data"
MULTIPLY_ADDS = "multiply-adds"  # as they are written; for a rival only


def asked() -> Mapping[str, Mapping[str, float]]:
    """What each published network asks for."""
    return {name: _asks(name) for name in WRITTEN}


def _asks(name: str) -> Mapping[str, float]:
    net = drawn(name)
    parts = {part.value: round(count, 1) for part, count in total(works(net)).items()}
    return {**parts, MULTIPLY_ADDS: network.multiply_adds(net)}


def checked() -> Mapping[str, object]:
    """The coefficients of all rows, and each row's estimates without it, in the rows' order."""
    rows, asks = board.published(), board.asked()
    method = validation.by_model(asks)
    return {
        "coefficients": dict(fit.fitted(rows, asks)),
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


def show(name: str, method: validation.Method, rows: Sequence[Row]) -> None:
    """A line for each way to hold rows out."""
    for held in Held:
        one = validation.figures(rows, validation.estimates(rows, held, method))
        line = f"{one.median:7.1%} {one.ninth:7.1%} {one.ranks:6.2f}"
        sys.stdout.write(f"{name:32} {held.value:8} {line}\n")


def main() -> None:
    if "--write" in sys.argv[1:]:
        (DATA / "networks.json").write_text(json.dumps(asked(), indent=1) + "\n")
        board.asked.cache_clear()
        (DATA / "fitted.json").write_text(json.dumps(checked(), indent=1) + "\n")
    model = validation.by_model(board.asked())
    for name, figures in rivals().items():
        rows = [row for row in board.published() if row.network in figures]
        sys.stdout.write(f"{len(rows)} rows; held out: median error, ninth decile, least rank\n")
        show("the model", model, rows)
        show(f"proportional to {name}", validation.by_figure(figures), rows)


if __name__ == "__main__":
    main()
