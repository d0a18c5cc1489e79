"""Bundles onto a board: each object once, checked there, trees of hard links, one atomic switch.

A push is at most three calls: what is there, what is missing (one compressed stream), then trees
and switch. Killed at any moment, the active variant is whole, and the next push sends only what
has not arrived yet. The layout on the board and its scripts are described in `agent`.
"""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from buildmatrix.agent import CELL, DIGEST, PATH, PREFIX, call, failure, script
from buildmatrix.errors import DeviceError, InputError
from buildmatrix.protocols import Advanced, Note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from buildmatrix.model import Bundle, FileRecord
    from buildmatrix.protocols import Connection, ObjectReader, Reporter

CHUNK = 1 << 18
SHORT = 120.0  # seconds for a call that only looks
LONG = 900.0  # seconds for a call that hashes or links everything
SLOWEST_LINK = 50_000  # bytes a second; slower than this an upload counts as lost
ATTEMPTS = 3  # a prune beside us may take an object between two calls


@dataclass(frozen=True, slots=True)
class Object:
    """Content to send. `name` is its name on the board, `file` what to call it in an error."""

    name: str
    sha256: str
    size: int
    file: str


@dataclass(frozen=True, slots=True)
class Upload:
    """What a board lacks, each content once."""

    objects: tuple[Object, ...]

    @property
    def size(self) -> int:
        return sum(item.size for item in self.objects)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a board has, read from the lines of the survey."""

    present: frozenset[str] = frozenset()  # of the objects asked for
    corrupt: tuple[str, ...] = ()  # found damaged and removed
    bundles: frozenset[str] = frozenset()
    links: tuple[tuple[str, str], ...] = ()  # cells/ name -> digest, .previous included
    held: frozenset[str] = frozenset()  # bundles that a benchmark run still needs
    history: tuple[tuple[str, str], ...] = ()  # (cell, digest), oldest first

    @property
    def active(self) -> Mapping[str, str]:
        return {name: digest for name, digest in self.links if not name.endswith(".previous")}


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: objects and bytes over the wire (compressed), cells whose link moved."""

    sent_objects: int
    sent_bytes: int
    switched: tuple[str, ...]


def push(
    connection: Connection,
    bundles: Sequence[Bundle],
    objects: ObjectReader,
    *,
    prefix: str = PREFIX,
    reporter: Reporter,
    subject: str,
    verify: bool = False,
) -> Pushed:
    """Make every bundle the active one of its cell.

    With `verify`, content already on the board is read and hashed there too, and mended.
    Raises DeviceError naming the file when one arrives damaged (nothing is switched then), and
    LinkLost from the connection.
    """
    for bundle in bundles:
        check(bundle)
    sent, wire, missing = 0, 0, list[str]()
    for _ in range(ATTEMPTS):
        listing = survey(connection, names_of(bundles), prefix=prefix, verify=verify)
        if listing.corrupt:
            reporter.emit(Note("warning", f"{subject}: mending {_files(bundles, listing.corrupt)}"))
        upload = plan_upload(bundles, listing.present)
        if upload.objects:
            wire += send(
                connection, upload, objects, prefix=prefix, reporter=reporter, subject=subject
            )
            sent += len(upload.objects)
        standing = frozenset[str]() if verify else listing.bundles
        lines = tuple(install_lines(bundles, standing, listing.active))
        said = _install(connection, lines, prefix=prefix)
        missing = said.get("missing", [])
        if not missing:
            return Pushed(sent, wire, tuple(said.get("switched", ())))
    raise DeviceError(
        f"objects keep vanishing from the board: {_files(bundles, missing)}",
        hint="see that no 'deploy --prune' runs beside this one and that the disk is sound",
    )


def rollback(connection: Connection, cell: str, *, prefix: str = PREFIX) -> str:
    """Switch a cell back to its previous bundle and return that bundle's digest.

    A second rollback returns to where the first one started. Raises DeviceError without one.
    """
    _check_cell(cell)
    result = connection.run(script(("deploy",), f"rollback {cell}", prefix=prefix), timeout=SHORT)
    if result.status == 3:
        raise DeviceError(
            f"{cell} has no previous bundle on this board", hint="deploy the cell again instead"
        )
    if result.status != 0:
        raise failure(result)
    return result.stdout.decode().split()[-1]


def active(connection: Connection, *, prefix: str = PREFIX) -> Mapping[str, str]:
    """The bundle digest that each cell on the board runs now."""
    result = call(connection, script(("deploy",), "listing", prefix=prefix), timeout=SHORT)
    return read_listing(result.stdout.decode()).active


def prune(connection: Connection, *, keep: int = 2, prefix: str = PREFIX) -> int:
    """Remove all but the last `keep` bundles of each cell; the number of bundles removed.

    The active bundle stays, and what an uncollected benchmark run needs. Objects go when no
    bundle links to them.
    """
    listing = survey(connection, (), prefix=prefix)
    lines = tuple(doomed(listing, keep=keep))
    program = script(("deploy",), "discard", prefix=prefix)
    call(connection, program, timeout=LONG, stdin=_lines(lines))
    return sum(line.startswith("bundle ") for line in lines)


def survey(
    connection: Connection, names: Iterable[str], *, prefix: str = PREFIX, verify: bool = False
) -> Listing:
    """Ask a board, in one call, which of the objects named it has, and what else stands there."""
    line = "survey verify" if verify else "survey"
    program = script(("deploy",), line, prefix=prefix)
    result = call(connection, program, timeout=LONG, stdin=_lines(names))
    return read_listing(result.stdout.decode())


def send(
    connection: Connection,
    upload: Upload,
    objects: ObjectReader,
    *,
    prefix: str = PREFIX,
    reporter: Reporter,
    subject: str,
) -> int:
    """Send objects in one stream and have them checked; the bytes that went over the wire.

    Raises DeviceError naming every file that did not arrive whole; the others are kept there.
    """
    wire = 0

    def advanced(done: int) -> None:
        reporter.emit(Advanced(subject, done, upload.size, "bytes"))

    def counted() -> Iterator[bytes]:
        nonlocal wire
        for chunk in tar_stream(upload, objects, advanced):
            wire += len(chunk)
            yield chunk

    timeout = SHORT + upload.size / SLOWEST_LINK
    program = script(("deploy",), "receive", prefix=prefix)
    result = connection.run(program, timeout=timeout, stdin=counted())
    damaged = _said(result.stdout.decode()).get("damaged", [])
    if damaged:
        names = {item.name: item.file for item in upload.objects}
        files = ", ".join(names.get(name, name) for name in damaged)
        cause = failure(result) if result.status else None
        raise DeviceError(
            f"did not arrive whole: {files}",
            details=cause.details if cause else "the sha256 computed on the board differs",
            hint=cause.hint if cause else "run deploy again; what arrived whole is kept",
        )
    if result.status != 0:
        raise failure(result)
    return wire


def check(bundle: Bundle) -> None:
    """Refuse names that could leave the bundle's folder or mean something to a shell."""
    _check_cell(bundle.cell)
    if not DIGEST.fullmatch(bundle.digest):
        raise InputError(f"'{bundle.digest}' is not a bundle digest", hint="pack the bundle again")
    for record in bundle.files:
        fine = PATH.fullmatch(record.path) and (
            _stays_inside(record) if record.link else DIGEST.fullmatch(record.sha256)
        )
        if not fine:
            raise InputError(
                f"a bundle may not carry the file {record.path!r}",
                where=bundle.cell,
                hint="use plain relative paths, and links that stay inside the bundle",
            )


def plan_upload(bundles: Sequence[Bundle], present: frozenset[str]) -> Upload:
    """The objects that must travel: each content once, however many bundles share it."""
    wanted = {
        object_name(record): Object(
            object_name(record), record.sha256, record.size, f"{record.path} of {bundle.cell}"
        )
        for bundle in reversed(bundles)
        for record in bundle.files
        if not record.link
    }
    return Upload(tuple(wanted[name] for name in sorted(wanted) if name not in present))


def names_of(bundles: Sequence[Bundle]) -> tuple[str, ...]:
    """The names of all objects that the bundles need, sorted."""
    return tuple(item.name for item in plan_upload(bundles, frozenset()).objects)


def object_name(record: FileRecord) -> str:
    """Name under objects/: hard links share mode bits, so executable content has its own."""
    return f"{record.sha256}.x" if record.executable else record.sha256


def install_lines(
    bundles: Sequence[Bundle], standing: frozenset[str], active: Mapping[str, str]
) -> Iterator[str]:
    """What the board is told to build and to switch, leaving out what already is so."""
    for bundle in {item.digest: item for item in bundles}.values():
        if bundle.digest not in standing:
            yield f"tree {bundle.digest}"
            yield from _tree_lines(bundle.files)
    for bundle in bundles:
        if active.get(bundle.cell) != bundle.digest:
            yield f"switch {bundle.cell} {bundle.digest}"


def doomed(listing: Listing, *, keep: int) -> Iterator[str]:
    """What a prune removes: pure, so that 'keep 2' can be read from a test."""
    if keep < 1:
        raise InputError("prune keeps at least the active bundle", hint="use --keep 1 or more")
    kept = set(listing.held) | {digest for name, digest in listing.links if keep > 1}
    kept |= set(listing.active.values())
    for cell in listing.active:
        newest = dict.fromkeys(digest for name, digest in reversed(listing.history) if name == cell)
        kept |= set(list(newest)[:keep])
    if keep == 1:
        yield from (f"cell {name}" for name, _ in listing.links if name.endswith(".previous"))
    yield from (f"bundle {digest}" for digest in sorted(listing.bundles - kept))


def read_listing(text: str) -> Listing:
    """Lines of the survey as a value."""
    said = _said(text)
    pairs = [line.split() for line in said.get("cell", [])]
    switches = [line.split() for line in said.get("switch", [])]
    return Listing(
        present=frozenset(said.get("have", [])),
        corrupt=tuple(said.get("corrupt", [])),
        bundles=frozenset(said.get("bundle", [])),
        links=tuple((name, digest) for name, digest in pairs),
        held=frozenset(said.get("held", [])),
        history=tuple((parts[1], parts[2]) for parts in switches if len(parts) == 3),
    )


def tar_stream(
    upload: Upload, objects: ObjectReader, advanced: Callable[[int], None]
) -> Iterator[bytes]:
    """A tar.gz of the objects, piece by piece; `advanced` hears the uncompressed bytes so far."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)  # 31: a gzip header around the stream
    done = 0
    for item in upload.objects:
        header = tarfile.TarInfo(item.name)
        header.size = item.size
        header.mode = 0o555 if item.name.endswith(".x") else 0o444
        yield squeeze.compress(header.tobuf(tarfile.USTAR_FORMAT))
        with objects.open(item.sha256) as content:
            while chunk := content.read(CHUNK):
                yield squeeze.compress(chunk)
                done += len(chunk)
                advanced(done)
        yield squeeze.compress(bytes(-item.size % tarfile.BLOCKSIZE))
    yield squeeze.compress(bytes(2 * tarfile.BLOCKSIZE))
    yield squeeze.flush()


def _install(
    connection: Connection, lines: tuple[str, ...], *, prefix: str
) -> Mapping[str, list[str]]:
    if not lines:
        return {}
    program = script(("deploy",), "install", prefix=prefix)
    return _said(call(connection, program, timeout=LONG, stdin=_lines(lines)).stdout.decode())


def _tree_lines(files: Sequence[FileRecord]) -> Iterator[str]:
    folders = {str(parent) for record in files for parent in PurePosixPath(record.path).parents}
    yield from (f"dir {folder}" for folder in sorted(folders - {"."}))
    for record in files:
        verb, content = ("link", record.link) if record.link else ("file", object_name(record))
        yield f"{verb} {content} {record.path}"


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


def _check_cell(cell: str) -> None:
    if not CELL.fullmatch(cell):
        raise InputError(
            f"{cell!r} cannot be the name of a cell on a board",
            hint="use letters, digits and _ + @ = , . - in the matrix's name",
        )


def _files(bundles: Sequence[Bundle], names: Iterable[str]) -> str:
    called = {item.name: item.file for item in plan_upload(bundles, frozenset()).objects}
    return ", ".join(called.get(name, name) for name in names)


def _said(text: str) -> dict[str, list[str]]:
    """'verb words' lines grouped by verb."""
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        verb, _, words = line.partition(" ")
        said.setdefault(verb, []).append(words)
    return said


def _lines(lines: Iterable[str]) -> Iterator[bytes]:
    for line in lines:
        yield f"{line}\n".encode()
