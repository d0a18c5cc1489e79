"""Mirrors and package indexes, and the files that this machine keeps."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from unittest import mock

from buildmatrix.records import read_record, sealed
from buildmatrix.sources import fetch, pypi
from buildmatrix.ssh import trust
from buildmatrix.store import Store
from tests.fakes import RecordingReporter
from tests.fuzz.reader import Reader, text
from tests.unit.test_strange_servers import answer, server

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a" * 64
PAGE = b'{"files": [{"filename": "blas-1.whl", "url": "../../f/blas-1.whl"}]}'
LINKS = b'<html><a href="../../f/blas-1.whl#sha256=1">blas-1.whl</a></html>'
ENTRY = {
    **{"version": 1, "key": KEY, "material": {"id": "build:x"}, "provenance": {"seconds": 1}},
    "files": [{"path": "a/b", "sha256": KEY, "size": 3, "executable": False, "link": ""}],
}
KNOWN = b"""\
# mine
pi3.local,[pi3.local]:2222 ssh-ed25519 aGk=
|1|c2FsdHNhbHRzYWx0c2FsdHM=|ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGk= ssh-rsa aGk=
@revoked *.local ssh-rsa aGk= me
"""


def _mirror(data: bytes, _: Path) -> None:
    with mock.patch("time.sleep"), server(data) as (host, _requests):
        reporter = RecordingReporter()
        fetch.download(f"http://{host}/a", io.BytesIO(), reporter=reporter, subject="s")


def _index(data: bytes, _: Path) -> None:
    with mock.patch("time.sleep"), server(data) as (host, _requests):
        pypi.locate(f"http://me:secret@{host}/simple", "blas", "blas-1.whl")


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
    Reader(
        "known_hosts", lambda: (KNOWN,), lambda data, _: trust.read(text(data), "[pi3.local]:2222")
    ),
)
