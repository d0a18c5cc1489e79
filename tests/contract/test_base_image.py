"""The base of an image where no registry answers: debootstrap itself, from a mirror with a CA."""

from __future__ import annotations

import os
import subprocess
import tarfile
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from buildmatrix.bootstrap import debootstrap
from buildmatrix.errors import BuildError
from buildmatrix.upstreams import debian_mirror
from tests import serving as servers
from tests.unit.test_certificates import authority, serving

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["authority"]


@pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap is root's")
@pytest.mark.parametrize("folder", [False, True])
def test_the_base_of_an_image_comes_from_a_mirror_of_that_ca_too(
    tmp_path: Path, authority: Path, folder: bool
) -> None:
    """wget, by which debootstrap fetches, reads no variable for it. What this mirror has is no
    release, which is said; without the CA it is not even asked."""
    place = authority
    if folder:
        place = tmp_path / "certs"
        place.mkdir()
        (place / "one.pem").write_bytes(authority.read_bytes())
        subprocess.run(["openssl", "rehash", place], check=True)
    with serving(authority, b"no release") as (port, asked):
        mirror = f"https://127.0.0.1:{port}/debian"
        for given in ("", str(place)):
            with pytest.raises(BuildError, match="debootstrap of bookworm failed"):
                debootstrap(
                    "bookworm", mirror, tmp_path / "base.tar", lambda _: None, authority=given
                )
            assert bool(asked) == bool(given)
    assert asked[0] == "/debian/dists/bookworm/InRelease"


@pytest.mark.nightly
@pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap is root's")
def test_a_base_by_tls_has_the_packages_that_it_has_without(
    tmp_path: Path, authority: Path
) -> None:
    """An image's identity is its packages: it would be another one by another way to them."""
    mirror = debian_mirror()

    def door(path: str) -> tuple[int, bytes]:
        """What the real mirror answers."""
        try:
            with urllib.request.urlopen(mirror + path) as answer:
                return 200, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, b""

    with servers.serving(servers.answering(door), certificate=authority) as there:
        place = str(authority)
        debootstrap("bookworm", f"https://{there}", tmp_path / "base.tar", print, authority=place)
    with tarfile.open(tmp_path / "base.tar") as tar:
        status = tar.extractfile("./var/lib/dpkg/status")
        assert status is not None
        packages = status.read()
        sources = tar.extractfile("./etc/apt/sources.list")
        assert sources is not None
        assert f"https://{there}" in sources.read().decode()
    assert b"Package: apt\n" in packages
    assert b"Package: ca-certificates\n" not in packages
    assert b"Package: openssl\n" not in packages
