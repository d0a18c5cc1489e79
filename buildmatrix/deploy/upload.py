"""What must travel: each content once, from the byte on where an earlier push was cut."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.agent import CELL, DIGEST, PATH
from buildmatrix.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.deploy.listing import Listing, Part
    from buildmatrix.nouns import Bundle, FileRecord
    from buildmatrix.protocols import ObjectReader

CHUNK = 1 << 18
LONGEST = 255  # bytes in a file name, on every file system a board may have


@dataclass(frozen=True, slots=True)
class Object:
    """Content to send from `offset` on. `name` is its name on the board, `file` in an error."""

    name: str
    sha256: str
    size: int
    file: str
    offset: int = 0

    @property
    def rest(self) -> int:
        return self.size - self.offset


@dataclass(frozen=True, slots=True)
class Upload:
    """What a board lacks, each content once."""

    objects: tuple[Object, ...]

    @property
    def size(self) -> int:
        """Bytes to send, before compression."""
        return sum(item.rest for item in self.objects)

    @property
    def kept(self) -> int:
        """Bytes that an earlier push brought and that do not travel again."""
        return sum(item.offset for item in self.objects)

    @property
    def travelling(self) -> tuple[Object, ...]:
        return tuple(item for item in self.objects if item.rest or not item.offset)


def check(bundle: Bundle) -> None:
    """Refuse names that could leave the bundle's folder or mean something to a shell."""
    check_cell(bundle.cell)
    if not DIGEST.fullmatch(bundle.digest):
        raise InputError(f"'{bundle.digest}' is not a bundle digest", hint="pack the bundle again")
    places = {record.path for record in bundle.files}
    for record in bundle.files:
        parents = {str(parent) for parent in PurePosixPath(record.path).parents}
        fine = (
            PATH.fullmatch(record.path)
            and max(map(len, record.path.split("/"))) <= LONGEST
            and not parents & places
            and (_stays_inside(record) if record.link else DIGEST.fullmatch(record.sha256))
        )
        if not fine:
            raise InputError(
                f"a bundle may not carry the file {record.path!r}",
                where=bundle.cell,
                hint="use plain relative paths, and links that stay inside the bundle",
            )
    if len(places) < len(bundle.files):
        raise InputError("a bundle lists a file twice", where=bundle.cell, hint="pack it again")


def check_cell(cell: str) -> None:
    """Refuse a name that could leave cells/ or mean something to a shell."""
    if not CELL.fullmatch(cell):
        raise InputError(
            f"{cell!r} cannot be the name of a cell on a board",
            hint="use letters, digits and _ + @ = , . - in the matrix's name",
        )


def object_name(record: FileRecord) -> str:
    """Name under objects/: hard links share mode bits, so executable content has its own."""
    return f"{record.sha256}.x" if record.executable else record.sha256


def plan_upload(bundles: Sequence[Bundle], present: frozenset[str]) -> Upload:
    """The objects that must travel: each content once, however many bundles share it.

    The largest first: the board hashes it while the others travel, and has little left at the end.
    """
    wanted = {
        object_name(record): Object(
            object_name(record), record.sha256, record.size, f"{record.path} of {bundle.cell}"
        )
        for bundle in reversed(bundles)
        for record in bundle.files
        if not record.link
    }
    lacking = [item for name, item in wanted.items() if name not in present]
    return Upload(tuple(sorted(lacking, key=lambda item: (-item.size, item.name))))


def names_of(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """The names of all objects that the bundles need, sorted."""
    return tuple(sorted(item.name for item in plan_upload(bundles, frozenset()).objects))


def resumed(upload: Upload, listing: Listing, objects: ObjectReader) -> Upload:
    """The same upload, each object from the end of the longest part that is its beginning."""
    parts = listing.parts
    return Upload(tuple(_resumed(i, parts.get(i.name, ()), objects) for i in upload.objects))


def _resumed(item: Object, parts: Sequence[Part], objects: ObjectReader) -> Object:
    fitting = sorted((p for p in parts if p.size <= item.size), key=lambda p: p.size)
    offset, digest = 0, hashlib.sha256()
    if not fitting:
        return item
    with objects.open(item.sha256) as content:
        read = 0
        for part in fitting:
            while read < part.size and (piece := content.read(min(CHUNK, part.size - read))):
                digest.update(piece)
                read += len(piece)
            if digest.hexdigest() == part.sha256:
                offset = part.size
    return replace(item, offset=offset)


def unsettled(bundles: Sequence[Bundle], listing: Listing) -> tuple[Bundle, ...]:
    """Those that do not stand there as the active one of their cell."""
    return tuple(
        bundle
        for bundle in bundles
        if listing.active.get(bundle.cell) != bundle.digest or bundle.digest not in listing.bundles
    )


def _stays_inside(record: FileRecord) -> bool:
    """A relative link whose target, followed by name, is in the same bundle."""
    if record.link.startswith(("/", "-")) or not PATH.fullmatch(record.link.replace("../", "")):
        return False
    depth = len(PurePosixPath(record.path).parts) - 1
    for part in PurePosixPath(record.link).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True
