"""The base of an image where no registry answers: debootstrap itself, from a mirror with a CA."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from buildmatrix.bootstrap import debootstrap
from buildmatrix.errors import BuildError
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
