"""What goes over the wire: one compressed tar of content, then of trees and orders.

A member objects/NAME is an object, objects/NAME.OFFSET the rest of one from that byte on; `sum`
has the board hash what is there whole, while the rest travels. Then come bundles/ of folders, links
and hard links to objects, and in cells/ the links to them: as members too where all that they link
to comes before them whole, as it does in a first deploy, so that the board needs no program for
them; else as a tar `trees`, for when the rests are joined. `orders` says which trees to put in
place and which cells to switch.
"""

from __future__ import annotations

import importlib.util
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, Protocol

from buildmatrix.deploy.upload import CHUNK, names_of, object_name, plan_upload, resumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from buildmatrix.deploy.listing import Listing
    from buildmatrix.deploy.upload import Upload
    from buildmatrix.nouns import Bundle
    from buildmatrix.protocols import ObjectReader


END = bytes(2 * tarfile.BLOCKSIZE)  # of a tar
SHARE = 3  # so many times what is left


Codec = Literal["gzip", "zstd", "deb", "plain"]

# What a Debian package begins with, see ar(5) and deb(5): its version, no control files, and data
# whose size nobody knows yet. What ends earlier is unpacked whole, and dpkg-deb says so.
PACKAGE = "!<arch>\n" + "".join(
    f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{size:<10}`\n{content}"
    for name, size, content in (
        ("debian-binary", 4, "2.0\n"),
        ("control.tar", 0, ""),
        ("data.tar.zst", 9_999_999_999, ""),
    )
)


class Squeezer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Shipment:
    """All that a board needs to have the bundles and to switch to them."""

    upload: Upload
    trees: bytes  # members of a tar; none when all trees stand
    whole: bool  # all that the trees link to comes before them in the stream
    orders: str
    codec: Codec


def ship(
    bundles: Sequence[Bundle],
    listing: Listing,
    objects: ObjectReader,
    *,
    anew: bool = False,
    packed: bool = False,
) -> Shipment:
    """Compare with what is there. With `anew`, trees that stand are made and compared again.

    `packed` says that the connection packs what is sent: then nothing is packed twice.
    """
    standing = frozenset[str]() if anew else listing.bundles
    lacking = {b.digest: b for b in bundles if b.digest not in standing}
    upload = resumed(plan_upload(bundles, listing.present), listing, objects)
    coming = {item.name for item in upload.objects if not item.offset}
    whole = coming.issuperset(names_of(tuple(lacking.values())))
    cells = [bundle.cell for bundle in bundles]  # one may come twice, and no link can lead to both
    linked = [b for b in bundles if b.digest in lacking and cells.count(b.cell) == 1]
    return Shipment(
        upload,
        b"".join(_trees(lacking, linked)),
        whole,
        "".join(f"{line}\n" for line in orders(bundles, standing, listing.active)),
        "plain" if packed else "zstd" if listing.zstd and zstd_here() else "gzip",
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
    squeeze = squeezer(shipment.codec)
    for piece in contents(shipment.upload, objects, advanced):
        yield squeeze.compress(piece)
    yield squeeze.compress(closing(shipment))
    yield squeeze.flush()


def contents(
    upload: Upload, objects: ObjectReader, advanced: Callable[[int], None]
) -> Iterator[bytes]:
    """Members of a tar: what travels, the largest object first.

    What the board has left to hash after the last byte is waited for, and each program that hashes
    costs it something: one is started when three quarters of what is left were sent since the last,
    and no more for the last sixteenth.
    """
    done = summed = 0
    for item in upload.objects:
        name = f"{item.name}.{item.offset}" if item.offset else item.name
        executable = item.name.endswith(".x")
        yield _header(f"objects/{name}", item.rest, executable=executable)
        with objects.open(item.sha256) as content:
            content.seek(item.offset)
            while chunk := content.read(CHUNK):
                yield chunk
                done += len(chunk)
                advanced(done)
        yield _padding(item.rest)
        fresh, left = done - summed, upload.size - done
        if fresh > SHARE * left and 16 * fresh > upload.size and left:
            yield _header("sum", 0)
            summed = done


def closing(shipment: Shipment) -> bytes:
    """The end of the tar, which says what to do with all that came before."""
    trees = shipment.trees
    if trees and not shipment.whole:
        trees = _member("trees", trees + END)
    return trees + _member("orders", shipment.orders.encode()) + END


def zstd_here() -> bool:
    """gzip serves where Python's zstandard is not installed."""
    return importlib.util.find_spec("zstandard") is not None


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _Begun:
    """What is squeezed, behind a beginning, which goes with the first of it and never alone.

    dpkg-deb 1.21 may not come back from a package of which only the beginning came; what goes in
    one message of SSH comes whole or not at all.
    """

    def __init__(self, begin: bytes, squeeze: Squeezer) -> None:
        self._begin, self._squeeze = begin, squeeze

    def compress(self, data: bytes, /) -> bytes:
        return self._behind(self._squeeze.compress(data))

    def flush(self) -> bytes:
        return self._behind(self._squeeze.flush())

    def _behind(self, squeezed: bytes) -> bytes:
        if squeezed:
            squeezed, self._begin = self._begin + squeezed, b""
        return squeezed


def squeezer(codec: Codec) -> Squeezer:
    """At levels that a busy core of a host does quicker than a link carries.

    zstd's 9 takes 1.5 times the time of its 6, which is half of gzip's: for 1.5 % of a Caffe
    bundle's bytes, and 23 % of Debian's OpenBLAS, whose libraries repeat each other from afar.
    """
    if codec == "plain":
        return _Plain()
    if codec in ("zstd", "deb"):
        import zstandard

        packer = zstandard.ZstdCompressor(level=9).compressobj()
        return _Begun(PACKAGE.encode(), packer) if codec == "deb" else packer
    return zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: a gzip header around the stream


def _trees(lacking: Mapping[str, Bundle], linked: Sequence[Bundle]) -> Iterator[bytes]:
    """Members: the tree of each bundle that is lacking, and for those `linked` a cell's link."""
    for digest, bundle in lacking.items():
        for member in _members(PurePosixPath("bundles", digest), bundle):
            yield _encoded(member)
    if linked:
        yield _encoded(_folder("cells"))
    for bundle in linked:
        link = tarfile.TarInfo(f"cells/{bundle.cell}")
        link.type, link.linkname = tarfile.SYMTYPE, f"../bundles/{bundle.digest}"
        yield _encoded(link)


def _members(root: PurePosixPath, bundle: Bundle) -> Iterator[tarfile.TarInfo]:
    folders = {parent for record in bundle.files for parent in PurePosixPath(record.path).parents}
    yield from (_folder(str(path)) for path in (root.parent, *sorted(root / f for f in folders)))
    for record in bundle.files:
        member = tarfile.TarInfo(str(root / record.path))
        member.type = tarfile.SYMTYPE if record.link else tarfile.LNKTYPE
        member.linkname = record.link or f"objects/{object_name(record)}"
        yield member


def _folder(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    return member


def _encoded(member: tarfile.TarInfo) -> bytes:
    return member.tobuf(tarfile.GNU_FORMAT)


def _member(name: str, data: bytes) -> bytes:
    return _header(name, len(data)) + data + _padding(len(data))


def _header(name: str, size: int, *, executable: bool = False) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o555 if executable else 0o444
    return header.tobuf(tarfile.USTAR_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
