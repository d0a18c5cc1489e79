"""How near the schedule comes to what no schedule can beat, played through: ratios in one run.

    python -m tests.bench.makespan [--seed N] [--record STATE/seconds.json]

For 2 to 64 workers: when everything is over, over the larger of the longest chain and the work a
worker. The graphs: works of random length that need each other at random, in five shapes, and
those of this repository's matrix with the seconds on record of a machine of two cores.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix.durations import estimates
from buildmatrix.pipeline import project
from buildmatrix.records import read_record
from buildmatrix.schedule.forecast import forecast
from buildmatrix.schedule.task import Budget, Task, tails

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
RECORD = Path(__file__).with_name("seconds.json")
WORKERS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
EACH = 12  # graphs of each shape
LIMIT = 1.05

Graph = tuple[Task, ...]


def took(dice: random.Random) -> float:
    """Seconds as builds have them: most are short, a few are very long."""
    return dice.lognormvariate(2, 1.2)


def scattered(dice: random.Random) -> Graph:
    """Each needs up to three of any before it."""

    def before(n: int) -> tuple[str, ...]:
        return tuple(str(dice.randrange(n)) for _ in range(dice.randrange(4)) if n)

    return tuple(Task(str(n), before(n), took(dice)) for n in range(dice.randrange(50, 600)))


def layered(dice: random.Random) -> Graph:
    """Layers, each work of which needs some of the layer before."""
    wide, deep = dice.randrange(5, 60), dice.randrange(3, 12)
    return tuple(
        Task(
            f"{layer}.{n}",
            tuple(f"{layer - 1}.{dice.randrange(wide)}" for _ in range(3) if layer),
            took(dice),
        )
        for layer in range(deep)
        for n in range(wide)
    )


def chains(dice: random.Random) -> Graph:
    """Chains of all lengths that have nothing to do with each other."""
    return tuple(
        Task(f"{chain}.{n}", (f"{chain}.{n - 1}",) if n else (), took(dice))
        for chain in range(dice.randrange(10, 80))
        for n in range(dice.randrange(1, 12))
    )


def forked(dice: random.Random) -> Graph:
    """One work that many need, and one that needs all those; a few times."""
    tasks: list[Task] = []
    for round in range(dice.randrange(1, 5)):
        first = Task(f"{round}", (f"{round - 1}.end",) if round else (), took(dice))
        middle = [Task(f"{round}.{n}", (first.id,), took(dice)) for n in range(120)]
        tasks += (first, *middle, Task(f"{round}.end", tuple(t.id for t in middle), took(dice)))
    return tuple(tasks)


def cells(dice: random.Random) -> Graph:
    """As a matrix has them: a few stacks, many libraries, a bundle and an audit for each pair."""
    tasks = [Task(f"stack{n}", (), 20 * took(dice)) for n in range(dice.randrange(1, 8))]
    tasks += [Task(f"blas{n}", (), 8 * took(dice)) for n in range(dice.randrange(1, 20))]
    stacks = [task.id for task in tasks if task.id.startswith("stack")]
    others = [task.id for task in tasks if task.id.startswith("blas")]
    for stack in stacks:
        for other in others:
            name = f"{stack}-{other}"
            tasks.append(Task(f"bundle-{name}", (stack, other), took(dice)))
            tasks.append(Task(f"audit-{name}", (f"bundle-{name}",), took(dice)))
    return tuple(tasks)


def matrix(record: Path) -> tuple[Graph, int]:
    """The works of this repository's matrix, and how many of them are on record."""
    works = project.load(ROOT / "matrix.yaml").graph
    seconds = {name: float(value) for name, value in read_record(record).items()}
    expected = estimates(works, seconds)
    tasks = (Task(work.id, work.needs, expected[work.id].seconds) for work in works)
    return tuple(tasks), sum(work.id in seconds for work in works)


def ratio(tasks: Graph, workers: int) -> float:
    """The time that the schedule takes, over the time that none can beat."""
    bound = max(*tails(tasks).values(), sum(task.seconds for task in tasks) / workers)
    return forecast(tasks, Budget(works=workers, cores=workers)).seconds / bound


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def row(name: str, graphs: list[Graph]) -> list[float]:
    """Print a line of mean ratios by number of workers; all ratios."""
    ratios = {workers: [ratio(tasks, workers) for tasks in graphs] for workers in WORKERS}
    every = [one for some in ratios.values() for one in some]
    means = "".join(f"{statistics.mean(some):7.3f}" for some in ratios.values())
    say(f"{name:14}{means}   mean {statistics.mean(every):.3f}, worst {max(every):.3f}")
    return every


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--record", type=Path, default=RECORD)
    chosen = parser.parse_args()
    dice = random.Random(chosen.seed)
    say(f"{'workers':14}{''.join(f'{workers:7}' for workers in WORKERS)}")
    every: list[float] = []
    shapes: tuple[Callable[[random.Random], Graph], ...] = (
        *(scattered, layered, chains, forked, cells),
    )
    for shape in shapes:
        every += row(shape.__name__, [shape(dice) for _ in range(EACH)])
    recorded, known = matrix(chosen.record)
    every += row("matrix.yaml", [recorded])
    say(f"matrix.yaml: {len(recorded)} works, {known} on record, the others guessed")
    mean = statistics.mean(every)
    say(f"all: {mean:.3f} of the bound on average; asked: at most {LIMIT}")
    return int(mean > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
