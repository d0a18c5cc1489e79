"""The documents that commands print as JSON and draw as tables. Version 1 of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from buildmatrix import images, schema, shelf
from buildmatrix.errors import UsageError
from buildmatrix.nouns import Status, Verb
from buildmatrix.pipeline.forecasting import forecast_row
from buildmatrix.pipeline.planning import gaps, plan_all
from buildmatrix.pipeline.project import select
from buildmatrix.pipeline.stored import bundle_digests
from buildmatrix.resolved import ResolvedRunner
from buildmatrix.selector import fits
from buildmatrix.works import BundleWork

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from buildmatrix.documents.building import (
        ActionRow,
        Build,
        CellRow,
        Cells,
        DroppedRow,
        EndedAction,
        EndedCell,
        OfferRow,
        Offers,
        Plan,
        ReproducedRow,
        Rung,
        ToolchainRow,
        Toolchains,
    )
    from buildmatrix.nouns import Action, Cell
    from buildmatrix.pipeline.making import Outcome
    from buildmatrix.pipeline.reproducing import Reproduction
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.shelf import Offer
    from buildmatrix.toolchain import Toolchain
    from buildmatrix.works import Graph


def cells_document(workshop: Workshop, *, only: tuple[str, ...] = ()) -> Cells:
    """Kept and dropped cells. `shown` is the rung that this state folder has on record.

    The workshop holds all cells, whichever are asked for: one may be the proof of another.
    """
    actions = {a.id: a for a in plan_all(workshop)}
    digests = bundle_digests(workshop, tuple(actions.values()))
    measured = _measured(workshop)
    proofs, missing = _proofs(workshop, digests, measured), gaps(workshop)
    rows: list[CellRow] = []
    for cell in select(workshop.project.matrix, only):
        goal = actions[workshop.project.graph.goals[cell.id]]
        rung, command = _rung(goal, (cell.id, digests[cell.id]), measured), ""
        if rung == "rendered" and (proof := proofs.get(_engine(workshop, cell))):
            rung, command = "runner", f"inv report --only {proof}"
        rows.append(
            {
                "id": cell.id,
                "stack": cell.stack,
                "toolchain": cell.toolchain,
                "options": dict(cell.options),
                "shown": {"rung": rung, "command": command or _command(rung, cell)},
                "reason": _reason(workshop.project.graph, goal, actions, missing),
                "where": str(cell.where),
            }
        )
    dropped: list[DroppedRow] = [
        {"id": d.id, "rule": d.rule, "reason": d.reason} for d in workshop.project.matrix.dropped
    ]
    return {"version": 1, "cells": rows, "dropped": dropped}


Engine = tuple[str, str]  # digest of a runner's engine file, and the model format that it loads


def _engine(workshop: Workshop, cell: Cell) -> Engine:
    """What a cell's runner is made of; two empty words without a runner."""
    graph = workshop.project.graph
    bundle = graph.bundle_of(cell.id)
    if bundle is None or not isinstance(bundle.subject, BundleWork):
        return ("", "")
    resolved = graph.by_id[bundle.subject.runner].subject
    assert isinstance(resolved, ResolvedRunner)
    return resolved.engine, resolved.model_format


def _proofs(
    workshop: Workshop, digests: Mapping[str, str], measured: Mapping[tuple[str, str], Rung]
) -> dict[Engine, str]:
    """Engines that gave a right answer with the real library of their stack, and in which cell.

    The same engine file stands in the recipe of a stack that cannot be built here and in the one
    that takes the stack's published x86-64 or aarch64 library.
    """
    return {
        _engine(workshop, cell): cell.id
        for cell in workshop.project.cells
        if (cell.id, digests[cell.id]) in measured
    }


def _measured(workshop: Workshop) -> dict[tuple[str, str], Rung]:
    """(cell, bundle digest) -> best rung: a right answer on an emulated board, or on a real one."""
    if not workshop.paths.results.exists():
        return {}
    best: dict[tuple[str, str], Rung] = {}
    with workshop.results() as results:
        for one in results.latest():
            where = (one.cell, one.bundle)
            if one.status is Status.OK and best.get(where) != "measured":
                best[where] = "ran" if one.emulated else "measured"
    return best


def _rung(goal: Action, bundle: tuple[str, str], measured: Mapping[tuple[str, str], Rung]) -> Rung:
    """What ran counts only for the very bundle, (cell, digest), that the cell makes now."""
    return measured.get(bundle, "built") if goal.verb is Verb.SKIP else "rendered"


def _command(rung: str, cell: Cell) -> str:
    match rung:
        case "rendered":
            return f"inv plan --only {cell.id}"
        case "built":
            return f"inv audit {cell.id}"
        case _:
            return f"inv report --only {cell.id}"


def _reason(
    graph: Graph, goal: Action, actions: Mapping[str, Action], missing: Mapping[str, str]
) -> str:
    match goal.verb:
        case Verb.SKIP:
            return "stored"
        case Verb.BLOCKED:
            return f"out of reach: {actions.get(goal.blocked_by, goal).reason}"
        case _:
            below = graph.below(goal.id) if missing else ()
            needed = [w.id for w in below if actions[w.id].verb is not Verb.SKIP]
            gap = next((missing[need] for need in needed if need in missing), "")
            return f"{gap}, when last tried" if gap else f"to be built: {goal.reason}"


def plan_document(workshop: Workshop, actions: Sequence[Action]) -> Plan:
    """What each action would do and why, and how long all of it would take here."""
    return {
        "version": 1,
        "actions": action_rows(actions),
        "forecast": forecast_row(workshop, actions),
    }


def action_rows(actions: Sequence[Action]) -> list[ActionRow]:
    return [
        {
            "id": a.id,
            "cell": a.cell,
            "stage": a.stage.value,
            "verb": a.verb.value,
            "reason": a.reason,
            "needs": list(a.needs),
            "key": a.key,
            "predicted_seconds": a.predicted_seconds,
            "predicted_by": a.predicted_by,
            "blocked_by": a.blocked_by,
        }
        for a in actions
    ]


def build_document(workshop: Workshop, outcomes: Sequence[Outcome]) -> Build:
    """What a build did, and where every cell stands now."""
    by_id = {o.action.id: o for o in outcomes}
    rows: list[EndedAction] = [
        {
            "id": o.action.id,
            "state": o.state,
            "message": o.message,
            "fault": o.fault,
            "key": o.action.key,
            "seconds": workshop.seconds.get(o.action.id) if o.state == "done" else None,
        }
        for o in outcomes
    ]
    cells: list[EndedCell] = []
    for cell in workshop.project.cells:
        ended = by_id.get(workshop.project.graph.goals[cell.id])
        root = _root(ended, by_id)
        cells.append(
            {
                "id": cell.id,
                "state": ended.state if ended else "not reached",
                "message": ended.message if ended else "stopped before it by --fail-fast",
                "cause": root.message if root else "",
                "brief": root.in_short if root else "",
            }
        )
    return {"version": 1, "cells": cells, "actions": rows}


def reproduced_rows(reproductions: Iterable[Reproduction]) -> list[ReproducedRow]:
    """What came of making works again."""
    return [
        {
            "id": one.id,
            "files": one.files,
            "differing": list(one.differing),
            "difference": one.difference,
            "report": one.report,
        }
        for one in reproductions
    ]


def _root(ended: Outcome | None, by_id: dict[str, Outcome]) -> Outcome | None:
    """The action that is at fault when a cell is not there; None when it is."""
    if ended is not None and ended.fault:
        ended = by_id.get(ended.fault)
    return ended if ended is not None and ended.state != "done" else None


def chosen_toolchains(root: Path, only: tuple[str, ...]) -> tuple[Offer, ...]:
    """The toolchains that a project in `root` may name and that fit one of the globs; all without
    any. Raises UsageError when none fits."""
    there = shelf.offers(root, "toolchains")
    chosen = tuple(o for o in there if not only or any(fits(o.name, g) for g in only))
    if not chosen:
        raise UsageError(
            f"--only {' '.join(only)} matches no toolchain",
            hint=f"there are: {', '.join(offer.name for offer in there)}",
        )
    return chosen


def toolchains_document(
    offers: Sequence[Offer],
    toolchains: Mapping[str, Toolchain],
    *,
    state: Path,
    changed: Mapping[str, str] | None = None,
) -> Toolchains:
    """Images on record in a state folder; of those made or locked now, what changed in words."""
    rows: list[ToolchainRow] = []
    for offer in offers:
        name = offer.name
        toolchain = toolchains[name]
        identity = images.recorded(toolchain, state)
        rows.append(
            {
                "name": name,
                "summary": toolchain.spec.summary,
                "origin": offer.origin,
                "target": toolchain.spec.target.model_dump(),
                "identity": identity.digest if identity else "",
                "image": identity.image if identity else "",
                "packages": list(identity.packages) if identity else [],
                "changed": (changed or {}).get(name, ""),
            }
        )
    return {"version": 1, "toolchains": rows}


def offers_document(root: Path, kind: Literal["recipes", "models"]) -> Offers:
    """What a project in `root` may name of a kind, with a line each and where it comes from."""
    rows: list[OfferRow] = [
        {
            "name": offer.name,
            "summary": str(schema.read(offer.folder / shelf.FILES[kind]).data["summary"]),
            "origin": offer.origin,
            "folder": str(offer.folder),
        }
        for offer in shelf.offers(root, kind)
    ]
    return {"version": 1, "kind": kind, "offers": rows}
