"""device: virtual boards, what a board is, whose key is trusted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli import tables
from buildmatrix.cli.common import command, mirror, print_json, print_table, progress, say, state_of
from buildmatrix.errors import DeviceError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.model import SshTarget
    from buildmatrix.pipeline.workshop import Workshop

HOST = {"host": "a device of matrix.yaml, a virtual board, or user@host:port"}


def known_hosts() -> Path:
    return Path.home() / ".ssh" / "known_hosts"


def devices_of(matrix: str) -> Mapping[str, SshTarget]:
    """Devices of the matrix, when there is one: a board can be looked at without it."""
    if not Path(matrix).exists():
        return {}
    from buildmatrix.pipeline import project  # noqa: PLC0415

    return project.load(Path(matrix)).matrix.devices


def target_of(host: str, matrix: str, state: str, shop: Workshop | None = None) -> SshTarget:
    from buildmatrix.pipeline import boards  # noqa: PLC0415 - paramiko

    devices = shop.project.matrix.devices if shop else devices_of(matrix)
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
            _info(target_of(host, matrix, state), as_json=json)
        case "trust":
            _trust(target_of(host, matrix, state), fingerprint, state_of(matrix, state))
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
        for t in devices_of(matrix).values()
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


TASKS = (device,)
