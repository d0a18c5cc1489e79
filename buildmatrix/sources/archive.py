"""Unpacks what was downloaded: tarballs, Debian packages, wheels, told by their first bytes."""

from __future__ import annotations

import contextlib
import errno
import lzma
import stat
import struct
import sys
import uuid
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from zstandard import ZstdError

from buildmatrix.sources.metered import Metered, plain
from buildmatrix.sources.tree import MOST_DEEP

if sys.version_info >= (3, 12):
    import tarfile
else:  # the 'data' filter came with 3.11.4
    from backports import tarfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What the libraries raise for bytes that are no archive, or are one that they cannot read.
FAULTS = (
    OverflowError,  # a date that no clock has
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, zlib.error, lzma.LZMAError),
    *(RuntimeError, NotImplementedError, struct.error),  # zipfile: encrypted; unknown method
    ZstdError,
    LookupError,  # zipfile: a member without a name; tarfile: a hard link to none
)
NO_ARCHIVES_FAULT = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES)
DEB = b"!<arch>\n"  # ar(5), the outer format of deb(5)
ZIP = b"PK\x03\x04"

# Bounds of what one source may become: TensorFlow has 30,000 files, PyTorch's wheel 3 GB unpacked.
MOST_FILES = 500_000
FILES_ALWAYS_FINE, LEAST_OF_A_FILE = 20_000, 64  # bytes of the archive; Linux has 1,600 a file
MOST_BYTES = 16 << 30
ALWAYS_FINE = 1 << 30  # below this nobody counts how well it was packed
FOLDERS_A_FILE = 8  # above a file, on average: each of them is looked at for each file
LARGEST_RATIO = 200  # gzip's best on text of one letter is 1030; real sources stay below 40


def unpack(archive: Path, destination: Path, *, on_error: Callable[[str], Exception]) -> None:
    """Extract safely; a single top folder is taken off, but not from a Debian package.

    Python's 'data' filter refuses absolute paths, `..`, links that leave, devices; zipfile drops
    the first two. A zip's programs and links are those that a tarball of the same files has. Raises
    what `on_error` makes of a sentence for an archive that is damaged, encrypted, or unpacks to
    more than any source has.
    """
    room = _Room(archive.stat().st_size)
    destination.mkdir(parents=True, exist_ok=True)
    with archive.open("rb") as stream:
        magic = stream.read(len(DEB))
    try:
        if magic.startswith(ZIP):
            with zipfile.ZipFile(archive) as zipped:
                _extract_zip(zipped, destination, room)
        else:
            with _tar(archive, deb=magic == DEB) as (tar, stream):
                members = _counted(tar, stream, room)
                tar.extractall(destination, members=members, filter="data")
    except OSError as error:
        if error.errno in NO_ARCHIVES_FAULT:
            raise
        raise on_error(f"cannot be unpacked: {error}") from None
    except FAULTS as error:
        raise on_error(f"cannot be unpacked: {error or type(error).__name__}") from None
    if magic != DEB:
        _take_off_top(destination)


def most_files(packed: int) -> int:
    """How many files an archive of so many bytes may hold: a megabyte of gzip has room for the
    headers of a million."""
    return min(MOST_FILES, FILES_ALWAYS_FINE + packed // LEAST_OF_A_FILE)


class _Room:
    """Counts what an archive of `packed` bytes unpacks to, and stops it. Raises ValueError."""

    def __init__(self, packed: int) -> None:
        self.most = min(MOST_BYTES, max(ALWAYS_FINE, packed * LARGEST_RATIO))
        self.most_files = most_files(packed)
        self.files = self.bytes = self.folders = 0

    def take(self, name: str, size: int) -> None:
        if name.count("/") > MOST_DEEP:
            raise ValueError(f"a file lies deeper than {MOST_DEEP} folders")
        self.files += 1
        self.bytes += size
        self.folders += name.count("/")
        if self.files > self.most_files:
            raise ValueError(f"it holds more than {self.most_files} files")
        if self.folders > self.most_files * FOLDERS_A_FILE:
            raise ValueError("its files lie deeper than those of any source")
        if self.bytes > self.most:
            raise ValueError(f"it unpacks to more than {self.most >> 20} MiB")


def _extract_zip(zipped: zipfile.ZipFile, destination: Path, room: _Room) -> None:
    """All members; links last, so that nothing is written through one. Raises ValueError for one
    that leaves."""
    links: dict[Path, str] = {}
    for entry in zipped.infolist():
        room.take(entry.filename, entry.file_size)
    for entry in zipped.infolist():
        mode = entry.external_attr >> 16  # of Unix; 0 from elsewhere
        path = destination / zipped.extract(entry, destination)
        links.pop(path, None)
        if stat.S_ISLNK(mode):
            links[path] = path.read_text()
        elif mode & 0o111 and path.is_file():
            path.chmod(0o755)
    for path, text in links.items():
        inside = (path.parent / text).resolve().is_relative_to(destination.resolve())
        if not inside or PurePosixPath(text).is_absolute():
            raise ValueError(f"'{path.relative_to(destination)}' is a link that leaves")
        path.unlink()
        path.symlink_to(text)


def _counted(tar: tarfile.TarFile, stream: Metered, room: _Room) -> Iterator[tarfile.TarInfo]:
    stream.allow(0)
    for member in tar:
        room.take(member.name, member.size)
        stream.allow(member.size)
        yield member


@contextlib.contextmanager
def _tar(archive: Path, *, deb: bool) -> Iterator[tuple[tarfile.TarFile, Metered]]:
    """The archive itself, or the files of a Debian package; and the stream that it is read from."""
    with contextlib.ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(archive.open("rb"))
        if deb:
            stream = stack.enter_context(member_of(stream, "data.tar"))
        metered = Metered(plain(stream, stack))
        tar = tarfile.open(fileobj=cast("IO[bytes]", metered), mode="r|")
        yield stack.enter_context(tar), metered


@contextlib.contextmanager
def member_of(stream: IO[bytes], start: str) -> Iterator[IO[bytes]]:
    """The member of a Debian package whose name begins so, as a stream of its own."""
    from debian.arfile import ArError, ArFile

    try:
        members = ArFile(fileobj=cast("BinaryIO", stream)).getmembers()
    except ArError as error:
        raise tarfile.ReadError(str(error)) from None
    for member in members:
        if member.name.startswith(start):
            # It has read and seek, which is all that tarfile uses.
            yield cast("IO[bytes]", member)
            return
    raise tarfile.ReadError(f"a Debian package without {start}")


def _take_off_top(folder: Path) -> None:
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].is_dir() and not inside[0].is_symlink():
        only = inside[0].rename(folder / f".{uuid.uuid4()}")  # a name that nothing in it has
        for path in only.iterdir():
            path.rename(folder / path.name)
        only.rmdir()
