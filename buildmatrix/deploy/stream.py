"""What goes over the wire: one compressed tar of content, then of trees and orders.

A member NAME is an object, NAME.OFFSET the rest of one from that byte on. `trees` is a tar of its
own: folders, links, and hard links to objects/NAME, so that one process on the board makes them
all. `orders` says which trees to put in place and which cells to switch.
"""

from __future__ import annotations

import importlib.util
import io
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, Protocol

from buildmatrix.deploy.upload import CHUNK, object_name, plan_upload, resumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from buildmatrix.deploy.listing import Listing
    from buildmatrix.deploy.upload import Upload
    from buildmatrix.nouns import Bundle
    from buildmatrix.protocols import ObjectReader


class Squeezer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Shipment:
    """All that a board needs to have the bundles and to switch to them."""

    upload: Upload
    trees: bytes  # a tar; empty when all trees stand
    orders: str
    codec: Literal["gzip", "zstd"]


def ship(
    bundles: Sequence[Bundle], listing: Listing, objects: ObjectReader, *, anew: bool = False
) -> Shipment:
    """Compare with what is there. With `anew`, trees that stand are made and compared again."""
    standing = frozenset[str]() if anew else listing.bundles
    lacking = {b.digest: b for b in bundles if b.digest not in standing}
    return Shipment(
        resumed(plan_upload(bundles, listing.present), listing, objects),
        _trees(lacking) if lacking else b"",
        "".join(f"{line}\n" for line in orders(bundles, standing, listing.active)),
        "zstd" if listing.zstd and zstd_here() else "gzip",
    )


def orders(
    bundles: Sequence[Bundle], standing: frozenset[str], active: Mapping[str, str]
) -> Iterator[str]:
    """What the board is told to do, leaving out what already is so."""
    for digest in dict.fromkeys(bundle.digest for bundle in bundles):
        if digest not in standing:
            yield f"tree {digest}"
    for bundle in bundles:
        if active.get(bundle.cell) != bundle.digest:
            yield f"switch {bundle.digest} {bundle.cell}"


def tar_stream(
    shipment: Shipment, objects: ObjectReader, advanced: Callable[[int], None]
) -> Iterator[bytes]:
    """The stream, piece by piece; `advanced` hears the uncompressed bytes of objects so far."""
    squeeze, done = squeezer(shipment.codec), 0
    for item in shipment.upload.objects:
        name = f"{item.name}.{item.offset}" if item.offset else item.name
        yield squeeze.compress(_header(name, item.rest, executable=item.name.endswith(".x")))
        with objects.open(item.sha256) as content:
            content.seek(item.offset)
            while chunk := content.read(CHUNK):
                yield squeeze.compress(chunk)
                done += len(chunk)
                advanced(done)
        yield squeeze.compress(_padding(item.rest))
    for name, data in (("trees", shipment.trees), ("orders", shipment.orders.encode())):
        if data:
            yield squeeze.compress(_header(name, len(data)) + data + _padding(len(data)))
    yield squeeze.compress(bytes(2 * tarfile.BLOCKSIZE))
    yield squeeze.flush()


def zstd_here() -> bool:
    """gzip serves where Python's zstandard is not installed."""
    return importlib.util.find_spec("zstandard") is not None


def squeezer(codec: Literal["gzip", "zstd"]) -> Squeezer:
    """At levels that a busy core of a host does quicker than a link carries.

    zstd's 9 took 1.5 times the time of its 6 for 1.5 % of a Caffe bundle's bytes.
    """
    if codec == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=6).compressobj()
    return zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: a gzip header around the stream


def _trees(bundles: Mapping[str, Bundle]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for digest, bundle in bundles.items():
            for member in _members(PurePosixPath("trees", digest), bundle):
                tar.addfile(member)
    return buffer.getvalue()


def _members(root: PurePosixPath, bundle: Bundle) -> Iterator[tarfile.TarInfo]:
    folders = {parent for record in bundle.files for parent in PurePosixPath(record.path).parents}
    for folder in (root.parent, *sorted(root / folder for folder in folders)):
        member = tarfile.TarInfo(str(folder))
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        yield member
    for record in bundle.files:
        member = tarfile.TarInfo(str(root / record.path))
        member.type = tarfile.SYMTYPE if record.link else tarfile.LNKTYPE
        member.linkname = record.link or f"objects/{object_name(record)}"
        yield member


def _header(name: str, size: int, *, executable: bool = False) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o555 if executable else 0o444
    return header.tobuf(tarfile.USTAR_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
