"""How often the end of warm-up is found where it is, and where there is none.

    python -m tests.bench.warming

Blocks of passes of known truth, seed 2017: noise alone, and noise behind a start that is slower.
"""

from __future__ import annotations

import math
import random
from statistics import mean
from typing import TYPE_CHECKING

from buildmatrix.bench.warming import warming
from buildmatrix.cli.common import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCKS = 10_000
PASSES = (20, 100)
MS = 1_000_000


def normal(share: float) -> Callable[[random.Random], float]:
    return lambda rng: max(0.1, rng.gauss(1, share))


def heavy(rng: random.Random) -> float:
    """Student's t of 3 degrees, 2 %."""
    chi = sum(rng.gauss(0, 1) ** 2 for _ in range(3))
    return max(0.1, 1 + 0.02 * rng.gauss(0, 1) / math.sqrt(chi / 3))


def interrupted(rng: random.Random) -> float:
    """2 %, and 3 in 100 passes up to half slower."""
    return normal(0.02)(rng) * (rng.uniform(1, 1.5) if rng.random() < 0.03 else 1)


NOISES: dict[str, Callable[[random.Random], float]] = {
    "normal, 0.5 %": normal(0.005),
    "normal, 2 %": normal(0.02),
    "normal, 5 %": normal(0.05),
    "heavy tails: Student's t, 3 degrees, 2 %": heavy,
    "2 %, and 3 in 100 passes up to half slower": interrupted,
}
STARTS: dict[str, Callable[[int], float]] = {
    "the first pass 50 % slower": lambda n: 1.5 if n < 1 else 1,
    "5 passes 20 % slower": lambda n: 1.2 if n < 5 else 1,
    "from 40 % slower, halved with each pass": lambda n: 1 + 0.4 * 0.5**n,
}


def blocks(
    noise: Callable[[random.Random], float], start: Callable[[int], float], passes: int
) -> Iterator[list[int]]:
    rng = random.Random(2017)
    for _ in range(BLOCKS):
        yield [round(100 * MS * start(n) * noise(rng)) for n in range(passes)]


def main() -> None:
    for passes in PASSES:
        for name, noise in NOISES.items():
            cold = [warming(block) for block in blocks(noise, lambda _: 1.0, passes)]
            some = sum(map(bool, cold)) / BLOCKS
            say(f"{passes} passes, steady, {name}: something left out in {some:.2%}")
        for name, start in STARTS.items():
            made = list(blocks(normal(0.02), start, passes))
            kept = mean(mean(one[warming(one) :]) for one in made) / (100 * MS) - 1
            whole = mean(map(mean, made)) / (100 * MS) - 1
            say(f"{passes} passes, 2 %, {name}: mean too slow by {kept:.2%}, was {whole:.2%}")


if __name__ == "__main__":
    main()
