"""A record of many nights as a board would have left it, with steps planted in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.nouns import Measurement, Run, Status
from buildmatrix.results import Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from buildmatrix.state import State

FIRST = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
ROUNDS = 5
NOISE = 0.02  # of a block
SIZES = (0.03, 0.035, 0.04, 0.05, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10)


@dataclass(frozen=True, slots=True)
class Planted:
    """One step in one row."""

    row: int
    night: int
    size: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is put into a record: the steps, and the logarithm of each night's level of a row."""

    steps: tuple[Planted, ...]
    levels: NDArray[np.float64]  # rows, nights


def plan(rng: np.random.Generator, *, rows: int = 43, nights: int = 200) -> Plan:
    """Ten steps of 3 to 10 %, up and down, on a board that drifts and wanders by some percent."""
    chosen = rng.choice(rows, min(rows, len(SIZES)), replace=False)
    signs = rng.choice((-1, 1), len(chosen))
    steps = tuple(
        Planted(int(row), int(rng.integers(10, nights - 3)), float(sign * size))
        for row, sign, size in zip(chosen, signs, SIZES, strict=False)
    )
    wander = np.cumsum(rng.normal(0, 0.003, nights))
    season = 0.02 * np.sin(np.arange(nights) / 30)
    levels = np.log(np.linspace(40, 100, rows))[:, None] + wander + season
    for step in steps:
        levels[step.row, step.night :] += np.log1p(step.size)
    return Plan(steps, levels)


def record(paths: State, plan: Plan, rng: np.random.Generator) -> None:
    """Write the nights down as `inv nightly` does: results, and a record of each night."""
    versions = [0] * len(plan.levels)
    with Results(paths.results) as results:
        for night in range(plan.levels.shape[1]):
            for step in plan.steps:
                versions[step.row] += step.night == night
            at = FIRST + timedelta(days=night)
            run = f"{at:%Y%m%dT%H%M%SZ}-{night:06x}"
            results.insert(
                _blocks(plan.levels[:, night], versions, run, rng),
                Run(run, "pi3", False, {}, "", at.isoformat(), "nightly"),
            )
            _night(paths, at, run, accepted=night == plan.levels.shape[1] // 2)


def _night(paths: State, at: datetime, run: str, *, accepted: bool) -> None:
    name = f"{at:%Y%m%dT%H%M%SZ}"
    place = paths.nights / name / "night.json"
    place.parent.mkdir(parents=True)
    place.write_text(
        json.dumps(
            {
                "id": name,
                "device": "pi3",
                "runs": [{"model": "face-cnn", "run": run}],
                "good": True,
                "accepted": accepted,
                "toolchains": {"armv7hf-bookworm": "rebuilt, the same 164 packages"},
            }
        )
    )


def _blocks(
    levels: NDArray[np.float64], versions: list[int], run: str, rng: np.random.Generator
) -> list[Measurement]:
    figures = np.exp(levels + rng.normal(0, NOISE, (ROUNDS, len(levels))))
    sentinels = np.exp(levels[0] + rng.normal(0, NOISE, ROUNDS + 1))
    made = [
        _block(run, number * len(levels) + row, number, f"cell-{row:02}", ms, versions[row])
        for number, round_ in enumerate(figures.tolist())
        for row, ms in enumerate(round_)
    ]
    start = len(made)
    return made + [
        _block(run, start + number, number, "cell-00", ms, versions[0], sentinel=True)
        for number, ms in enumerate(sentinels.tolist())
    ]


def _block(
    run: str, block: int, round_: int, cell: str, ms: float, version: int, *, sentinel: bool = False
) -> Measurement:
    return Measurement(
        run=run,
        block=block,
        round=round_,
        sentinel=sentinel,
        cell=cell,
        device="pi3",
        emulated=False,
        model="face-cnn",
        batch=1,
        threads=4,
        passes=20,
        status=Status.OK,
        samples_ns=tuple([round(ms * 1e6)] * 20),
        max_rel_error=1e-6,
        bundle=f"{cell}-{version}",
        environment={
            "device": {"model": "Raspberry Pi 3 Model B Rev 1.2", "kernel": "6.1.21-v7+"},
            "filler": "x" * 1500,  # what a board says of itself is as long
            "warmup": 5,
            "facts": {
                "options": {"neon": True},
                "toolchain": "armv7hf-bookworm",
                "sources": {"blas": f"{version + 1:x}" * 40},
            },
        },
    )
