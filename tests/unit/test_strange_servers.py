"""A server that answers strangely is one failed alternate; credentials go to one server only."""

from __future__ import annotations

import base64
import io
import socketserver
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix.errors import SourceUnavailable
from buildmatrix.printable import without_credentials
from buildmatrix.recipe import ArchiveAlternate
from buildmatrix.sources import address, describe, fetch, file_name, git, pypi
from tests.fakes import RecordingReporter
from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Answers in turn on loopback, the last one for ever; gives its host:port and what it got."""
    requests: list[bytes] = []

    class Strange(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while b"\r\n\r\n" not in head and (piece := self.request.recv(65536)):
                head += piece
            requests.append(head)
            with suppress(OSError):  # who asked heard enough
                self.request.sendall(answers[min(len(requests), len(answers)) - 1])

    with serving(Strange) as host:
        yield host, requests


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def got(url: str) -> bytes:
    target = io.BytesIO()
    fetch.download(url, target, reporter=RecordingReporter(), subject="s")
    return target.getvalue()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


STRANGE = [
    b"\x16\x03\x01 not HTTP at all\r\n\r\n",
    b"HTTP/1.1 what\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 70000 + b"\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: nowhere://x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: http://[::bad/\r\nContent-Length: 0\r\n\r\n",
    b"",
]
# What the index says of where a file is, as it stands in JSON.
LINKS = [b"5", b"null", b'"http://[::bad/x"', b'"file:///etc/passwd"', b'"ftp://127.0.0.1/x"']


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_answer_is_one_failed_alternate(strange: bytes) -> None:
    with server(strange) as (host, requests), pytest.raises(SourceUnavailable):
        got(f"http://{host}/a.tar")
    assert len(requests) <= fetch.TRIES


def test_a_length_that_is_no_number_is_not_believed() -> None:
    strange = b"HTTP/1.1 200 OK\r\nContent-Length: lots\r\nConnection: close\r\n\r\nbody"
    with server(strange) as (host, _):
        assert got(f"http://{host}/a.tar") == b"body"


def test_a_download_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "LARGEST", 1 << 30)
    huge = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx"
    with server(huge) as (host, _), pytest.raises(SourceUnavailable, match="larger than 1,024 MiB"):
        got(f"http://{host}/a.tar")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (pypi.JSON, b"{"),
        (pypi.JSON, b"[]"),
        (pypi.JSON, b'{"files": [{}]}'),
        (pypi.JSON, b'{"files": ' + b"[" * 100_000),
        (pypi.JSON, b'{"files": [{"filename": [], "url": "u"}]}'),
        *(
            (pypi.JSON, b'{"files": [{"filename": "blas-1.whl", "url": %s}]}' % url)
            for url in LINKS
        ),
        ("text/html", b"\xff"),
    ],
)
def test_an_index_page_that_is_none_is_one_failed_alternate(kind: str, body: bytes) -> None:
    with (
        server(answer(body, f"Content-Type: {kind}")) as (host, _),
        pytest.raises(SourceUnavailable, match="the Python index"),
    ):
        pypi.locate(f"http://{host}/simple", "blas", "blas-1.whl")


@pytest.mark.parametrize("strange", STRANGE)
def test_an_index_that_gives_no_answer_is_one_failed_alternate(strange: bytes) -> None:
    with (
        server(strange) as (host, requests),
        pytest.raises(SourceUnavailable, match="the Python index does not answer"),
    ):
        pypi.locate(f"http://{host}/simple", "blas", "blas-1.whl")
    assert len(requests) <= fetch.TRIES


def _located(url: str) -> str:
    return pypi.locate(url, "blas", "blas-1.whl")


@pytest.mark.parametrize("asked", [got, _located])
def test_a_server_that_gives_a_byte_now_and_then_is_given_up(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[[str], object]
) -> None:
    monkeypatch.setattr(fetch, "PATIENCE", 0.05)
    waits = threading.Event()

    class Slow(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the reader is gone
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not waits.wait(0.01):
                    self.request.sendall(b"x")

    with serving(Slow) as host:
        try:
            with pytest.raises(SourceUnavailable, match="less than 1024 bytes a second came"):
                asked(f"http://{host}/a.tar")
        finally:
            waits.set()


def test_credentials_are_sent_as_authorisation_and_not_along_a_redirect() -> None:
    with server(answer(b"content")) as (other, elsewhere):
        moved = answer(b"", f"Location: http://{other}/a.tar", status="302 Found")
        with server(moved) as (host, first):
            assert got(f"http://me:p%40ss@{host}/a.tar") == b"content"
    pair = base64.b64encode(b"me:p@ss")
    assert b"Authorization: Basic " + pair in first[0]
    assert b"me:" not in first[0].replace(pair, b"")
    assert b"Authorization" not in elsewhere[0]


def test_a_private_index_gets_its_credentials_for_its_own_files_only() -> None:
    page = "https://me:token@index.example/simple/blas/"
    own = "https://me:token@index.example/files/blas-1.whl"
    assert address.with_credentials_of(page, "https://index.example/files/blas-1.whl") == own
    for other in (
        "https://files.example/blas-1.whl",
        "http://index.example/files/blas-1.whl",
        "https://index.example:8443/blas-1.whl",
        "https://you:own@index.example/blas-1.whl",
    ):
        assert address.with_credentials_of(page, other) == other


def test_no_error_shows_credentials() -> None:
    refused = answer(b"", status="403 Forbidden")
    with server(refused) as (host, _), pytest.raises(SourceUnavailable) as caught:
        got(f"http://me:token@{host}/a.tar")
    assert "token" not in str(caught.value)
    assert f"http://***@{host}/a.tar" in str(caught.value)
    with pytest.raises(SourceUnavailable) as caught:
        got("http://me:token@host.example:no-port/a.tar")
    assert "token" not in str(caught.value)


def test_one_proxy_setting_counts_for_files_and_for_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(answer(b"content"), answer(b"", status="404 Not Found")) as (proxy, asked):
        network = {"http_proxy": f"http://{proxy}", "no_proxy": "near.example"}
        for name, value in network.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("urllib.request._opener", None)  # made once, with the settings of then
        assert got("http://mirror.example/a.tar") == b"content"
        with pytest.raises(SourceUnavailable, match="git: "):
            git.archive_commit("http://git.example/r", "0" * 40, tmp_path / "a", network)
        with pytest.raises(SourceUnavailable, match="no answer"):
            got("http://near.example/a.tar")
    assert [one.split(b" ")[1].partition(b"?")[0] for one in asked] == [
        b"http://mirror.example/a.tar",
        b"http://git.example/r/info/refs",
    ]


def test_git_gets_credentials_where_no_other_user_of_the_machine_sees_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    popen = subprocess.Popen

    def seen(argv: list[str], **settings: Any) -> Any:
        commands.append(argv)
        return popen(argv, **settings)

    monkeypatch.setattr("subprocess.Popen", seen)
    with server(answer(b"", status="403 Forbidden")) as (host, asked):
        url = f"http://me:p%40ss@{host}/r.git"
        with pytest.raises(SourceUnavailable, match="git: ") as caught:
            git.archive_commit(url, "0" * 40, tmp_path / "a.tar")
    assert b"Authorization: Basic " + base64.b64encode(b"me:p@ss") in asked[0]
    assert [argv[1] for argv in commands] == ["init", "fetch"]
    for text in (str(commands), str(caught.value).replace("***@", "")):
        assert "me:" not in text
        assert "ss@" not in text


@given(st.text(alphabet=st.characters(exclude_characters="/ \t\n", codec="ascii"), min_size=1))
def test_credentials_of_any_kind_are_hidden(secret: str) -> None:
    text = f"git: https://{secret.strip() or 'x'}@host.example/r.git failed"
    if not any(letter.isspace() for letter in secret):
        assert without_credentials(text) == "git: https://***@host.example/r.git failed"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pa/ss@host.example/a.tar", "https://***@host.example/a.tar"),
        ("https://h.example/a.tar?private_token=tok", "https://h.example/a.tar?private_token=***"),
        (
            "https://h.example/a?access_token=tok&ref=1",
            "https://h.example/a?access_token=***&ref=1",
        ),
        ("https://h.example/a?X-Amz-Signature=tok#x", "https://h.example/a?X-Amz-Signature=***#x"),
        ("https://h.example/a?sv=1&sig=tok", "https://h.example/a?sv=1&sig=***"),
        ("https://h.example:8443/pkg@1.0/a.tar", "https://h.example:8443/pkg@1.0/a.tar"),
        ("https://h.example/pkg@1.0/a.tar?sha=1", "https://h.example/pkg@1.0/a.tar?sha=1"),
    ],
)
def test_credentials_behind_an_address_or_with_a_slash_are_hidden(url: str, shown: str) -> None:
    assert without_credentials(f"no answer of {url}: x") == f"no answer of {shown}: x"
    one = ArchiveAlternate(kind="archive", url=url, sha256="a" * 64)
    assert describe(one) == shown
    assert file_name(one) == shown.rsplit("/", 1)[-1]
