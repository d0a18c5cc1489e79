"""A real apt in an image that is made, and a mirror or a proxy by TLS of a CA of one's own."""

from __future__ import annotations

import hashlib
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import images
from buildmatrix.container import DockerEngine
from buildmatrix.errors import BuildError
from buildmatrix.pipeline import project
from tests.serving import answering, certify, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.docker
TAG = "buildmatrix/test-apt:1"
# An index that nobody signed will do here; a server that nobody knows will not.
DOCKERFILE = """\
FROM {base}
RUN rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* \\
 && echo 'deb [trusted=yes] {mirror} ./' >/etc/apt/sources.list \\
 && apt-get -o Acquire::Retries=0 -o APT::Update::Error-Mode=any update \\
 && apt-get install -y ours
"""


def test_apt_installs_by_a_mirror_of_that_ca(tmp_path: Path) -> None:
    with repository(tmp_path) as (server, authority):
        text = DOCKERFILE.format(base=base(), mirror=f"https://{server}")
        with pytest.raises(BuildError) as refused:
            built(tmp_path, text, {})
        assert "The certificate is NOT trusted" in refused.value.details
        installed(tmp_path, text, {"SSL_CERT_FILE": str(authority)})


def test_apt_installs_by_a_proxy_of_that_ca(tmp_path: Path) -> None:
    with repository(tmp_path) as (server, authority):
        text = DOCKERFILE.format(base=base(), mirror="http://mirror.example")
        network = {"http_proxy": f"https://{server}", "SSL_CERT_DIR": str(authority.parent)}
        installed(tmp_path, text, network)


def base() -> str:
    """Debian 12 as toolchains stand on it: the base that was made here, or one of them."""
    engine = DockerEngine(os.environ)
    tag = images.base_tag("bookworm")
    found = engine.image_id(tag)
    engine.close()
    toolchains = project.load(ROOT / "matrix.yaml").toolchains
    return tag if found else images.tag_of(toolchains["host-bookworm"])


def built(folder: Path, dockerfile: str, network: dict[str, str]) -> bytes:
    """The image as it is saved, of a build that may reach the network so."""
    context = folder / "context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(dockerfile)
    engine = DockerEngine(os.environ, network=network)
    try:
        engine.build_image(context, TAG, print)
        return b"".join(engine.save_image(TAG))
    finally:
        engine.remove_image(TAG)
        engine.close()


def installed(folder: Path, dockerfile: str, network: dict[str, str]) -> None:
    """The package is there, and the certificate in no layer."""
    kept = built(folder, dockerfile, network)
    assert b"usr/share/ours" in kept
    assert (folder / "ca" / "ca.pem").read_bytes().splitlines()[1] not in kept
    assert b"buildmatrix-trusted" not in kept


@contextmanager
def repository(folder: Path) -> Iterator[tuple[str, Path]]:
    """A host:port that containers reach, where a repository of one package answers by TLS, and the
    file of its CA, in a folder with its key."""
    files = {"Packages": packages(folder), "ours.deb": (folder / "ours.deb").read_bytes()}

    def answer(path: str) -> tuple[int, bytes]:
        content = files.get(path.rpartition("/")[2])
        return (200, content) if content else (404, b"")

    address, authority = gateway(), folder / "ca" / "ca.pem"
    authority.parent.mkdir()
    certify(authority, address)
    with serving(answering(answer), address, authority) as there:
        yield there, authority


def gateway() -> str:
    """This machine, as containers see it that are made without a network of their own."""
    engine = DockerEngine(os.environ)
    (there, *_) = engine.client.networks.get("bridge").attrs["IPAM"]["Config"]
    engine.close()
    return str(there["Gateway"])


def packages(folder: Path) -> bytes:
    """The list of a repository of one package, which lies in ours.deb."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/share/ours").mkdir(parents=True)
    control = "Package: ours\nVersion: 1\nArchitecture: all\nMaintainer: me\nDescription: none\n"
    (tree / "DEBIAN/control").write_text(control)
    subprocess.run(["dpkg-deb", "-b", tree, folder / "ours.deb"], check=True, capture_output=True)
    deb = (folder / "ours.deb").read_bytes()
    digest = hashlib.sha256(deb).hexdigest()
    return f"{control}Filename: ./ours.deb\nSize: {len(deb)}\nSHA256: {digest}\n".encode()
