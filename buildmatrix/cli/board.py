"""device, deploy, bench: boards and what is done with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli import tables
from buildmatrix.cli.common import (
    command,
    mirror,
    print_json,
    print_table,
    progress,
    say,
    state_of,
    workshop,
)
from buildmatrix.errors import BenchError, DeviceError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.model import Measurement, SshTarget
    from buildmatrix.pipeline.boards import Deployed
    from buildmatrix.pipeline.workshop import Workshop

HOST = {"host": "a device of matrix.yaml, a virtual board, or user@host:port"}


def known_hosts() -> Path:
    return Path.home() / ".ssh" / "known_hosts"


def _devices(matrix: str) -> Mapping[str, SshTarget]:
    """Devices of the matrix, when there is one: a board can be looked at without it."""
    if not Path(matrix).exists():
        return {}
    from buildmatrix.pipeline import project  # noqa: PLC0415

    return project.load(Path(matrix)).matrix.devices


def _target(host: str, matrix: str, state: str, shop: Workshop | None = None) -> SshTarget:
    from buildmatrix.pipeline import boards  # noqa: PLC0415 - paramiko

    devices = shop.project.matrix.devices if shop else _devices(matrix)
    return boards.find(host, devices=devices, state=state_of(matrix, state))


@command(
    {
        **HOST,
        "action": "up, down, info, trust or list",
        "name": "up, down: what the virtual board is called (default: virtual-KIND)",
        "kind": "up: pi3 (four cores), or pi3-counted (one core, exact instruction counts)",
        "fingerprint": "trust: pin this one without asking; the board must offer it",
    },
    positional=["action"],
)
def device(
    _c: Any,
    action: str,
    host: str = "",
    name: str = "",
    kind: str = "pi3",
    fingerprint: str = "",
    matrix: str = "matrix.yaml",
    json: bool = False,
    state: str = "",
) -> None:
    """up, down: a virtual Raspberry Pi 3. info: what a board is. trust: pin its key. list."""
    match action:
        case "up":
            _up(name or f"virtual-{kind}", kind, state_of(matrix, state), as_json=json)
        case "down":
            _down(name, state_of(matrix, state))
        case "info":
            _info(_target(host, matrix, state), as_json=json)
        case "trust":
            _trust(_target(host, matrix, state), fingerprint, state_of(matrix, state))
        case "list":
            _list(matrix, state_of(matrix, state), as_json=json)
        case _:
            actions = ["up", "down", "info", "trust", "list"]
            raise UsageError(
                f"device {action} is not known{did_you_mean(action, actions)}",
                hint=f"there are: {', '.join(actions)}",
            )


def _up(name: str, kind: str, state: Path, *, as_json: bool) -> None:
    from buildmatrix import virtual  # noqa: PLC0415

    if kind not in virtual.KINDS:
        raise UsageError(f"no kind '{kind}'", hint=f"there are: {', '.join(virtual.KINDS)}")
    with progress() as reporter:
        target = virtual.up(state, name=name, kind=kind, mirror=mirror(), reporter=reporter)
    if as_json:
        print_json({"version": 1, "name": name, "kind": kind, **_where(target)})
    else:
        say(f"{name} answers on {target.host}:{target.port}, host key {target.host_key}")


def _where(target: SshTarget) -> dict[str, object]:
    return {
        "host": target.host, "port": target.port, "user": target.user,
        "host_key": target.host_key, "identity_file": target.identity_file,
        "virtual": target.virtual,
    }  # fmt: skip


def _down(name: str, state: Path) -> None:
    """The board named, or the only one there is."""
    from buildmatrix import virtual  # noqa: PLC0415

    there = [board.target.name for board in virtual.boards(state)]
    if not name and len(there) > 1:
        raise UsageError("which board?", hint=f"--name, one of: {', '.join(there)}")
    chosen = name or (there[0] if there else "")
    gone = bool(chosen) and virtual.down(state, name=chosen)
    say(f"{chosen} is gone" if gone else "no such virtual board here: nothing to do")


def _info(target: SshTarget, *, as_json: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from buildmatrix.pipeline import boards  # noqa: PLC0415

    about = asdict(boards.info(target, known_hosts()))
    document = {"version": 1, **about, "features": sorted(about["features"])}
    if as_json:
        print_json(document)
    else:
        print_table(tables.device(document))


def _trust(target: SshTarget, fingerprint: str, state: Path) -> None:
    """Pin a host key: the one named, or the one offered when a person agrees."""
    from buildmatrix import ssh  # noqa: PLC0415
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    kind, offered = ssh.fingerprint(target.host, target.port, timeout=boards.CONNECT)
    say(f"{target.host}:{target.port} offers {kind} {offered}")
    if fingerprint and fingerprint != offered:
        raise DeviceError(f"that is not {fingerprint}", hint="compare with the board's own console")
    if target.host_key and target.host_key != offered:
        say(f"pinned until now: {target.host_key}")
    if not fingerprint and not _agreed():
        raise DeviceError(
            "not pinned", hint=f"inv device trust --host {target.host} --fingerprint {offered}"
        )
    boards.trust(target, offered, state=state)
    say(f'pinned; for everybody, write into matrix.yaml: host_key: "{offered}"')


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Is it the one that the board itself shows? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _list(matrix: str, state: Path, *, as_json: bool) -> None:
    from buildmatrix import virtual  # noqa: PLC0415

    rows: list[dict[str, Any]] = [
        {"name": t.name, "kind": "board", "state": "not asked", **_where(t)}
        for t in _devices(matrix).values()
    ]
    rows += [
        {"name": b.target.name, "kind": b.kind, "state": "running" if b.running else "off"}
        | _where(b.target)
        for b in virtual.boards(state)
    ]
    if as_json:
        print_json({"version": 1, "devices": rows})
    elif rows:
        for row in rows:
            address = f"{row['user']}@{row['host']}:{row['port']}"
            say(f"{row['name']}  {row['kind']}  {row['state']}  {address}")
    else:
        say("no board yet: add one under `devices:` in matrix.yaml, or run `inv device up`")


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
        target = _target(host, matrix, state, shop)
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
    from buildmatrix.pipeline import boards  # noqa: PLC0415

    with progress() as reporter:
        shop = workshop(matrix, only, state, reporter)
        target = _target(host, matrix, state, shop)
        plan = shop.project.matrix.bench
        settings = boards.Settings(
            batches=_numbers(batches) or tuple(plan.batches),
            passes=passes or plan.passes,
            warmup=plan.warmup if warmup < 0 else warmup,
            threads=threads or plan.threads,
            seed=plan.seed if seed < 0 else seed,
        )
        request = boards.ask(shop, settings)
        if not collect:
            held = boards.start(shop, target, request, known_hosts=known_hosts())
            say(f"run {held.run} is on {target.name}: {held.done} of {held.total} blocks done")
            say(f"  inv bench --host {target.name} --collect")
            return
        rows = boards.measure(shop, target, request, known_hosts=known_hosts(), deadline=timeout)
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


TASKS = (device, deploy, bench)
