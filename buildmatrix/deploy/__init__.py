"""Bundles onto a board: each object once, checked there, trees of hard links, one atomic switch.

A push is at most three calls: what stands there; what is there of the objects that it needs; then
one compressed stream with what is missing, the trees and the order to switch. When the first says
that all is in place, it is the only one; and where nothing was ever deployed, all of it is one call
(see `meeting`). Cut at any byte, the next push goes on from there; killed
at any moment, the active variant is whole. Layout and scripts are described in `agent`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.agent import PREFIX, ask, failure
from buildmatrix.deploy.forecast import Forecast, forecast
from buildmatrix.deploy.listing import (
    Listing,
    Part,
    read_lines,
    read_listing,
    refuse_while_measuring,
)
from buildmatrix.deploy.meeting import meet
from buildmatrix.deploy.pushed import FEW, Pushed, gone, received
from buildmatrix.deploy.questions import (
    LONG,
    QUESTION,
    SHORT,
    SLOWEST_LINK,
    Survey,
    active,
    glance,
    survey,
)
from buildmatrix.deploy.room import doomed, make_room, prune, superseded
from buildmatrix.deploy.stream import Shipment, ship, tar_stream
from buildmatrix.deploy.upload import (
    Object,
    Upload,
    check,
    check_cell,
    names_of,
    plan_upload,
    unsettled,
)
from buildmatrix.errors import DeviceError
from buildmatrix.protocols import Advanced, CommandResult, Note
from buildmatrix.some import some

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from buildmatrix.nouns import Bundle
    from buildmatrix.protocols import Connection, ObjectReader, Reporter

__all__ = [
    "QUESTION",
    "SHORT",
    "Forecast",
    "Listing",
    "Object",
    "Part",
    "Pushed",
    "Shipment",
    "Upload",
    "active",
    "check",
    "doomed",
    "forecast",
    "glance",
    "make_room",
    "meet",
    "plan_upload",
    "prune",
    "push",
    "read_listing",
    "refuse_while_measuring",
    "rollback",
    "ship",
    "superseded",
    "survey",
    "tar_stream",
    "unsettled",
]

ATTEMPTS = 3  # a prune beside us may take an object between two calls


def push(
    connection: Connection,
    bundles: Sequence[Bundle],
    objects: ObjectReader,
    *,
    prefix: str = PREFIX,
    reporter: Reporter,
    subject: str,
    verify: bool = False,
    known: Listing | None = None,
) -> Pushed:
    """Make every bundle the active one of its cell.

    `known` is the answer to QUESTION, if that was asked already. With `verify`, content that is
    on the board is read and hashed there too, and mended. Raises DeviceError naming the file when
    one arrives damaged (nothing is switched then), and LinkLost from the connection.
    """
    for bundle in bundles:
        check(bundle)
    listing = known or glance(connection, prefix=prefix)
    if not verify and not unsettled(bundles, listing):
        return Pushed(0, 0, ())
    sent, wire, resumed = 0, 0, 0
    result = CommandResult(0, b"", b"")
    for attempt in range(ATTEMPTS):
        if attempt or not listing.fresh:
            mode: Survey = "verify" if verify else ""
            listing = survey(connection, names_of(bundles), prefix=prefix, mode=mode)
        if listing.corrupt:
            reporter.emit(Note("warning", f"{subject}: mending {_files(bundles, listing.corrupt)}"))
        packed = connection.packed is not None
        shipment = ship(bundles, listing, objects, anew=verify, packed=packed)
        result, bytes_sent = _send(
            connection,
            shipment,
            objects,
            prefix=prefix,
            bare=listing.fresh,
            reporter=reporter,
            subject=subject,
        )
        sent += len(shipment.upload.travelling)
        resumed += shipment.upload.kept
        wire += bytes_sent
        lines = received(result, shipment.upload)
        if not lines["missing"]:
            return Pushed(sent, wire, tuple(cell for (cell,) in lines["switched"]), resumed)
    raise gone(result)


def rollback(connection: Connection, cell: str, *, prefix: str = PREFIX) -> str:
    """Switch a cell back to its previous bundle and return that bundle's digest.

    A second rollback returns to where the first one started. Raises DeviceError without one.
    """
    check_cell(cell)
    result = ask(connection, f"rollback {cell}", prefix=prefix, timeout=SHORT)
    if result.status == 3:
        raise DeviceError(
            f"{cell} has no previous bundle on this board", hint="deploy the cell again instead"
        )
    if result.status != 0:
        raise failure(result)
    digests = [digest for name, digest in read_lines(result.stdout)["cell"] if name == cell]
    if not digests:
        raise failure(result)
    return digests[0]


def _send(
    connection: Connection,
    shipment: Shipment,
    objects: ObjectReader,
    *,
    prefix: str,
    bare: bool,
    reporter: Reporter,
    subject: str,
) -> tuple[CommandResult, int]:
    """What the board said to the stream, and the bytes that went over the wire."""
    wire, total, before = 0, shipment.upload.size, connection.packed or 0

    def advanced(done: int) -> None:
        reporter.emit(Advanced(subject, done, total, "bytes"))

    def counted() -> Iterator[bytes]:
        nonlocal wire
        for chunk in tar_stream(shipment, objects, advanced):
            wire += len(chunk)
            yield chunk

    line, limit = f"receive {shipment.codec}", LONG + total / SLOWEST_LINK
    result = ask(connection, line, prefix=prefix, timeout=limit, stdin=counted, bare=bare)
    return result, wire if connection.packed is None else connection.packed - before


def _files(bundles: Sequence[Bundle], names: Iterable[str]) -> str:
    called = {item.name: item.file for item in plan_upload(bundles, frozenset()).objects}
    return some([called.get(name, name) for name in names], FEW)
