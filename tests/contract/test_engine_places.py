"""A real engine, reached in each form of DOCKER_HOST."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from buildmatrix.container import DockerEngine
from buildmatrix.errors import BuildmatrixError
from tests.sshd import USER, make_key, servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.sshd import Servers

__all__ = ["servers"]
SOCKET = "/var/run/docker.sock"
pytestmark = [pytest.mark.docker, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What the SDK leaves open goes within its test, whose warnings are not looked at."""
    yield
    gc.collect()


@pytest.fixture
def port() -> Iterator[int]:
    """A port of loopback behind which the engine's socket answers."""
    with engine_behind(lambda client: client) as number:
        yield number


@contextlib.contextmanager
def engine_behind(greet: Callable[[socket.socket], socket.socket]) -> Iterator[int]:
    """A port of loopback behind which the engine's socket answers whom `greet` lets in."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            while True:
                try:
                    client, _ = door.accept()
                except OSError:  # closed at the end
                    return
                with contextlib.suppress(OSError):  # refused: the next one
                    client = greet(client)
                    engine = socket.socket(socket.AF_UNIX)
                    engine.connect(SOCKET)
                    for one, other in ((client, engine), (engine, client)):
                        threading.Thread(target=pipe, args=(one, other), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield door.getsockname()[1]


def pipe(one: socket.socket, other: socket.socket) -> None:
    """Bytes from one to the other until an end, which is passed on."""
    with contextlib.suppress(OSError), one:
        while data := one.recv(1 << 16):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


def named(place: dict[str, str]) -> str:
    engine = DockerEngine(place)
    try:
        return engine.version()
    finally:
        engine.close()


def test_an_engine_answers_alike_by_socket_and_by_port(port: int) -> None:
    wanted = named({})
    assert wanted
    for form in (f"unix://{SOCKET}", f"http+unix://{SOCKET}", "unix://", f"tcp://127.0.0.1:{port}"):
        assert named({"DOCKER_HOST": form}) == wanted, form


@pytest.fixture
def alias(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine of the ssh configuration, with its port there, on which `docker` is installed."""
    key, program = make_key(tmp_path / "id"), shutil.which("ssh")
    server = servers.start()
    servers.authorize(server, key)
    (tmp_path / "known").write_text(server.known)
    (tmp_path / "config").write_text(
        f"Host builder\nHostName 127.0.0.1\nPort {server.port}\nUser {USER}\nIdentityFile {key}\n"
        f"IdentitiesOnly yes\nUserKnownHostsFile {tmp_path}/known\nBatchMode yes\n"
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {program} -F {tmp_path}/config "$@"\n')
    (tmp_path / "bin" / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return "builder"


def test_an_engine_answers_by_ssh_as_its_configuration_says(alias: str) -> None:
    assert named({"DOCKER_HOST": f"ssh://{alias}"}) == named({})


def test_a_machine_that_ssh_cannot_reach_is_one_message(alias: str) -> None:
    with pytest.raises(BuildmatrixError, match=f"ssh://nobody@{alias}") as raised:
        DockerEngine({"DOCKER_HOST": f"ssh://nobody@{alias}:9"})
    assert f"ssh nobody@{alias} docker version" in raised.value.hint


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """As `docker` wants them in DOCKER_CERT_PATH, of a CA of one's own; the server's are beside."""
    folder = tmp_path / "certs"
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", "-x509", *key, "-subj", "/CN=CA", "-keyout", "ca.key", "-out", "ca.pem")
    for name, more in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "")):
        (folder / f"{name}.ext").write_text(more)
        openssl(
            folder, "req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "csr"
        )
        sign = ["x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
        openssl(folder, *sign, "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    (folder / "client.pem").rename(folder / "cert.pem")
    (folder / "client.key").rename(folder / "key.pem")
    return folder


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def guarded(papers: Path) -> Iterator[int]:
    """A port where the engine answers by TLS whoever has a certificate of that CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers / "server.pem", papers / "server.key")
    context.load_verify_locations(papers / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # which refuses before anything is asked
    with engine_behind(lambda client: context.wrap_socket(client, server_side=True)) as number:
        yield number


def by_tls(port: int, papers: Path) -> dict[str, str]:
    return {
        "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(papers),
    }


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "NOTHING"])
def test_an_engine_answers_by_tls_whom_it_knows(
    guarded: int, papers: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Whichever CA this machine trusts for all else."""
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, str(papers / "server.pem"))
    assert named(by_tls(guarded, papers)) == named({})


def test_an_engine_of_another_ca_or_that_wants_tls_is_one_message(
    guarded: int, papers: Path
) -> None:
    for place in (by_tls(guarded, papers), {"DOCKER_HOST": f"tcp://127.0.0.1:{guarded}"}):
        (papers / "ca.pem").write_bytes((papers / "server.pem").read_bytes())
        with pytest.raises(BuildmatrixError, match="no container engine answers at") as raised:
            DockerEngine(place)
        assert raised.value.hint


def test_papers_that_are_not_there_are_named(guarded: int, papers: Path) -> None:
    (papers / "key.pem").unlink()
    with pytest.raises(BuildmatrixError, match=r"by TLS, and key.pem is missing") as raised:
        DockerEngine(by_tls(guarded, papers))
    assert raised.value.where == str(papers)
    assert "DOCKER_CERT_PATH" in raised.value.hint
