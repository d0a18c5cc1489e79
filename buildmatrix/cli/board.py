"""deploy, bench: what is done with boards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.cli.common import (
    command,
    print_json,
    print_table,
    progress,
    say,
    workshop,
)
from buildmatrix.cli.devices import HOST, known_hosts, target_of
from buildmatrix.errors import BenchError, DeviceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.model import Measurement, SshTarget
    from buildmatrix.pipeline.boards import Deployed
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
            _rolled_back(shop, target)
            return
        done = boards.deploy_all(shop, target, known_hosts=known_hosts(), verify=verify)
        removed = _pruned(target) if prune else 0
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


def _rolled_back(shop: Workshop, target: SshTarget) -> None:
    from buildmatrix import deploy as deploying  # noqa: PLC0415
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with boards.connect(target, known_hosts()) as connection:
        there = deploying.active(connection)
        cells = [cell.id for cell in shop.project.cells if cell.id in there]
        if not cells:
            raise DeviceError(f"none of the selected cells is on {target.name}")
        for cell in cells:
            digest = deploying.rollback(connection, cell)
            say(f"{cell}  back to {digest[:12]}")


def _pruned(target: SshTarget) -> int:
    from buildmatrix import deploy as deploying  # noqa: PLC0415
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with boards.connect(target, known_hosts()) as connection:
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
        "passes": "timed forward passes a block",
        "warmup": "untimed passes before them",
        "threads": "threads of the BLAS or engine",
        "seed": "of the block order; recorded with the run",
        "collect": "wait for the run, store its results and print them",
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
    passes: int = 0,
    warmup: int = -1,
    threads: int = 0,
    seed: int = -1,
    collect: bool = False,
    timeout: int = 86400,
    json: bool = False,
    state: str = "",
) -> None:
    """Run the common forward pass on a board, detached; --collect waits and prints the table."""
    from buildmatrix.pipeline import measuring  # noqa: PLC0415

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        target = target_of(host, matrix, state, shop)
        plan = shop.project.matrix.bench
        settings = measuring.Settings(
            batches=_numbers(batches) or tuple(plan.batches),
            passes=passes or plan.passes,
            warmup=plan.warmup if warmup < 0 else warmup,
            threads=threads or plan.threads,
            seed=plan.seed if seed < 0 else seed,
        )
        request = measuring.ask(shop, settings)
        if not collect:
            held = measuring.start(shop, target, request, known_hosts=known_hosts())
            say(f"run {held.run} is on {target.name}: {held.done} of {held.total} blocks done")
            say(f"  inv bench --host {target.name} --collect")
            return
        rows = measuring.measure(shop, target, request, known_hosts=known_hosts(), deadline=timeout)
    _print(shop, rows, as_json=json)
    bad = [row for row in rows if row.status in ("wrong", "failed")]
    if bad:
        named = "; ".join(f"{r.cell} batch {r.batch}: {r.status} {r.void_reason}" for r in bad)
        raise BenchError(f"no time for {named}")


def _print(shop: Workshop, rows: Sequence[Measurement], *, as_json: bool) -> None:
    from buildmatrix.cli.results import bound  # noqa: PLC0415
    from buildmatrix.network import parameters  # noqa: PLC0415
    from buildmatrix.report import document, grids, table  # noqa: PLC0415

    net = shop.project.network
    if as_json:
        print_json(document(rows, model_name=net.name, parameters=parameters(net)))
    else:
        print_table(table(grids(rows, bound=bound(net))))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        found = (0,)
    if any(number < 1 for number in found):
        raise UsageError(f"--batches {text}: write whole numbers from 1, as 1,2,4")
    return found


TASKS = (deploy, bench)
