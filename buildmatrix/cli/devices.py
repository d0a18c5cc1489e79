"""device: virtual boards, what a board is, whose key is trusted."""

from __future__ import annotations

import functools
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildmatrix.cli.command import command
from buildmatrix.cli.common import (
    asked,
    mirror,
    print_json,
    print_table,
    progress,
    say,
    share_board_images,
    state_of,
)
from buildmatrix.errors import BuildmatrixError, DeviceError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.boards.reach import Access
    from buildmatrix.documents.boards import DeviceList
    from buildmatrix.nouns import BoardAddress
    from buildmatrix.pipeline.workshop import Workshop
    from buildmatrix.ssh import Keyring

HOSTS = {"host": "a board, or several: names, groups and globs of matrix.yaml; repeatable"}
HOST = {"host": "a device of matrix.yaml, a virtual board, or user@host:port"}

ACTIONS = ["up", "down", "info", "trust", "list", "cycle"]


def access(state: Path, *, asks: bool = True) -> Access:
    """How this person gets into boards. Without a terminal, or with `asks` off, nobody is asked."""
    from buildmatrix.boards import reach
    from buildmatrix.state import State

    folder = Path.home() / ".ssh"
    keyring = _keyring(asks=asks and sys.stdin.isatty())
    files = folder / "known_hosts", folder / "config"
    return reach.Access(*files, reach.pins(state), keyring, State(state).scripts)


@functools.cache
def _keyring(*, asks: bool) -> Keyring:
    """One for this process: a passphrase is asked for once."""
    from buildmatrix.ssh import Keyring

    return Keyring(asked if asks else None)


def devices_of(matrix: str) -> Mapping[str, BoardAddress]:
    """Devices of the matrix, when there is one: a board can be looked at without it."""
    if not Path(matrix).exists():
        return {}
    from buildmatrix.pipeline import project

    return project.load(Path(matrix), state=state_of(matrix, "")).matrix.devices


def board_at(host: str, matrix: str, state: str, shop: Workshop | None = None) -> BoardAddress:
    from buildmatrix.boards import reach

    devices = shop.project.matrix.devices if shop else devices_of(matrix)
    return reach.find(host, devices=devices, state=state_of(matrix, state))


def results_of(host: str, shop: Workshop | None = None) -> str | None:
    """The board whose results `--host` asks for; None: of every board."""
    from buildmatrix.boards import reach

    devices = shop.project.matrix.devices if shop else {}
    return reach.named(host, devices=devices) if host else None


def boards_of(hosts: Sequence[str] | None, shop: Workshop) -> tuple[BoardAddress, ...]:
    """Every board that `--host` means, each once."""
    from buildmatrix.boards import fleet

    matrix = shop.project.matrix
    return fleet.chosen(
        tuple(hosts or ()), devices=matrix.devices, groups=matrix.groups, state=shop.state
    )


@command(
    {
        **HOST,
        "action": "up, down, info, trust, list or cycle",
        "name": "up, down: what the virtual board is called (default: virtual-KIND)",
        "kind": "up: what it is like; ? says which there are and what each is for",
        "link": "up: how slow the way to it is, rate and round trip, as 20mbit/20ms",
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
    link: str = "",
    fingerprint: str = "",
    matrix: str = "matrix.yaml",
    json: bool = False,
    state: str = "",
) -> None:
    """up, down: a virtual board. info: what it is. trust: pin its key. list. cycle: power."""
    match action:
        case "up":
            share_board_images(matrix, state)
            _up(name or f"virtual-{kind}", kind, link, state_of(matrix, state), as_json=json)
        case "down":
            _down(name, state_of(matrix, state))
        case "info":
            where = state_of(matrix, state)
            _info(board_at(host, matrix, state), access(where), where, as_json=json)
        case "trust":
            _trust(board_at(host, matrix, state), fingerprint, state_of(matrix, state))
        case "cycle":
            _cycle(board_at(host, matrix, state), access(state_of(matrix, state)))
        case "list":
            _list(matrix, state_of(matrix, state), as_json=json)
        case _:
            raise UsageError(
                f"device {action} is not known{did_you_mean(action, ACTIONS)}",
                hint=f"there are: {', '.join(ACTIONS)}",
            )


def _up(name: str, kind: str, link: str, state: Path, *, as_json: bool) -> None:
    from buildmatrix import virtual
    from buildmatrix.boards import documents

    if kind == "?":
        width = max(map(len, virtual.KINDS))
        for each in virtual.KINDS.values():
            say(f"{each.name:{width}}  {each.summary}")
        return
    with progress() as reporter:
        board = virtual.up(
            state, name=name, kind=kind, link=link, mirror=mirror(), reporter=reporter
        )
    if as_json:
        document = documents.up(board, name=name, kind=kind, link=link)
        print_json(document)
    else:
        say(f"{name} answers on {board.host}:{board.port}, host key {board.host_key}")
        key = shlex.quote(board.identity_file)
        say(f"log in: ssh -p {board.port} -i {key} {board.user}@{board.host}")


def _down(name: str, state: Path) -> None:
    """The board named, or the only one there is."""
    from buildmatrix import virtual

    there = [board.address.name for board in virtual.boards(state)]
    if not name and len(there) > 1:
        raise UsageError("which board?", hint=f"--name, one of: {', '.join(there)}")
    chosen = name or (there[0] if there else "")
    gone = bool(chosen) and virtual.down(state, name=chosen)
    say(f"{chosen} is gone" if gone else "no such virtual board here: nothing to do")


def _info(board: BoardAddress, access: Access, state: Path, *, as_json: bool) -> None:
    from buildmatrix.boards import documents, seen

    document = documents.device(seen.look(board, access, state).info)
    if as_json:
        print_json(document)
    else:
        from buildmatrix.cli import boards_view

        print_table(boards_view.device(document))


def _trust(board: BoardAddress, fingerprint: str, state: Path) -> None:
    """Pin a host key: the one named, or the one offered when a person agrees."""
    from buildmatrix.boards import reach

    ways = access(state)
    address, kind, offered = reach.offered(board, ways)
    say(f"{address} offers {kind} {offered}")
    if fingerprint and fingerprint != offered:
        raise DeviceError(f"that is not {fingerprint}", hint="compare with the board's own console")
    pinned = board.host_key or ways.pins.get(address, offered)
    if pinned != offered:
        say(f"pinned until now: {pinned}")
    if not fingerprint and not _agreed():
        raise DeviceError(
            "not pinned",
            hint=f"inv device trust --host {reach.spoken(board)} --fingerprint {offered}",
        )
    reach.trust(address, offered, state=state)
    say(f'pinned; for everybody, write into matrix.yaml: host_key: "{offered}"')


def _cycle(board: BoardAddress, ways: Access) -> None:
    """Switch a board off and on by the command of matrix.yaml, unless it is measuring."""
    from buildmatrix.boards.power import Switch

    with progress() as reporter:
        switch = Switch(board, ways, reporter)
        switch.refuse_while_measuring()
        seconds = switch.cycle()
    say(f"{board.name} was switched off and on, and answered after {seconds:.0f} s")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write("Is it the one that the board itself shows? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _list(matrix: str, state: Path, *, as_json: bool) -> None:
    """Every board, and who is at work on it; all are asked at once."""
    from buildmatrix import virtual
    from buildmatrix.boards import documents, fleet

    ways = access(state, asks=False)
    there = virtual.boards(state)
    kinds = {b.address.name: b.kind for b in there}
    on = [b.address for b in there if b.running]
    boards = [*devices_of(matrix).values(), *on]
    looks = {look.board: look for look in fleet.look(boards, access=ways, state=state)}
    off = [b.address for b in there if not b.running]
    looks |= {board.name: fleet.Look(board.name, "off") for board in off}
    rows = []
    for board in (*boards, *off):
        kind, look = kinds.get(board.name, "board"), looks[board.name]
        rows.append(documents.listed(look, kind, _resolved(board, ways)))
    document: DeviceList = {"version": 1, "devices": rows}
    if as_json:
        print_json(document)
    elif rows:
        from buildmatrix.cli import boards_view

        print_table(boards_view.devices(document))
    else:
        say("no board yet: add one under `devices:` in matrix.yaml, or run `inv device up`")


def _resolved(board: BoardAddress, ways: Access) -> BoardAddress:
    """Where a board is reached; as it is written where it cannot be: its look says why, and the
    others are listed all the same."""
    from buildmatrix.boards import reach

    try:
        return reach.resolved(board, ways)
    except BuildmatrixError:
        return board


TASKS = (device,)
