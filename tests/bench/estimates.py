"""How far estimates of published times are off, beside two simple rivals, on the same rows.

`python -m tests.bench.estimates [INSTRUCTIONS.json]`: fits without each row's network family,
without its board, and without both (data/split.toml), and prints median and ninth decile of the
relative errors and the least rank correlation of any board. The file names the instructions of
each network; without it the one that was counted with this release. `--write` refreshes what the
package carries: what the networks ask for, the coefficients, and each row's estimates.
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
    from collections.abc import Mapping

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


def methods() -> Mapping[str, validation.Method]:
    asks = board.asked()
    rivals = {"multiply-adds": {name: asks[name][MULTIPLY_ADDS] for name in asks}}
    counted = DATA / "instructions.json"
    if counted.exists():
        rivals["instructions"] = json.loads(counted.read_text())
    return {
        "the model": validation.by_model(asks),
        **{f"proportional to {name}": validation.by_figure(row) for name, row in rivals.items()},
    }


def main() -> None:
    if "--write" in sys.argv[1:]:
        (DATA / "networks.json").write_text(json.dumps(asked(), indent=1) + "\n")
        board.asked.cache_clear()
        (DATA / "fitted.json").write_text(json.dumps(checked(), indent=1) + "\n")
    rows = board.published()
    sys.stdout.write(f"{len(rows)} rows; held out: median error, ninth decile, least rank\n")
    for name, method in methods().items():
        for held in Held:
            one = validation.figures(rows, validation.estimates(rows, held, method))
            line = f"{one.median:7.1%} {one.ninth:7.1%} {one.ranks:6.2f}"
            sys.stdout.write(f"{name:32} {held.value:8} {line}\n")


if __name__ == "__main__":
    main()
