"""A real engine, reached in each form of DOCKER_HOST."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from buildmatrix.container import DockerEngine
from buildmatrix.errors import BuildmatrixError
from tests.sshd import USER, make_key, servers

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with contextlib.suppress(OSError):  # closed at the end
                while True:
                    client, _ = door.accept()
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
