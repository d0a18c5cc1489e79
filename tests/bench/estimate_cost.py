"""What an estimate costs beside the emulated run itself: all of both, in turns, on one machine.

    python -m tests.bench.estimate_cost CELL STATE [KIND [BOARD]]

CELL is built in that state folder. An estimate is `inv profile CELL`, which makes a board of its
own, deploys to it and counts, and `inv estimate CELL --as BOARD`; a run is `inv bench` of that cell
on a virtual board of the same KIND that is there, batch 1, as the matrix says for one round. Prints
the seconds of each turn and the ratio of the medians.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

TURNS = 3
ROUND = ("--batches", "1", "--rounds", "1", "--passes", "20", "--warmup", "5", "--threads", "1")
NAME = "cost-estimate"


def inv(state: str, *words: str) -> float:
    """Seconds that a command took. Raises CalledProcessError where it failed."""
    began = time.monotonic()
    line = [sys.executable, "-m", "buildmatrix", *words, "--state", state]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main(cell: str, state: str, kind: str = "pi3-counted", board: str = "pi3") -> None:
    runs, estimates = [], []
    inv(state, "device", "up", "--name", NAME, "--kind", kind)
    try:
        inv(state, "deploy", "--host", NAME, "--only", cell)
        for turn in range(TURNS):
            runs.append(inv(state, "bench", "--host", NAME, "--only", cell, *ROUND, "--collect"))
            counted = inv(state, "profile", cell, "--host", NAME)
            estimates.append(counted + inv(state, "estimate", cell, "--as", board))
            sys.stdout.write(f"{turn + 1}: run {runs[-1]:.1f} s, estimate {estimates[-1]:.1f} s\n")
    finally:
        inv(state, "device", "down", "--name", NAME)
    sys.stdout.write(f"estimate to run, medians: {median(estimates) / median(runs):.2f}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
