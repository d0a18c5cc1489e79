"""What a profile costs, in seconds and as ratios; run where matrix.yaml is.

    python -m tests.bench.profile_cost CELL STATE     a cell that is built in that state folder

First the same passes on a virtual board with the plugin and on one without it; then the whole
`inv profile` (a board of its own is switched on for it) and the smallest whole run of the cell: one
block at batch 1 between two sentinels. What is held together takes turns on one machine, so a ratio
stands also where the machine is busy.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from buildmatrix import virtual
from buildmatrix.agent import call
from buildmatrix.boards import deploying, profiling
from buildmatrix.boards.reach import connect
from buildmatrix.cli.common import mirror, say, workshop
from buildmatrix.cli.devices import access
from buildmatrix.pipeline.stored import shippable, stored
from buildmatrix.progress import Progress
from buildmatrix.virtual import plugin

TURNS, PASSES = 3, 20
ONE_BLOCK = ("--rounds", "1", "--batches", "1", "--passes", str(PASSES))


def main(cell: str, state: str) -> None:
    with Progress() as reporter, tempfile.TemporaryDirectory() as made:
        shop = workshop("matrix.yaml", [cell], state, reporter)
        (built,) = shippable(stored(shop).values())
        assert built.bundle is not None
        boards = {"plain": "", "counted": plugin.compiled(Path(made))}
        seconds: dict[str, list[float]] = {name: [] for name in boards}
        ways = access(shop.state)
        try:
            for name, argument in boards.items():
                board = virtual.up(
                    shop.state,
                    name=f"cost-{name}",
                    kind="pi3-counted",
                    mirror=mirror(),
                    reporter=reporter,
                    plugin=argument,
                )
                means = deploying.Means(ways, shop.store, reporter)
                deploying.deploy_all([built], board, means)
            there = {board.address.name: board.address for board in virtual.boards(shop.state)}
            for _ in range(TURNS):
                for name in boards:
                    with connect(there[f"cost-{name}"], ways) as connection:
                        line = profiling.SCRIPT % f"{built.bundle.digest} 1 {PASSES}"
                        began = time.monotonic()
                        call(connection, line, timeout=900)
                        seconds[name].append(time.monotonic() - began)
            whole = commands(cell, "cost-plain", state)
        finally:
            for name in boards:
                virtual.down(shop.state, name=f"cost-{name}")
    for name, each in (seconds | whole).items():
        say(f"{name}: {' '.join(f'{one:.2f}' for one in each)} s")
    say(f"counted to plain: {median(seconds['counted']) / median(seconds['plain']):.2f}")
    say(f"profile to bench: {median(whole['profile']) / median(whole['bench']):.2f}")


def commands(cell: str, board: str, state: str) -> dict[str, list[float]]:
    """Seconds that a profile of a cell and a run of it took, each from its command to its end."""
    lines = {
        "profile": ("profile", cell, "--host", board),
        "bench": ("bench", "--only", cell, "--host", board, *ONE_BLOCK, "--collect"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(TURNS):
        for name, line in lines.items():
            began = time.monotonic()
            argv = [sys.executable, "-m", "buildmatrix", *line, "--state", state]
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.monotonic() - began)
    return seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
