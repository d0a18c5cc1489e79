"""What `doctor` says of an engine that answers (Podman's version, and its helper) and of extras."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import doctor, extras
from buildmatrix.container import podman

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def look(tmp_path: Path) -> Iterator[Callable[..., doctor.Check]]:
    """What is said of an engine of a name and version, as Podman 4.3.1 tells its own."""
    answers: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            component = {"Name": answers["name"], "Version": answers["version"]}
            version = {**component, "ApiVersion": "1.41", "Components": [component]}
            said = answers if self.path.endswith("/libpod/info") else version
            body = b"OK" if self.path.endswith("/_ping") else json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # as the handler's base names it

        def address_string(self) -> str:
            return ""  # a socket's client has none

        def log_message(self, *_: object) -> None:
            pass

    def asked(name: str, version: str, **host: Any) -> doctor.Check:
        answers.update(name=name, version=version, host=host)
        place = {"DOCKER_HOST": f"unix://{tmp_path}/engine.sock"}
        (found,) = (
            check
            for check in doctor.checks(tmp_path, engine_place=place, mirror=str)
            if check.name == "container engine"
        )
        return found

    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "engine.sock"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


@pytest.fixture
def bin_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder where helpers are looked for."""
    folder = tmp_path / "libexec"
    folder.mkdir()
    monkeypatch.setattr(podman, "HELPERS", (str(folder),))
    monkeypatch.setenv("PATH", str(tmp_path))
    return folder


def test_a_podman_without_catatonit_is_told_to_want_it(
    look: Callable[..., doctor.Check], bin_alone: Path
) -> None:
    without = look("Podman Engine", "5.4.2")
    assert (without.ok, without.found) == (False, "Podman Engine 5.4.2, without catatonit")
    assert "install catatonit (Debian: catatonit)" in without.hint
    (bin_alone / "catatonit").write_text("#!/bin/sh\n")
    (bin_alone / "catatonit").chmod(0o755)
    assert look("Podman Engine", "5.4.2").ok is True
    assert look("Podman Engine", "4.3.1").ok is True


def test_a_podman_of_a_user_that_limits_no_memory_is_told(
    look: Callable[..., doctor.Check], bin_alone: Path
) -> None:
    (bin_alone / "catatonit").write_text("#!/bin/sh\n")
    (bin_alone / "catatonit").chmod(0o755)
    own = {"security": {"rootless": True}}
    unlimited = look("Podman Engine", "4.3.1", **own, cgroupControllers=None)
    assert unlimited.ok is None
    assert unlimited.found.endswith("a user's own, which limits no container's memory")
    assert "Delegate=memory" in unlimited.hint
    assert look("Podman Engine", "5.4.2", **own, cgroupControllers=["memory", "pids"]).ok is True
    assert look("Podman Engine", "5.4.2", cgroupControllers=[]).ok is True


def test_a_podman_that_is_too_old_is_told(look: Callable[..., doctor.Check]) -> None:
    old = look("Podman Engine", "3.0.1")
    assert (old.ok, old.found) == (False, "Podman Engine 3.0.1")
    assert "Podman 4.3 and 5.4" in old.hint


def test_docker_needs_neither(look: Callable[..., doctor.Check], bin_alone: Path) -> None:
    assert look("Engine", "20.10.24").ok is True


def test_extras_that_are_not_installed_are_named_before_a_command_needs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first hour ended at `bench`, after building and deploying."""
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "scipy" else "there")
    place = {"DOCKER_HOST": "tcp://127.0.0.1:9"}
    found = doctor.checks(tmp_path, engine_place=place, mirror=str)[-1]
    assert (found.name, found.ok) == ("buildmatrix", None)
    assert found.found == "without verdicts (the statistics of results)"
    assert "bench and compare need verdicts" in found.hint
