"""Room on a board: old bundles go when they are asked to, or when a quota wants it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.agent import PREFIX, call
from buildmatrix.deploy.listing import read_lines, read_listing
from buildmatrix.deploy.questions import LONG, as_lines, survey
from buildmatrix.deploy.upload import names_of, plan_upload, resumed
from buildmatrix.errors import DeviceError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from buildmatrix.deploy.listing import Listing
    from buildmatrix.deploy.upload import Upload
    from buildmatrix.nouns import Bundle
    from buildmatrix.protocols import Connection, ObjectReader

BLOCK = 4096  # bytes that the smallest file or folder takes


def prune(connection: Connection, *, keep: int = 2, prefix: str = PREFIX) -> int:
    """Remove all but the last `keep` bundles of each cell; the number of bundles removed.

    The active bundle stays, and what an uncollected benchmark run needs. Objects go when no
    bundle links to them, and what cut pushes left goes too.
    """
    answer = call(connection, "past; listing", prefix=prefix, timeout=LONG)
    listing = read_listing(answer.stdout)
    return discard(connection, (*doomed(listing, keep=keep), "parts"), prefix=prefix)


def doomed(listing: Listing, *, keep: int) -> Iterator[str]:
    """What a prune removes: pure, so that 'keep 2' can be read from a test."""
    if keep < 1:
        raise InputError("prune keeps at least the active bundle", hint="use --keep 1 or more")
    staying = set(listing.held) | {digest for name, digest in listing.links if keep > 1}
    staying |= set(listing.active.values())
    for cell in listing.active:
        newest = dict.fromkeys(digest for name, digest in reversed(listing.history) if name == cell)
        staying |= set(list(newest)[:keep])
    if keep == 1:
        yield from (f"cell {name}" for name, _ in listing.links if name.endswith(".previous"))
    yield from (f"bundle {digest}" for digest in sorted(listing.bundles - staying))


def superseded(listing: Listing, bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """Bundles that nothing on the board leads to, and that are not about to be switched on."""
    staying = {digest for _, digest in listing.links} | listing.held | {b.digest for b in bundles}
    return tuple(sorted(listing.bundles - staying))


def make_room(
    connection: Connection,
    bundles: Sequence[Bundle],
    objects: ObjectReader,
    *,
    quota_mib: int,
    prefix: str = PREFIX,
) -> int:
    """See that everything below the prefix stays within a quota once the bundles are there.

    When it would not, superseded bundles go; the number removed. Raises DeviceError with the
    figures when that is not enough.
    """
    listing, adds = _needs(connection, bundles, objects, prefix=prefix)
    lines = [f"bundle {digest}" for digest in superseded(listing, bundles)]
    removed = 0
    if listing.used_kib + adds > quota_mib * 1024 and lines:
        removed = discard(connection, lines, prefix=prefix)
        listing, adds = _needs(connection, bundles, objects, prefix=prefix)
    if listing.used_kib + adds > quota_mib * 1024:
        raise DeviceError(
            f"the quota of {quota_mib} MiB is too small: {listing.used_kib / 1024:.1f} MiB are in "
            f"use below {prefix}, {adds / 1024:.1f} MiB more are needed",
            hint="raise the quota, deploy fewer cells (--only), or give up the way back: "
            "`inv deploy --prune --keep 1`",
        )
    return removed


def _needs(
    connection: Connection, bundles: Sequence[Bundle], objects: ObjectReader, *, prefix: str
) -> tuple[Listing, int]:
    listing = survey(connection, names_of(bundles), prefix=prefix)
    upload = resumed(plan_upload(bundles, listing.present), listing, objects)
    return listing, added_kib(bundles, upload, listing)


def added_kib(bundles: Sequence[Bundle], upload: Upload, listing: Listing) -> int:
    """What the board's disk has less afterwards: content in whole blocks, folders and links."""
    blocks = sum(-(-item.rest // BLOCK) for item in upload.objects)
    for bundle in {b.digest: b for b in bundles if b.digest not in listing.bundles}.values():
        parents = (PurePosixPath(record.path).parents for record in bundle.files)
        blocks += len({folder for folders in parents for folder in folders})
    return blocks * BLOCK // 1024


def discard(connection: Connection, lines: Iterable[str], *, prefix: str) -> int:
    """Have the board remove what 'bundle DIGEST', 'cell NAME' and 'parts' lines name."""
    wanted = tuple(lines)
    result = call(
        connection, "discard", prefix=prefix, timeout=LONG, stdin=lambda: as_lines(wanted)
    )
    return len(read_lines(result.stdout)["removed"])
