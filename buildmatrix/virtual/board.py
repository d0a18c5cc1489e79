"""Virtual boards by name: switched on, and thrown away.

Each has a directory with its disk and a key pair of its own for the client. The public half goes
in over the serial line, so neither image nor snapshot carries a client's key, any number of
boards share them, and `down` destroys the only key that opens the board.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix.errors import DeviceError, UsageError
from buildmatrix.protocols import Finished, Started
from buildmatrix.virtual import (
    answer,
    cache,
    container,
    firmware,
    host,
    machine,
    power,
    record,
    sharing,
    snapshot,
)
from buildmatrix.virtual.image import image
from buildmatrix.virtual.kinds import KINDS
from buildmatrix.virtual.link import cut, laid, lay, parse

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.nouns import BoardAddress
    from buildmatrix.protocols import Reporter
    from buildmatrix.virtual.image import Image
    from buildmatrix.virtual.kinds import Kind
    from buildmatrix.virtual.link import Link
    from buildmatrix.virtual.record import Board

# Seconds. A counted Pi 3 that was computing boots again in 50 on a quiet machine with QEMU 7.2, and
# in more than twice that beside other work.
PATIENCE = 300


def up(
    state: Path,
    *,
    name: str,
    kind: str,
    mirror: str,
    reporter: Reporter,
    link: str = "",
    plugin: str = "",
    timeout: float = PATIENCE,
) -> BoardAddress:
    """Make sure that the board runs and answers over SSH, and return the address to reach it at.

    A board that lost its power boots again with the disk and the key that it had, and with its
    port if that is still free. `link` limits the connection, as in 20mbit/20ms (the rate each way
    and the round trip); an empty one does not limit it. A board that already runs with another
    link gets the new one, which cuts the connections through the old. `plugin` is an argument of
    QEMU's, for a board that is switched on by this call. `timeout` is in seconds from power-on and
    does not include the making of the image. Raises DeviceError when the board
    does not come up; then, and on Ctrl-C, no process that this call started is left.
    """
    sort, shape = _checked(kind, link)

    def used() -> set[str]:
        return sharing.lasting(state)

    with record.held(state, name) as directory:
        board = record.read(directory)
        if board is not None and board.kind != kind:
            raise DeviceError(
                f"virtual board {name} is a {board.kind}, not a {kind}",
                hint=f"`{board.again}`; or throw it away: `inv device down --name {name}`",
            )
        if board is not None and _answers(directory, board, sort, time.monotonic() + timeout):
            return _linked(directory, board, link, shape, board).address
        shelf = sharing.shelf_of(state)
        with image(shelf, sort, mirror=mirror, used=used, reporter=reporter) as base:
            if board is None or not _fits(directory, board, base):
                _make(directory, base, sort, reporter)
                board = None
            reporter.emit(Started(f"virtual-{name}", f"switch on virtual board {name} ({kind})"))
            began = time.monotonic()
            try:
                on = _switch_on(directory, base, sort, board, began + timeout, plugin)
                on = _linked(directory, on, link, shape, board)
            except BaseException:
                record.switch_off(directory)
                raise
        seconds = time.monotonic() - began
        reporter.emit(Finished(f"virtual-{name}", "done", seconds, f"port {on.address.port}"))
        return on.address


def down(state: Path, *, name: str) -> bool:
    """Switch the board off and throw its disk and key away; False when there was none."""
    with record.held(state, name) as directory:
        there = directory.exists()
        record.throw_away(directory)
        return there


def _checked(kind: str, link: str) -> tuple[Kind, Link | None]:
    if kind in firmware.KINDS:
        raise UsageError(
            f"{kind} runs one program without an operating system, and answers over no SSH",
            hint=f"inv firmware --kind {kind}",
        )
    if kind not in KINDS:
        raise UsageError(
            f"no kind of virtual board is called {kind!r}; there are:",
            details="\n".join(f"  {known}: {KINDS[known].summary}" for known in KINDS),
        )
    return KINDS[kind], parse(link)


def _fits(directory: Path, board: Board, base: Image) -> bool:
    """Whether the board's disk lies over this very image, and not over one that was made before it
    by the same recipe: each has a host key of its own."""
    keys = (folder / "host_key.pub" for folder in (directory, base.root))
    return board.uses == base.uses and len({key.read_text() for key in keys}) == 1


def _make(directory: Path, base: Image, kind: Kind, reporter: Reporter) -> None:
    """A machine begins as a copy of its kind's snapshot; each board has a key of its own."""
    record.throw_away(directory)
    if base.kernel is None:
        container.make(directory, kind, base.root, reporter)
    else:
        with snapshot.booted(kind, base.root, base.kernel, reporter=reporter) as waiting:
            shutil.copytree(waiting, directory)
    shutil.copy(base.root / "host_key.pub", directory)
    key = str(directory / "id_ed25519")
    host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", directory.name, "-f", key])


def _switch_on(
    directory: Path,
    base: Image,
    kind: Kind,
    known: Board | None,
    deadline: float,
    plugin: str = "",
) -> Board:
    port = known.port if known else 0
    if base.kernel is None:
        chosen, resumed = container.start(directory, kind, base.root, port=port), False
    elif known:
        chosen = machine.start(directory, kind, base.kernel, port=port, plugin=plugin)
        resumed = False
    else:
        chosen, resumed = _resume(directory, base.root, base.kernel, kind, plugin)
    board = record.write(directory, kind=kind.name, uses=base.uses, port=chosen)
    _await(directory, board, kind, deadline, resumed=resumed)
    return board


def _resume(
    directory: Path, root: Path, kernel: Path, kind: Kind, plugin: str = ""
) -> tuple[int, bool]:
    """The port, and whether the board went on from the snapshot; it boots when it cannot."""
    try:
        return machine.start(directory, kind, kernel, resume=True, plugin=plugin), True
    except DeviceError:  # damaged: the next board gets a new one
        cache.discard(snapshot.path(kind, root, kernel))
        snapshot.overlay(directory, root)
        return machine.start(directory, kind, kernel, plugin=plugin), False


def _answers(directory: Path, board: Board, kind: Kind, deadline: float) -> bool:
    """Whether the board is on, and does not go off while it is asked."""
    if not board.running:
        return False
    try:
        _await(directory, board, kind, deadline)
    except DeviceError:
        if power.of(directory).alive(directory):
            raise
        return False
    return True


def _await(
    directory: Path, board: Board, kind: Kind, deadline: float, *, resumed: bool = False
) -> None:
    address = replace(board.address, port=board.port)
    if kind.kernel and answer.greeted(directory):
        answer.await_told(directory, address, deadline)
        return
    if kind.kernel:
        if not resumed:
            answer.await_boot(directory, deadline)
        answer.greet(directory, deadline)
    answer.await_answer(directory, address, deadline)


def _linked(
    directory: Path, board: Board, link: str, shape: Link | None, before: Board | None
) -> Board:
    """The board at the end of the link that is asked for, if it may be at the port from before."""
    if link == board.link and (shape is None or laid(directory)):
        return board
    cut(directory)
    port = before.address.port if before and before.link else 0
    relay = lay(directory, shape, board.port, port=port) if shape else 0
    return record.write(
        directory, kind=board.kind, uses=board.uses, port=board.port, link=link, relay=relay
    )
