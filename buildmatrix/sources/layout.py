"""An archive laid out in a folder to be looked at: only files that begin as wanted, and links.

Wheels and zips, tarballs, packages of Debian, opkg (.ipk) and Alpine (.apk). What they hold comes
from anywhere: nothing is written outside the folder, no link is followed (they are made last), and
how much is read has a bound.
"""

from __future__ import annotations

import contextlib
import lzma
import shutil
import stat
import struct
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from zstandard import ZstdError

from buildmatrix.errors import InputError
from buildmatrix.sources.archive import DEB, ZIP, member_of, most_files
from buildmatrix.sources.metered import COMPRESSED, Metered, plain

if sys.version_info >= (3, 12):
    import tarfile
else:  # the 'data' filter came with 3.11.4
    from backports import tarfile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OF_DEBIAN, OF_ALPINE = "debian-binary", ".PKGINFO"  # members that tell what a tar is
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
MOST_TIMES = 200  # as large as the archive, unpacked
MOST_AT_LEAST = 256 << 20  # bytes that any archive may unpack to
FAULTS = (
    *(tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError),
    *(zlib.error, lzma.LZMAError, ZstdError, RuntimeError, LookupError, struct.error),
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file or a link of an archive. `stream` is open until the next member is asked for."""

    name: str
    size: int
    stream: IO[bytes] | None = None
    link: str = ""  # a symlink's text
    same_as: str = ""  # a hard link: the member with the content


def is_archive(path: Path) -> bool:
    """Whether the file begins as an archive that is read here; a static library does not."""
    with path.open("rb") as file:
        start = file.read(512)
    tar = start[TAR_MAGIC_AT:].startswith(TAR_MAGIC)
    return start.startswith((ZIP, *COMPRESSED)) or tar or is_deb(start)


def is_deb(start: bytes) -> bool:
    return start.startswith(DEB) and start[len(DEB) :].startswith(b"debian-binary")


def lay_out(archive: Path, destination: Path, magics: tuple[bytes, ...]) -> bool:
    """Write the members that begin with one of `magics`, and every symlink, below `destination`.

    True for a package of a distribution, whose libraries are in other packages. Raises InputError
    for an archive that is damaged, encrypted, or larger inside than any is.
    """
    links: dict[Path, str] = {}
    packaged = False
    packed = archive.stat().st_size
    budget, most = max(MOST_AT_LEAST, MOST_TIMES * packed), most_files(packed)
    longest = max(map(len, magics))
    try:
        for number, member in enumerate(members(archive)):
            budget -= member.size
            if budget < 0 or number >= most:
                raise ValueError("there is more inside than an archive of its size can have")
            path = _place(destination, member.name)
            packaged |= member.name in (OF_DEBIAN, OF_ALPINE)
            if member.link:
                links[path] = member.link
            elif member.same_as:
                _again(_place(destination, member.same_as), path)
            elif member.stream is not None:
                start = member.stream.read(longest)
                if start.startswith(magics):
                    _write(path, start, member)
    except FAULTS as error:
        raise InputError(
            f"cannot be unpacked: {error}",
            where=archive.name,
            hint="download or make it again, or unpack it and audit the folder",
        ) from error
    for path, target in links.items():
        if not path.exists() and not path.is_symlink():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
    return packaged


def _place(destination: Path, name: str) -> Path:
    """Where a member is put. Raises ValueError for a name that leads out."""
    parts = [part for part in PurePosixPath(name).parts if part != "."]
    if ".." in parts or "\0" in name or not parts or name.startswith("/"):
        raise ValueError(f"a member's name leads out of the archive: {name!r}")
    return destination.joinpath(*parts)


def _write(path: Path, start: bytes, member: Member) -> None:
    assert member.stream is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(start)
        shutil.copyfileobj(member.stream, file, 1 << 20)
        if file.tell() > member.size:
            raise ValueError(f"{member.name} is larger than it says")


def _again(content: Path, path: Path) -> None:
    if content.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(content)


def members(archive: Path) -> Iterator[Member]:
    """Every file and link of an archive, in its order. Raises one of FAULTS where it is spoilt."""
    with archive.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith(ZIP):
            yield from _of_zip(file)
        elif is_deb(start):
            yield Member(OF_DEBIAN, 0)
            with member_of(file, "data.tar") as data:
                yield from _of_tar(data)
        else:
            yield from _of_tar(file)


def _of_zip(file: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(file) as zipped:
        for info in zipped.infolist():
            if info.flag_bits & 1:
                raise ValueError("it is encrypted")
            if info.is_dir():
                continue
            with zipped.open(info) as stream:
                if stat.S_ISLNK(info.external_attr >> 16):
                    yield Member(info.filename, info.file_size, link=stream.read(4096).decode())
                else:
                    yield Member(info.filename, info.file_size, stream)


def _of_tar(file: IO[bytes], *, nested: bool = False) -> Iterator[Member]:
    """The members of a tar; those of an opkg package are in a tar of their own within it."""
    with contextlib.ExitStack() as stack:
        metered = Metered(plain(file, stack))
        stream = cast("IO[bytes]", metered)
        tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r|"))
        inside = False
        for info in tar:
            metered.allow(info.size)
            name = info.name.removeprefix("./")
            inside |= name == OF_DEBIAN
            if info.issym():
                yield Member(name, 0, link=info.linkname)
            elif info.islnk():
                yield Member(name, 0, same_as=info.linkname.removeprefix("./"))
            elif info.isreg() and inside and name.startswith("data.tar") and not nested:
                with tempfile.TemporaryFile() as data:
                    shutil.copyfileobj(cast("IO[bytes]", tar.extractfile(info)), data)
                    data.seek(0)
                    yield from _of_tar(data, nested=True)
            elif info.isreg():
                yield Member(name, info.size, cast("IO[bytes]", tar.extractfile(info)))
