"""A CA of one's own, named by any usual variable: the command line and a real HTTPS server."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from buildmatrix.cli import certificates
from buildmatrix.errors import UsageError
from tests import serving as servers
from tests import tiny
from tests.unit import commands

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

RECIPE = """\
version: 1
name: tiny
summary: a library of one function
options: {answer: {summary: what it returns, type: integer, default: 42}}
sources:
  - name: src
    alternates: [{kind: archive, url: "https://127.0.0.1:%d/src.tar", sha256: "%s"}]
build: {script: build.sh.j2, products: [lib/libtiny.so.1]}
"""


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate for loopback that nobody trusts, in authority.pem."""
    path = tmp_path / "authority.pem"
    servers.certify(path)
    return path


@contextmanager
def serving(authority: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """A server with that certificate that answers all with `content`: its port, what was asked."""
    asked: list[str] = []

    def answer(path: str) -> tuple[int, bytes]:
        asked.append(path)
        return 200, content

    with servers.serving(servers.answering(answer), certificate=authority) as there:
        yield int(there.rpartition(":")[2]), asked


@pytest.fixture
def project(tmp_path: Path, authority: Path) -> Iterator[Path]:
    """A project whose one source is an archive on a server with that certificate."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("src/empty.c"))

    with serving(authority, packed.getvalue()) as (port, _):
        root = tmp_path / "project"
        root.mkdir()
        tiny.write(root)
        digest = hashlib.sha256(packed.getvalue()).hexdigest()
        recipe = RECIPE % (port, digest)
        (root / "recipes/tiny/recipe.yaml").write_text(recipe)
        yield root


def fetched(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """By a person who has set these variables and no other for certificates."""
    unset = dict.fromkeys((*certificates.OF_A_FILE, *certificates.OF_A_FOLDER), "")
    settings = unset | environment
    return commands.run("sources", "--archives", "kept", "--json", cwd=project, **settings)


def test_an_unknown_authority_is_told_with_the_setting(project: Path) -> None:
    refused = fetched(project)
    (source,) = json.loads(refused.stdout)["sources"]
    assert "its certificate is not trusted: self-signed certificate" in source["reason"]
    assert "SSL_CERT_FILE" in source["reason"]


@pytest.mark.parametrize("name", certificates.OF_A_FILE)
def test_each_usual_variable_will_do(project: Path, authority: Path, name: str) -> None:
    done = fetched(project, **{name: str(authority)})
    assert done.returncode == 0, done.stderr + done.stdout
    assert list((project / "kept").rglob("*.tar")), done.stderr + done.stdout


def test_one_that_is_set_counts_for_those_that_are_not(authority: Path) -> None:
    environment = {"PIP_CERT": str(authority), "GIT_SSL_CAINFO": "/git's own"}
    certificates.settle(environment)
    assert environment == {
        **dict.fromkeys(certificates.OF_A_FILE, str(authority)),
        "GIT_SSL_CAINFO": "/git's own",
    }
    of_a_folder = {"REQUESTS_CA_BUNDLE": str(authority.parent)}
    certificates.settle(of_a_folder)
    assert of_a_folder["SSL_CERT_DIR"] == of_a_folder["GIT_SSL_CAPATH"] == str(authority.parent)
    nothing: dict[str, str] = {}
    certificates.settle(nothing)
    assert nothing == {}


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match=r"CURL_CA_BUNDLE=/nowhere\.pem: there is no such file"):
        certificates.settle({"CURL_CA_BUNDLE": "/nowhere.pem"})
