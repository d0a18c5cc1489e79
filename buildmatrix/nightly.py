"""The night: toolchains from nothing, the matrix rebuilt, measured, compared with the last good.

A stage that fails does not hide what the others found: every trouble is kept with its exit code,
and the earliest stage's code is the night's.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from buildmatrix.boards import deploying, measuring
from buildmatrix.boards.power import Switch
from buildmatrix.compare import Verdict
from buildmatrix.errors import BenchError, BuildmatrixError, DeviceError, RegressionError
from buildmatrix.nouns import Status
from buildmatrix.pipeline.perform import build_all
from buildmatrix.pipeline.rebuilding import make_toolchains
from buildmatrix.pipeline.stored import shippable, stored
from buildmatrix.records import write_document
from buildmatrix.verdicts import comparing, nights, publishing, reporting
from buildmatrix.verdicts.health import health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from buildmatrix.boards.reach import Access
    from buildmatrix.documents.verdicts import Nightly, NightRun
    from buildmatrix.nouns import BoardAddress
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.settings import Settings
    from buildmatrix.verdicts.comparing import Compared

LABEL = "nightly"  # of its runs
NOTHING: NightRun = {
    "model": "",
    "run": "",
    "compared_with": "",
    "comparisons": [],
    "notes": [],
    "accepted": "",
    "since_accepted": [],
}
NIGHTS_THAT_TEACH = 10  # newest runs that say what is usual of a board
DEADLINE = 20 * 3600.0  # seconds that a night waits for the board


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong in one stage. `code` is the exit code that it alone would give."""

    code: int
    words: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A night's run of one model."""

    model: str
    run: str
    compared: Compared | None  # with each row's newest good night, when there is one
    since_accepted: Compared | None = None  # with the last accepted one, where that is another


@dataclass(frozen=True, slots=True)
class Night:
    """What a night found."""

    id: str  # when it began, UTC
    device: str
    toolchains: dict[str, str]  # name -> what the rebuild changed, in words
    cells: dict[str, str]  # cell -> done, cached, failed, unavailable
    runs: tuple[Measured, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    health: tuple[str, ...] = ()  # what of the board is not as on earlier nights

    @property
    def code(self) -> int:
        """0, or the exit code of the earliest stage that went wrong."""
        return min((trouble.code for trouble in self.troubles), default=0)


def nightly(
    workshop: Workshop,
    find_board: Callable[[], BoardAddress],
    settings: Settings,
    *,
    owner: str,
    access: Access,
    rebuild: bool = True,
) -> Night:
    """One whole night. `find_board` is asked when something is there to measure.

    The night is not kept until `keep`: killed before that, the next one compares with the same.
    """
    began = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    changed = toolchains(workshop, rebuild=rebuild)
    cells, troubles = built(workshop)
    night = Night(began, "", changed, cells)
    with _kept(troubles):
        board = find_board()
        night = replace(night, device=board.name)
        switch = Switch(board, access, workshop.reporter)
        bad, saved = switch.saved(lambda: deployed(workshop, board, access))
        night = replace(night, health=_said(night, saved))
        troubles += bad
        for model in workshop.project.models:
            with _kept(troubles):
                shop = _of_model(workshop, model)
                (run, bad), saved = switch.saved(
                    partial(measured, shop, board, settings, owner, access)
                )
                night = replace(night, runs=(*night.runs, run), health=_said(night, saved))
                troubles += bad
                night = replace(night, health=_health(workshop, night, run))
    return replace(night, troubles=tuple(troubles))


def _health(workshop: Workshop, night: Night, run: Measured) -> tuple[str, ...]:
    """What is known already, and what this run tells of the board beside earlier nights' runs."""
    with workshop.results() as results:
        runs = results.runs(device=night.device, label=LABEL)
        earlier = [one.id for one in runs if one.id != run.run][:NIGHTS_THAT_TEACH]
        words = health(results.blocks(run.run), [results.blocks(one) for one in earlier])
    return tuple(dict.fromkeys((*night.health, *words)))


def _said(night: Night, words: str) -> tuple[str, ...]:
    return (*night.health, words) if words else night.health


def _of_model(workshop: Workshop, model: str) -> Workshop:
    return replace(workshop, project=workshop.project.of_model(model))


@contextmanager
def _kept(troubles: list[Trouble]) -> Iterator[None]:
    try:
        yield
    except BuildmatrixError as error:
        troubles.append(Trouble(error.exit_code, str(error)))


def toolchains(workshop: Workshop, *, rebuild: bool) -> dict[str, str]:
    """Every toolchain that a cell uses, made from nothing; what changed, in words.

    Without `rebuild`, what is there is taken as it is.
    """
    names = sorted({cell.toolchain for cell in workshop.project.cells})
    made = make_toolchains(workshop, names, anew=rebuild)
    return {name: one.words for name, one in made.items()}


def built(workshop: Workshop) -> tuple[dict[str, str], list[Trouble]]:
    """The matrix, as far as it can be built; a source out of reach is no trouble."""
    outcomes = build_all(workshop)
    troubles = [
        Trouble(outcome.exit_code, f"{outcome.action.id}: {outcome.message}")
        for outcome in outcomes
        if outcome.state == "failed" and not outcome.fault
    ]
    states = {o.action.id: o.state for o in outcomes}
    goals = workshop.project.graph.goals
    cells: dict[str, str] = {
        cell.id: states.get(goals[cell.id], "unavailable") for cell in workshop.project.cells
    }
    return cells, troubles


def deployed(workshop: Workshop, board: BoardAddress, access: Access) -> list[Trouble]:
    """All that is built, put on the board; a cell that cannot run there is a trouble."""
    means = deploying.Means(access, workshop.store, workshop.reporter)
    done = deploying.deploy_all(shippable(stored(workshop).values()), board, means)
    return [
        Trouble(DeviceError.exit_code, f"{cell} cannot run on {board.name}: {f.code} {f.message}")
        for cell, findings in done.refused
        for f in findings
    ]


def measured(
    workshop: Workshop, board: BoardAddress, settings: Settings, owner: str, access: Access
) -> tuple[Measured, list[Trouble]]:
    """The workshop's one model measured, beside the last good night; cells that are wrong, that
    failed or that got worse are troubles."""
    model = workshop.project.network.name
    before = nights.good_nights(workshop, board.name, model)
    lab = measuring.lab(workshop)
    request = measuring.ask(lab, settings, owner)
    blocks = measuring.measure(lab, board, request, access=access, deadline=DEADLINE, label=LABEL)
    bad = {
        f"{b.cell} batch {b.batch}: {b.status} {b.void_reason}"
        for b in blocks
        if b.status in (Status.WRONG, Status.FAILED)
    }
    beside = nights.held(workshop, before, request.run, reporting.with_notes(workshop, blocks))
    run = Measured(
        model, request.run, beside.newest if beside else None, beside.accepted if beside else None
    )
    worse = _worse(run)
    return run, [
        *(Trouble(BenchError.exit_code, words) for words in sorted(bad)),
        *(Trouble(RegressionError.exit_code, words) for words in worse),
    ]


def _worse(run: Measured) -> list[str]:
    """What got worse since the newest good night, then what only crept since the accepted one."""
    newest = run.compared.comparisons if run.compared else ()
    worse = {(c.cell, c.batch) for c in newest if c.verdict is Verdict.WORSE}
    since = run.since_accepted.comparisons if run.since_accepted else ()
    crept = [c for c in since if c.verdict is Verdict.WORSE and (c.cell, c.batch) not in worse]
    return [
        *(c.sentence for c in newest if c.verdict is Verdict.WORSE),
        *(f"{c.sentence}, since run {c.base_run}, the last accepted" for c in crept),
    ]


def settings(workshop: Workshop) -> Settings:
    """The matrix's `nightly` settings, and its `bench` settings where those say nothing."""
    matrix = workshop.project.matrix
    return matrix.nightly.over(matrix.bench)


def keep(workshop: Workshop, night: Night, *, accept: bool, out: Path | None = None) -> Path:
    """Write the night down, and its report into `out` or beside it; the report's folder. A second
    model's report is in a folder of its name below that.

    With `accept` a night with regressions, and nothing worse, becomes the one to compare with.
    """
    regressed_only = {trouble.code for trouble in night.troubles} <= {RegressionError.exit_code}
    good = not night.troubles or (accept and regressed_only)
    folder = out or workshop.paths.nights / night.id
    for number, one in enumerate(night.runs):
        shop = _of_model(workshop, one.model)
        place = folder / one.model if number else folder
        publishing.write(shop, comparing.run(shop, one.run), place, compared=one.compared)
    # Last: a night counts once all of it is written.
    record = {**document(night), "good": good, "accepted": good and accept}
    write_document(workshop.paths.nights / night.id / "night.json", record)
    return folder


def document(night: Night) -> Nightly:
    """The `nightly` document, version 1. What stands outside of `runs` is of the first model."""
    runs: list[NightRun] = [
        {
            "model": one.model,
            "run": one.run,
            "compared_with": one.compared.base if one.compared else "",
            "comparisons": comparing.entries(one.compared) if one.compared else [],
            "notes": list(one.compared.notes) if one.compared else [],
            "accepted": one.since_accepted.base if one.since_accepted else "",
            "since_accepted": (comparing.entries(one.since_accepted) if one.since_accepted else []),
        }
        for one in night.runs
    ]
    first = runs[0] if runs else NOTHING
    return {
        "version": 1,
        "id": night.id,
        "device": night.device,
        "toolchains": night.toolchains,
        "cells": night.cells,
        "run": first["run"],
        "compared_with": first["compared_with"],
        "comparisons": first["comparisons"],
        "notes": first["notes"],
        "accepted": first["accepted"],
        "since_accepted": first["since_accepted"],
        "runs": runs,
        "health": list(night.health),
        "troubles": [{"code": one.code, "words": one.words} for one in night.troubles],
        "code": night.code,
    }
