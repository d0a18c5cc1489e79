"""Signatures of sources: what gpgv says of lists that were signed once, and what is made of it."""

from __future__ import annotations

import hashlib
import http.server
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import SourceUnavailable
from buildmatrix.pinned import identify
from buildmatrix.pipeline.signing import signature_of
from buildmatrix.recipe import (
    ArchiveAlternate,
    DebianAlternate,
    FolderAlternate,
    GitAlternate,
    PypiAlternate,
    SourceSpec,
)
from buildmatrix.sources.signature import judge, present, without
from tests.serving import serving
from tests.unit import shelves

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNED = Path(__file__).parent / "signed"  # by keys that were made for it and are gone
KEYRING = SIGNED / "keyring.gpg"  # of the maintainer, and of one whose key has expired
MAINTAINER = "6E2B98BE306AAFBB7F6532A1303A26BA7F1F7A11"
FILE, SHA256 = "blas_1.orig.tar.gz", hashlib.sha256(b"blas").hexdigest()


def of(dsc: Path, file: str = FILE, sha256: str = SHA256) -> tuple[str, str, str]:
    found = judge(dsc, file, sha256, [KEYRING])
    return found.state, found.reason, found.key


def test_a_list_that_a_maintainer_signed_answers_for_its_files() -> None:
    assert of(SIGNED / "good.dsc") == ("good", f"signed by {MAINTAINER}", MAINTAINER)


def test_a_key_that_has_expired_since_is_told() -> None:
    state, reason, _ = of(SIGNED / "expired.dsc")
    assert state == "good"
    assert reason.endswith("its key has expired, as the keyrings here have it")


def test_a_key_that_no_keyring_has_is_not_checked() -> None:
    state, reason, _ = of(SIGNED / "stranger.dsc")
    assert state == "not checked"
    assert reason.endswith("is in no keyring here")


def test_a_list_that_was_changed_is_bad(tmp_path: Path) -> None:
    changed = tmp_path / "changed.dsc"
    changed.write_text((SIGNED / "good.dsc").read_text().replace(SHA256, "0" * 64))
    assert of(changed)[:2] == ("bad", "the text was changed after it was signed")


@pytest.mark.parametrize(("file", "sha256"), [("other.tar.gz", SHA256), (FILE, "0" * 64)])
def test_another_file_than_the_signed_one_is_bad(file: str, sha256: str) -> None:
    assert of(SIGNED / "good.dsc", file, sha256) == (
        "bad",
        f"what is signed does not list {file} with its hash",
        MAINTAINER,
    )


def test_a_row_before_the_signed_text_counts_for_nothing(tmp_path: Path) -> None:
    around = tmp_path / "around.dsc"
    row = f"Checksums-Sha256:\n {'0' * 64} 4 more.tar.gz\n\n"
    around.write_text(row + (SIGNED / "good.dsc").read_text() + row)
    assert of(around, "more.tar.gz", "0" * 64)[0] == "bad"


@pytest.mark.parametrize("content", [b"", b"Source: blas\n", b"\x00\xff" * 300, b"x" * (2 << 20)])
def test_what_carries_no_signature_is_bad(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any.dsc").write_bytes(content)
    assert of(tmp_path / "any.dsc")[0] == "bad"


def test_without_a_keyring_it_is_said_what_brings_one(tmp_path: Path) -> None:
    assert present([tmp_path / "none.gpg", KEYRING]) == (KEYRING,)
    with pytest.raises(SourceUnavailable) as caught:
        present([tmp_path / "none.gpg"])
    assert "none.gpg" in caught.value.brief
    assert "debian-keyring" in caught.value.hint


def test_each_kind_of_source_says_why_it_has_none() -> None:
    orig = DebianAlternate(kind="debian", package="blas", file=FILE, sha256=SHA256)
    alternates = (
        orig,
        orig.model_copy(update={"file": "libblas3_1-1_armhf.deb"}),
        PypiAlternate(kind="pypi", package="blas", file="blas-1.tar.gz", sha256=SHA256),
        ArchiveAlternate(kind="archive", url="https://blas.example/1.tar.gz", sha256=SHA256),
        GitAlternate(kind="git", url="https://blas.example/blas", commit="0" * 40, branch=None),
        FolderAlternate(kind="folder", path="src"),
    )
    said = [without(one) for one in alternates]
    assert {one.state for one in said} == {"none"}
    assert len({one.reason for one in said}) == len(alternates)


@pytest.mark.parametrize(
    ("dsc", "state", "words"),
    [
        ("good.dsc", "good", f"signed by {MAINTAINER}"),
        ("stranger.dsc", "not checked", "is in no keyring here"),
        ("gone.dsc", "not checked", "HTTP 404"),
        ("", "none", "the recipe names no .dsc"),
    ],
)
def test_the_list_comes_from_where_the_source_comes_from(
    tmp_path: Path, server: str, dsc: str, state: str, words: str
) -> None:
    """The folder of archives first, then the mirror's pool, where the last one is not."""
    archives = tmp_path / "archives"
    shutil.copytree(SIGNED, archives)
    (archives / FILE).write_bytes(b"blas")
    shop = shelves.workshop(tmp_path)
    shop.archives, shop.keyrings, shop.mirror = archives, (KEYRING,), lambda: server
    alternate = DebianAlternate(kind="debian", package="blas", file=FILE, sha256=SHA256, dsc=dsc)
    source = SourceSpec(name="blas", alternates=[alternate])
    shop.sources.fetch(source, identify(source), base=tmp_path, subject="source")
    found = signature_of(shop, source)
    assert found.state == state
    assert words in found.reason
    shop.keyrings = (tmp_path / "none.gpg",)
    if dsc:
        assert signature_of(shop, source).reason.startswith("no keyring at")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A mirror without any file."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "pool"))
    with serving(handler) as host:
        yield f"http://{host}"
