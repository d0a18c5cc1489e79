"""Mirrors and package indexes, and the files that this machine keeps."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from unittest import mock

from buildmatrix.errors import BuildmatrixError
from buildmatrix.nouns import BoardAddress
from buildmatrix.recipe import PypiAlternate
from buildmatrix.records import read_record, sealed
from buildmatrix.sources import attestation, fetch, pypi, signature, tag
from buildmatrix.ssh import route, trust
from buildmatrix.store import Store
from tests.fakes import RecordingReporter
from tests.fuzz.reader import Reader, text
from tests.unit import test_attestation
from tests.unit.test_strange_servers import answer, server

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

KEY = "a" * 64
PAGE = b'{"files": [{"filename": "blas-1.whl", "url": "../../f/blas-1.whl"}]}'
TOLD = PAGE.replace(b"}]", b', "provenance": "../../p/blas-1.whl"}]')
SIGNED = Path(__file__).parents[1] / "unit" / "signed"
LINKS = b'<html><a href="../../f/blas-1.whl#sha256=1">blas-1.whl</a></html>'
ENTRY = {
    **{"version": 1, "key": KEY, "material": {"id": "build:x"}, "provenance": {"seconds": 1}},
    "files": [{"path": "a/b", "sha256": KEY, "size": 3, "executable": False, "link": ""}],
}
HOST = "a" * 40 + ".local"  # long enough for stars to be tried at many places
KNOWN = f"""\
# mine
pi3.local,[{HOST}]:2222 ssh-ed25519 aGk=
|1|c2FsdHNhbHRzYWx0c2FsdHM=|ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGk= ssh-rsa aGk=
@cert-authority *.local ssh-rsa aGk=
@revoked *?*?*?.lan,!*a*a*b ssh-rsa aGk= me
""".encode()


def _mirror(data: bytes, _: Path) -> None:
    with mock.patch("time.sleep"), server(data) as (host, _requests):
        reporter = RecordingReporter()
        fetch.download(f"http://{host}/a", io.BytesIO(), reporter=reporter, subject="s")


def _index(data: bytes, _: Path) -> None:
    with mock.patch("time.sleep"), server(data) as (host, _requests):
        pypi.locate(f"http://me:secret@{host}/simple", "blas", "blas-1.whl")


def _page(kind: str) -> Callable[[bytes, Path], None]:
    """Of an index whose HTTP is right: the page alone is spoilt, and what it leads to."""

    def read(data: bytes, _: Path) -> None:
        with server(answer(data, f"Content-Type: {kind}")) as (host, _requests):
            for asked in (pypi.locate, pypi.provenance):
                with contextlib.suppress(BuildmatrixError):
                    asked(f"http://me:secret@{host}/simple", "blas", "blas-1.whl")

    return read


def _attested(data: bytes, _: Path) -> object:
    file = test_attestation.FILE
    pinned = PypiAlternate(kind="pypi", package="p", file=file, sha256=test_attestation.SHA256)
    return attestation.judge(pinned, text(data))


def _signed(data: bytes, folder: Path) -> None:
    (folder / "a.dsc").write_bytes(data)
    signature.judge(folder / "a.dsc", "a.tar.gz", KEY, (SIGNED / "keyring.gpg",))
    tag.judge(data, "v1", "1" * 40, (SIGNED / "keyring.gpg",))


def _known(data: bytes, folder: Path) -> None:
    (folder / "known").write_bytes(data)
    board = BoardAddress("pi3", HOST, 2222)
    (hop,) = route(board, known_hosts=folder / "known")
    keys = trust.known(hop)
    trust.preferred(keys)
    trust.verify(hop, keys, cast("paramiko.PKey", Offered()))


@dataclass(frozen=True, slots=True)
class Offered:
    """The key that a host shows, as far as it is looked at."""

    fingerprint: str = "SHA256:j0NDRmSPa5bfid2pAcUXaxCm2Dlh3TwayItZstwyeqQ"

    def get_name(self) -> str:
        return "ssh-ed25519"

    def asbytes(self) -> bytes:
        return b"hi"


def _entry(data: bytes, folder: Path) -> object:
    store = Store(folder / "store")
    for name in ("entries", "latest"):
        (folder / "store" / name / f"{KEY}.json").write_bytes(data)
    return store.entry(KEY)


def _record(data: bytes, folder: Path) -> object:
    (folder / "seconds.json").write_bytes(data)
    return read_record(folder / "seconds.json")


def _pages() -> tuple[bytes, ...]:
    return (answer(PAGE, f"Content-Type: {pypi.JSON}"), answer(LINKS, "Content-Type: text/html"))


def _files() -> tuple[bytes, ...]:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    return (answer(b"content"), chunked, answer(b"", status="404 Not Found"))


READERS = (
    Reader("mirror", _files, _mirror),
    Reader("index", _pages, _index),
    Reader("entry", lambda: (sealed(ENTRY),), _entry),
    Reader("record", lambda: (sealed({"a": 1}), b'{"a": 1}'), _record),
    Reader("index-json", lambda: (PAGE, TOLD), _page(pypi.JSON)),
    Reader("index-html", lambda: (LINKS,), _page("text/html")),
    Reader("attestation", lambda: (test_attestation.PROVENANCE.encode(),), _attested),
    Reader(
        "signed", lambda: tuple((SIGNED / n).read_bytes() for n in ("good.dsc", "tag")), _signed
    ),
    Reader("known_hosts", lambda: (KNOWN,), _known),
)
