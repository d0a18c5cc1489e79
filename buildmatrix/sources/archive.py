"""Unpacks what was downloaded: tarballs, Debian packages, wheels, told by their first bytes."""

from __future__ import annotations

import contextlib
import sys
import zipfile
from typing import IO, TYPE_CHECKING, BinaryIO, cast

if sys.version_info >= (3, 12):
    import tarfile
else:  # the 'data' filter came with 3.11.4
    from backports import tarfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEB = b"!<arch>\n"  # ar(5), the outer format of deb(5)
ZIP = b"PK\x03\x04"


def unpack(archive: Path, destination: Path, *, on_error: Callable[[str], Exception]) -> None:
    """Extract safely; a single top folder is taken off, but not from a Debian package.

    Python's 'data' filter refuses absolute paths, `..`, links that leave, devices; zipfile drops
    the first two and makes no links.
    """
    destination.mkdir(parents=True, exist_ok=True)
    with archive.open("rb") as stream:
        magic = stream.read(len(DEB))
    try:
        if magic.startswith(ZIP):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(destination)
        else:
            with _tar(archive, deb=magic == DEB) as tar:
                tar.extractall(destination, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        raise on_error(f"cannot be unpacked: {error}") from None
    if magic != DEB:
        _take_off_top(destination)


@contextlib.contextmanager
def _tar(archive: Path, *, deb: bool) -> Iterator[tarfile.TarFile]:
    """The archive itself, or the files of a Debian package."""
    with contextlib.ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(archive.open("rb"))
        if deb:
            stream = stack.enter_context(member_of(stream, "data.tar"))
        yield stack.enter_context(tarfile.open(fileobj=stream))


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
        only = inside[0].rename(folder / ".buildmatrix-top")
        for path in only.iterdir():
            path.rename(folder / path.name)
        only.rmdir()
