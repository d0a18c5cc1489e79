"""Virtual boards by name: switched on, listed, thrown away.

Each has a directory with its disk overlay and a key pair of its own for the client. The public
half goes in on the kernel command line, so the image carries no client's key, any number of
boards share it, and `down` destroys the only key that opens the board.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError, UsageError
from buildmatrix.model import SshTarget
from buildmatrix.protocols import Finished, Started
from buildmatrix.virtual import host, machine
from buildmatrix.virtual.answer import await_answer
from buildmatrix.virtual.rootfs import image

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.protocols import Reporter
    from buildmatrix.virtual.rootfs import Image

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Board:
    """A virtual board as its directory describes it."""

    target: SshTarget
    kind: str  # one of machine.KINDS
    image: str  # digest of the image under its overlay
    running: bool


def up(
    state: Path, *, name: str, kind: str, mirror: str, reporter: Reporter, timeout: float = 120
) -> SshTarget:
    """Make sure that the board runs and an SSH command on it works; where it answers.

    A board that lost its power starts again with its disk, key and, if free, port.
    `timeout` is in seconds from power-on, building the image not included. Raises DeviceError;
    then, and on Ctrl-C, no process that this call started is left.
    """
    if kind not in machine.KINDS:
        kinds = ", ".join(machine.KINDS)
        raise UsageError(
            f"no kind of virtual board is called {kind!r}", hint=f"take one of {kinds}"
        )
    directory = _directory(state, name)
    with host.locked(directory.with_name(f"{name}.lock")):
        board = _read(directory)
        if board is None or not board.running:
            base = image(state, mirror=mirror, reporter=reporter)
            return _switch_on(
                directory, base, kind, known=board, reporter=reporter, timeout=timeout
            )
        if board.kind != kind:
            raise DeviceError(
                f"virtual board {name} is running as {board.kind}, not {kind}",
                hint=f"inv device down --name {name}",
            )
        await_answer(directory, board.target, timeout)
        return board.target


def down(state: Path, *, name: str) -> bool:
    """Switch the board off and throw its disk and key away; False when there was none."""
    directory = _directory(state, name)
    with host.locked(directory.with_name(f"{name}.lock")):
        there = directory.exists()
        machine.stop(directory)
        if there:
            shutil.rmtree(directory)
        return there


def boards(state: Path) -> tuple[Board, ...]:
    """Every board of this state directory, by name."""
    found = map(_read, sorted(_directory(state, "x").parent.glob("*/")))
    return tuple(board for board in found if board is not None)


def _switch_on(
    directory: Path,
    base: Image,
    kind: str,
    *,
    known: Board | None,
    reporter: Reporter,
    timeout: float,
) -> SshTarget:
    name = directory.name
    reporter.emit(Started(f"virtual-{name}", f"boot virtual board {name} ({kind})"))
    began = time.monotonic()
    if known is None or known.image != base.digest:  # an overlay fits one backing file only
        shutil.rmtree(directory, ignore_errors=True)
        _make(directory, base)
        known = None
    client_key = (directory / "id_ed25519.pub").read_text().split()[1]
    try:
        port = machine.start(
            directory,
            image=base,
            kind=machine.KINDS[kind],
            port=known.target.port if known else 0,
            client_key=client_key,
        )
        target = _write(directory, base, kind, port)
        await_answer(directory, target, timeout)
    except BaseException:
        machine.stop(directory)
        raise
    reporter.emit(Finished(f"virtual-{name}", "done", time.monotonic() - began, f"port {port}"))
    return target


def _make(directory: Path, base: Image) -> None:
    directory.mkdir(parents=True, mode=0o700)
    overlay, backing = str(directory / "run.qcow2"), str(base.disk)
    host.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", "raw", overlay])
    key = str(directory / "id_ed25519")
    host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", directory.name, "-f", key])


def _write(directory: Path, base: Image, kind: str, port: int) -> SshTarget:
    """Keep what `_read` needs, and a known_hosts file for people who use ssh by hand."""
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {base.public_host_key}\n")
    record = {"version": 1, "kind": kind, "port": port, "image": base.digest}
    record["host_key"] = base.host_key
    (directory / "board.json").write_text(json.dumps(record, indent=1) + "\n")
    return _target(directory, port, base.host_key)


def _read(directory: Path) -> Board | None:
    """None also for a directory whose making was interrupted."""
    try:
        record = json.loads((directory / "board.json").read_text())
    except (OSError, ValueError):
        return None
    return Board(
        target=_target(directory, record["port"], record["host_key"]),
        kind=record["kind"],
        image=record["image"],
        running=machine.alive(directory),
    )


def _target(directory: Path, port: int, host_key: str) -> SshTarget:
    return SshTarget(
        name=directory.name,
        host="127.0.0.1",
        port=port,
        user="pi",
        host_key=host_key,
        identity_file=str(directory / "id_ed25519"),
        virtual=True,
    )


def _directory(state: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a board's name", hint="use lower-case letters, digits, - _ ."
        )
    return state.absolute() / "virtual" / "boards" / name
