"""How often a history errs: steps planted in records of two hundred nights, and what is told.

`python -m tests.bench.history [RECORDS [FOLDER]]` prints the figures of docs/statistics.md again:
records of 43 cells on a board that drifts, ten steps of 3 to 10 % in each. The first record is
written to disk as nights are and made into a site (in FOLDER, if given), with its time and size.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from buildmatrix.history.steps import common, steps
from buildmatrix.state import State
from buildmatrix.verdicts import histories
from tests.nights import NOISE, ROUNDS, Plan, plan, record

LARGE = 0.05  # steps that must be found
WITHIN = 3  # nights by which a step may be misplaced, and after which it must be told

ALIKE = {"AR(1) of 0.5": 0.5, "AR(1) of 0.8": 0.8}  # how much a night tells of the next
STEPLESS = (  # rows, nights, what they do, records of it
    (43, 200, "independent noise", 30),
    (6, 40, "independent noise", 400),
    (43, 200, "AR(1) of 0.5", 20),
    (43, 200, "AR(1) of 0.8", 20),
    (6, 40, "AR(1) of 0.5", 100),
    (6, 40, "AR(1) of 0.8", 100),
    (43, 200, "Student's t, 3 degrees", 20),
)


@dataclass(slots=True)
class Rates:
    """Of all records together."""

    large: int = 0  # steps of LARGE and more that were planted
    found: int = 0  # of them found in the whole history
    soon: int = 0  # of them found in the history as it was WITHIN nights after the step
    small: int = 0  # smaller steps planted
    found_small: int = 0
    false: int = 0  # steps told where none was planted
    most_false: int = 0  # in one record


def main(records: int = 100, folder: str = "") -> None:
    rates = Rates()
    for seed in range(records):
        rng = np.random.default_rng((2017, seed))
        made = plan(rng)
        figures = made.levels + rng.normal(0, NOISE / ROUNDS**0.5, made.levels.shape)
        judge(made, figures, rates)
    sys.stdout.write(
        f"{records} records of 200 nights and 43 rows, ten steps in each\n"
        f"steps of 5 % and more: {rates.large}, found {rates.found}, "
        f"found within {WITHIN} nights {rates.soon}\n"
        f"smaller ones: {rates.small}, found {rates.found_small}\n"
        f"false steps: {rates.false}, in one record at most {rates.most_false}\n"
    )
    with tempfile.TemporaryDirectory() as scratch:
        site(Path(scratch), Path(folder or scratch) / "site")
    for rows, nights, kind, count in STEPLESS:
        rng = np.random.default_rng((2017, rows, nights))
        histories_of = (noise(kind, rng, (rows, nights)) for _ in range(count))
        false = sum(any(_found(NOISE / ROUNDS**0.5 * one)) for one in histories_of)
        sys.stdout.write(f"{rows} x {nights} without a step, {kind}: {false} of {count} false\n")


def noise(kind: str, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Figures of (rows, nights) about nothing, of variance 1 but for Student's t."""
    if kind == "Student's t, 3 degrees":
        return rng.standard_t(3, shape)
    figures = rng.normal(size=shape)
    alike = ALIKE.get(kind, 0.0)
    for night in range(1, shape[1]):
        figures[:, night] *= (1 - alike**2) ** 0.5
        figures[:, night] += alike * figures[:, night - 1]
    return figures


def judge(made: Plan, figures: np.ndarray, rates: Rates) -> None:
    """Hold what is found in one record against what was planted."""
    found = _found(figures)
    right = 0
    for step in made.steps:
        hit = [place for place in found[step.row] if abs(place - step.night) <= WITHIN]
        right += len(hit[:1])
        if abs(step.size) < LARGE:
            rates.small += 1
            rates.found_small += bool(hit)
            continue
        rates.large += 1
        rates.found += bool(hit)
        then = _found(figures[:, : step.night + WITHIN])[step.row]
        rates.soon += any(abs(place - step.night) <= WITHIN for place in then)
    false = sum(map(len, found)) - right
    rates.false += false
    rates.most_false = max(rates.most_false, false)


def _found(figures: np.ndarray) -> list[list[int]]:
    return steps(list(figures - common(figures)))


def site(state: Path, folder: Path) -> None:
    """Write one record as nights leave it, and the site of it: seconds and bytes."""
    rng = np.random.default_rng((2017, 0))
    made = plan(rng)
    paths = State(state)
    record(paths, made, rng)
    began = time.process_time()
    found = histories.history(paths)
    read = time.process_time()
    names = histories.write(found, folder)
    written = time.process_time()
    size = sum((folder / name).stat().st_size for name in names)
    told = [(one.cell, step.night) for one in found.boards[0].series for step in one.steps]
    sys.stdout.write(
        f"a site of {len(names)} pages, {size / 1e6:.2f} MB: read and told in "
        f"{read - began:.1f} s of a processor, written in {written - read:.1f} s; "
        f"{len(told)} steps\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100, "".join(sys.argv[2:]))
