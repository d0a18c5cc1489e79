"""What a deploy would do: the same comparison, the same stream, but nothing is sent."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from buildmatrix.agent import PREFIX, call
from buildmatrix.deploy.questions import SHORT, survey
from buildmatrix.deploy.room import added_kib, doomed, superseded
from buildmatrix.deploy.stream import ship, tar_stream
from buildmatrix.deploy.upload import check, names_of, unsettled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.deploy.listing import Listing
    from buildmatrix.nouns import Bundle
    from buildmatrix.protocols import Connection, ObjectReader

PROBE = 1 << 16  # bytes that the link is first tried with
PROBE_SECONDS = 0.25  # a shorter trial would measure the noise
CALLS = 2  # survey and stream


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a push would send, switch and need."""

    objects: int
    bytes: int  # before compression
    wire_bytes: int  # exactly; where SSH packs, within a hundredth
    kept_bytes: int  # there from pushes that were cut, before compression
    seconds: float  # on the link, as it is now; 0 when nothing is to be sent
    round_trip_s: float  # measured now, or 0
    rate: float  # bytes a second towards the board, measured now, or 0
    switched: tuple[str, ...]  # cells
    removed: tuple[str, ...]  # digests of bundles, by the quota and by the prune asked for
    used_kib: int  # by everything below the prefix, now
    adds_kib: int


def forecast(
    connection: Connection,
    bundles: Sequence[Bundle],
    objects: ObjectReader,
    *,
    prefix: str = PREFIX,
    quota_mib: int = 0,
    keep: int = 0,
) -> Forecast:
    """Look at the board and try its link, writing nothing there.

    `keep` is that of the prune that would follow; 0 is none, and no quota. Raises what `push`
    would at once.
    """
    for bundle in bundles:
        check(bundle)
    listing = survey(connection, names_of(bundles), prefix=prefix, mode="dry")
    shipment = ship(bundles, listing, objects, packed=connection.packed is not None)
    switched = tuple(bundle.cell for bundle in unsettled(bundles, listing))
    adds = added_kib(bundles, shipment.upload, listing)
    wire, seconds, latency, rate = 0, 0.0, 0.0, 0.0
    if switched:
        packed = shipment if connection.packed is None else replace(shipment, codec="gzip")
        wire = sum(len(chunk) for chunk in tar_stream(packed, objects, lambda _: None))
        latency, rate = link(connection)
        seconds = CALLS * latency + wire / rate
    removed: set[str] = set()
    if quota_mib and listing.used_kib + adds > quota_mib * 1024:
        removed.update(superseded(listing, bundles))
    if keep:
        lines = (line.split() for line in doomed(_afterwards(listing, bundles), keep=keep))
        removed.update(name for kind, name in lines if kind == "bundle")
    return Forecast(
        objects=len(shipment.upload.travelling),
        bytes=shipment.upload.size,
        wire_bytes=wire,
        kept_bytes=shipment.upload.kept,
        seconds=seconds,
        round_trip_s=latency,
        rate=rate,
        switched=switched,
        removed=tuple(sorted(removed)),
        used_kib=listing.used_kib,
        adds_kib=adds,
    )


def link(connection: Connection) -> tuple[float, float]:
    """(seconds of an empty call, bytes a second towards the board), measured by a small trial."""

    def timed(size: int) -> float:
        started = time.monotonic()
        call(
            connection,
            "cat > /dev/null",
            timeout=SHORT,
            stdin=lambda: [os.urandom(size)],
            mode="look",
        )
        return time.monotonic() - started

    latency, size = min(timed(0), timed(0)), PROBE
    while (seconds := timed(size) - latency) < PROBE_SECONDS and size < 64 * PROBE:
        size *= 4
    return latency, size / max(seconds, 1e-3)


def _afterwards(listing: Listing, bundles: Sequence[Bundle]) -> Listing:
    """What the board would say after the push."""
    moved = {bundle.cell: bundle.digest for bundle in unsettled(bundles, listing)}
    links = dict(listing.links)
    links |= {f"{cell}.previous": links[cell] for cell in moved if cell in links} | moved
    return replace(
        listing,
        bundles=listing.bundles | {*moved.values()},
        links=tuple(links.items()),
        history=(*listing.history, *moved.items()),
    )
