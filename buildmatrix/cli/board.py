"""deploy, bench: what is done with boards."""

from __future__ import annotations

import getpass
import os
import platform
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.common import (
    command,
    print_json,
    print_table,
    progress,
    say,
    state_of,
    workshop,
)
from buildmatrix.cli.devices import HOST, access, target_of
from buildmatrix.errors import BenchError, DeviceError, UsageError
from buildmatrix.model import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.model import Measurement, SshTarget
    from buildmatrix.pipeline.boards import Access, Deployed
    from buildmatrix.pipeline.workshop import Workshop


@command(
    {
        **HOST,
        "rollback": "switch the selected cells back to their previous bundle",
        "prune": "remove old bundles afterwards, keeping two of each cell",
        "verify": "hash again what is already on the board, and mend it",
    },
    iterable=["only"],
)
def deploy(
    _c: Any,
    host: str = "",
    matrix: str = "matrix.yaml",
    only: Any = None,
    rollback: bool = False,
    prune: bool = False,
    verify: bool = False,
    json: bool = False,
    state: str = "",
) -> None:
    """Put built, audited bundles on a board: only what is missing, verified, switched at once."""
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        target = target_of(host, matrix, state, shop)
        if rollback:
            _rolled_back(shop, target, access(state_of(matrix, state)))
            return
        done = boards.deploy_all(
            shop, target, access=access(state_of(matrix, state)), verify=verify
        )
        removed = _pruned(target, access(state_of(matrix, state))) if prune else 0
    document = _deploy_document(target, done, removed)
    if json:
        print_json(document)
    else:
        for row in document["cells"]:
            say(f"{row['id']}  {row['state']}  {row['digest'][:12]}  {row['bytes'] / 1e6:.1f} MB")
        say(
            f"{target.name}: {document['sent_objects']} objects, "
            f"{document['sent_bytes'] / 1e6:.1f} MB sent in {done.seconds:.1f} s"
            + (f", {removed} old bundles removed" if prune else "")
        )
    if done.refused:
        cells = ", ".join(cell for cell, _ in done.refused)
        raise DeviceError(f"cannot run on {target.name}: {cells}", hint="see the findings above")


def _rolled_back(shop: Workshop, target: SshTarget, access: Access) -> None:
    from buildmatrix import deploy as deploying  # noqa: PLC0415
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with boards.connect(target, access) as connection:
        there = deploying.active(connection)
        cells = [cell.id for cell in shop.project.cells if cell.id in there]
        if not cells:
            raise DeviceError(f"none of the selected cells is on {target.name}")
        for cell in cells:
            digest = deploying.rollback(connection, cell)
            say(f"{cell}  back to {digest[:12]}")


def _pruned(target: SshTarget, access: Access) -> int:
    from buildmatrix import deploy as deploying  # noqa: PLC0415
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with boards.connect(target, access) as connection:
        return deploying.prune(connection)


def _deploy_document(target: SshTarget, done: Deployed, removed: int) -> dict[str, Any]:
    rows = [
        {"id": b.cell, "digest": b.digest, "bytes": b.size,
         "state": "switched" if b.cell in done.pushed.switched else "unchanged"}
        for b in done.bundles
    ]  # fmt: skip
    return {
        "version": 1,
        "device": target.name,
        "emulated": done.info.emulated,
        "cells": rows,
        "refused": [
            {"id": cell, "findings": [f"{f.code} {f.message}" for f in findings]}
            for cell, findings in done.refused
        ],
        "sent_objects": done.pushed.sent_objects,
        "sent_bytes": done.pushed.sent_bytes,
        "seconds": round(done.seconds, 2),
        "removed_bundles": removed,
    }


@command(
    {
        **HOST,
        "batches": "comma-separated batch sizes (default: the matrix's)",
        "rounds": "turns of every cell at every batch size, each round in an order of its own",
        "passes": "timed forward passes of one turn",
        "warmup": "untimed passes before them",
        "threads": "threads of the BLAS or engine",
        "seed": "of the order; recorded with the run",
        "retakes": "extra rounds, at the most, for blocks that were disturbed",
        "keep_governor": "leave the clock's governor alone even where we may set it",
        "wireless_off": "switch the board's wireless off meanwhile; needs rights there",
        "replay": "a stored run's id, or its beginning: the same bundles, settings and order again",
        "collect": "wait for the run, store its results and print them",
        "cancel": "end the run on the board and throw its data away",
        "timeout": "seconds that --collect waits",
    },
    iterable=["only"],
)
def bench(
    _c: Any,
    host: str = "",
    matrix: str = "matrix.yaml",
    only: Any = None,
    batches: str = "",
    rounds: int = 0,
    passes: int = 0,
    warmup: int = -1,
    threads: int = 0,
    seed: int = -1,
    retakes: int = -1,
    keep_governor: bool = False,
    wireless_off: bool = False,
    replay: str = "",
    collect: bool = False,
    cancel: bool = False,
    timeout: int = 86400,
    json: bool = False,
    state: str = "",
) -> None:
    """Run the common forward pass on a board, detached; --collect waits and prints the table."""
    from buildmatrix.pipeline import measuring  # noqa: PLC0415

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        target = target_of(host, matrix, state, shop)
        if cancel:
            _cancelled(target, access(state_of(matrix, state)))
            return
        plan = shop.project.matrix.bench
        settings = measuring.Settings(
            batches=_numbers(batches) or tuple(plan.batches),
            rounds=rounds or plan.rounds,
            passes=passes or plan.passes,
            warmup=plan.warmup if warmup < 0 else warmup,
            threads=threads or plan.threads,
            seed=plan.seed if seed < 0 else seed,
            retakes=plan.retakes if retakes < 0 else retakes,
            governor=plan.governor and not keep_governor,
            wireless="off" if wireless_off else plan.wireless,
            owner=owner(),
        )
        if replay:
            request = measuring.replayed(shop, replay, settings.owner)
        else:
            request = measuring.ask(shop, settings)
        if not collect:
            held = measuring.start(shop, target, request, access=access(state_of(matrix, state)))
            say(f"run {held.run} is on {target.name}: {held.done} of {held.total} blocks done")
            say(f"  inv bench --host {target.name} --collect")
            return
        found = measuring.measure(
            shop, target, request, access=access(state_of(matrix, state)), deadline=timeout
        )
    _print(shop, found, as_json=json)
    refuse_wrong(found)


def owner() -> str:
    """Who begins a run, for whoever finds the board busy."""
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (OSError, KeyError):  # a user without a name, as in a container
        return f"{os.getuid()}@{platform.node()}"


def refuse_wrong(found: Sequence[Measurement]) -> None:
    """Raise BenchError, exit code 7, for an answer that is wrong or did not come."""
    reasons = {
        (m.cell, m.batch): f"{m.cell} batch {m.batch}: {m.status} {m.void_reason}"
        for m in found
        if m.status in (Status.WRONG, Status.FAILED)
    }
    if reasons:
        raise BenchError(f"no time for {'; '.join(reasons.values())}")


def _cancelled(target: SshTarget, access: Access) -> None:
    from buildmatrix import bench as benching  # noqa: PLC0415
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with boards.connect(target, access) as connection:
        run = benching.cancel(connection)
    say(f"run {run} is off {target.name}" if run else f"{target.name} holds no run")


def _print(shop: Workshop, found: Sequence[Measurement], *, as_json: bool) -> None:
    from buildmatrix.pipeline import reporting  # noqa: PLC0415

    told = reporting.told(shop, found)
    if as_json:
        print_json(reporting.document(shop, told))
    else:
        print_table(reporting.table(shop, told))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        found = (0,)
    if any(number < 1 for number in found):
        raise UsageError(f"--batches {text}: write whole numbers from 1, as 1,2,4")
    return found


TASKS = (deploy, bench)
