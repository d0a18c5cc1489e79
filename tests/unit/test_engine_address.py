"""Which container engine is meant, and what is said of one that does not answer."""

from __future__ import annotations

import gc
import hashlib
import json
import socket
from typing import TYPE_CHECKING

import pytest

from buildmatrix.container.address import chosen, connect
from buildmatrix.errors import BuildmatrixError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What the SDK leaves open goes within its test, whose warnings are not looked at."""
    yield
    gc.collect()


@pytest.mark.parametrize(
    "written",
    [
        "podman",
        "/var/run/docker.sock",
        "npipe:////./pipe/docker_engine",
        "fd://",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:99999",
        "ftp://127.0.0.1:1",
        "ssh://pi/run/docker.sock",
        "ssh://-oProxyCommand=true",
        "ssh://pi@[::1]:22",
        "unix:///run/docker.sock?x=1",
        "   ",
    ],
)
def test_what_is_no_address_is_named_with_the_forms_there_are(written: str) -> None:
    with pytest.raises(BuildmatrixError, match="no address of a container engine") as raised:
        connect({"DOCKER_HOST": written})
    assert written in raised.value.brief
    assert "unix:///" in raised.value.hint


@pytest.mark.parametrize("form", ["unix://{}", "http+unix://{}"])
def test_a_socket_that_is_not_there_is_named(tmp_path: Path, form: str) -> None:
    url = form.format(tmp_path / "none.sock")
    with pytest.raises(BuildmatrixError) as raised:
        connect({"DOCKER_HOST": url})
    assert url in raised.value.brief
    assert raised.value.details == "No such file or directory"


@pytest.mark.parametrize("form", ["tcp://127.0.0.1:{}", "http://127.0.0.1:{}", "127.0.0.1:{}"])
def test_a_port_where_nothing_listens_is_named(form: str) -> None:
    with socket.socket() as one:  # bound, and nobody listens: no other program can take it
        one.bind(("127.0.0.1", 0))
        url = form.format(one.getsockname()[1])
        with pytest.raises(BuildmatrixError) as raised:
            connect({"DOCKER_HOST": url})
    assert url in raised.value.brief
    assert raised.value.details == "Connection refused"


def test_the_socket_of_a_podman_of_ones_own_is_proposed(tmp_path: Path) -> None:
    own = tmp_path / "podman" / "podman.sock"
    own.parent.mkdir()
    own.touch()
    place = {"DOCKER_HOST": f"unix://{tmp_path}/none", "XDG_RUNTIME_DIR": str(tmp_path)}
    with pytest.raises(BuildmatrixError) as raised:
        connect(place)
    assert raised.value.hint == f"set DOCKER_HOST=unix://{own}"


def context(folder: Path, name: str, host: str, *, current: str) -> None:
    """A configuration of the `docker` command with one context."""
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    endpoint = {"docker": {"Host": host, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(
        json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoint})
    )
    (folder / "config.json").write_text(json.dumps({"currentContext": current}))


def test_contexts_are_chosen_as_docker_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    context(tmp_path, "lab", "unix:///run/lab.sock", current="lab")
    assert (chosen({}).url, chosen({}).origin) == ("unix:///run/lab.sock", "Docker's context lab")
    assert chosen({"DOCKER_CONTEXT": "default"}).url == "unix:///var/run/docker.sock"
    host = {"DOCKER_HOST": "tcp://127.0.0.1:2375", "DOCKER_CONTEXT": "lab"}
    assert chosen(host).url == "tcp://127.0.0.1:2375", "DOCKER_HOST wins"
    with pytest.raises(BuildmatrixError, match="no Docker context elsewhere"):
        chosen({"DOCKER_CONTEXT": "elsewhere"})
    for meta in (tmp_path / "contexts").rglob("meta.json"):
        meta.write_text("{")
    with pytest.raises(BuildmatrixError, match="no Docker context lab"):
        chosen({"DOCKER_CONTEXT": "lab"})
