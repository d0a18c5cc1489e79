"""The papers of what is handed over: valid, repeatable, and no file can differ from them unseen."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from buildmatrix.attest import (
    SBOM,
    STATEMENT,
    Handed,
    Origin,
    Part,
    check,
    folder_of,
    sbom,
    statement,
)
from buildmatrix.errors import AuditError, InputError
from buildmatrix.pipeline.attesting import package_url
from buildmatrix.recipe import DebianAlternate, FolderAlternate, PypiAlternate
from buildmatrix.sources.licences import licences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from buildmatrix.recipe import Alternate

FILES = {"bin/runner": b"\x7fELF", "lib/libstdc++.so.6": b"library"}
SHA256 = 64 * "0"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


HANDED = Handed(
    cell="dot",
    kind="bundle",
    key=64 * "a",
    version="0.1.0",
    made_at="2026-11-28T20:00:00Z",
    parameters={"stack": "dot", "options": {"neon": True}, "toolchain": "armv7hf-bookworm"},
    compiler=("gcc-12-arm-linux-gnueabihf:amd64=12.2.0-14cross1",),
    parts=(
        Part("bin/runner", sha256(FILES["bin/runner"]), 4, "runner:dot"),
        Part("lib/libstdc++.so.6", sha256(FILES["lib/libstdc++.so.6"]), 7, "package:libstdc++6"),
    ),
    origins=(
        Origin("runner:dot", "recipe", "dot", made_from=("source:dot",)),
        Origin(
            id="source:dot",
            kind="source",
            name="dot",
            address="folder src",
            digest={"gitTree": 40 * "b"},
            signature="none: a folder of this project",
        ),
        Origin(
            "package:libstdc++6",
            "package",
            "libstdc++6",
            "12.2.0-14",
            purl="pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=armhf",
            licences=("licences/debian/libstdc++6/copyright",),
        ),
    ),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files of HANDED, with their papers beside them."""
    root = tmp_path / "dot"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    papers = folder_of(root)
    papers.mkdir()
    bill = sbom(HANDED)
    (papers / SBOM).write_text(bill)
    document = statement(HANDED, {SBOM: sha256(bill.encode())})
    (papers / STATEMENT).write_text(json.dumps(document))
    return root


def test_files_that_are_what_their_papers_say_pass(tree: Path) -> None:
    claimed = check(tree)
    assert [one["name"] for one in claimed["subject"]] == [*FILES]
    named = claimed["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert [one["name"] for one in named] == ["runner:dot", "source:dot", "package:libstdc++6"]
    assert named[1]["annotations"] == {"signature": "none: a folder of this project"}


def test_the_bill_leads_from_a_file_to_what_it_was_made_from_and_is_the_same_each_time() -> None:
    bill = sbom(HANDED)
    assert sbom(HANDED) == bill
    document = json.loads(bill)
    leads = {row["ref"]: row.get("dependsOn", []) for row in document["dependencies"]}
    assert leads["bundle:dot"] == ["file:bin/runner", "file:lib/libstdc++.so.6"]
    assert leads["file:bin/runner"] == ["runner:dot"]
    assert leads["runner:dot"] == ["source:dot"]
    (package,) = (one for one in document["components"] if one.get("purl"))
    assert package["purl"] == "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=armhf"
    named = package["evidence"]["licenses"][0]["license"]["name"]
    assert named == "licences/debian/libstdc++6/copyright"


def changed(tree: Path) -> None:
    (tree / "bin/runner").write_bytes(b"\x7fELF, and more")


def missing(tree: Path) -> None:
    (tree / "bin/runner").unlink()


def added(tree: Path) -> None:
    (tree / "bin/other").touch()


def linked(tree: Path) -> None:
    (tree / "bin/runner").rename(tree.parent / "runner")
    (tree / "bin/runner").symlink_to(tree.parent / "runner")


def bill_changed(tree: Path) -> None:
    path = folder_of(tree) / SBOM
    path.write_text(path.read_text().replace("12.2.0-14", "12.2.0-15"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (changed, "bin/runner: another file than the statement says"),
        (missing, "bin/runner: missing"),
        (added, "bin/other: not in the statement"),
        (linked, "bin/runner: another file than the statement says"),
        (bill_changed, f"{SBOM}: another file than the statement says"),
    ],
)
def test_a_file_that_is_another_is_named(
    harm: Callable[[Path], None], words: str, tree: Path
) -> None:
    harm(tree)
    with pytest.raises(AuditError) as raised:
        check(tree)
    assert raised.value.details == words


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bill", "words"),
    [
        ("{}", "no valid CycloneDX 1.6"),
        (sbom(HANDED).replace(HANDED.parts[0].sha256, SHA256), "lists other files"),
    ],
)
def test_a_bill_that_is_none_or_of_other_files_is_told(bill: str, words: str, tree: Path) -> None:
    (folder_of(tree) / SBOM).write_text(bill)
    document = statement(HANDED, {SBOM: sha256(bill.encode())})
    (folder_of(tree) / STATEMENT).write_text(json.dumps(document))
    with pytest.raises(AuditError) as raised:
        check(tree)
    assert words in raised.value.details


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "\x00", '{"_type": 1, "predicateType": 2}', 5000 * "["]
)
def test_a_statement_that_is_none_is_an_error_of_ours(text: str, tree: Path) -> None:
    (folder_of(tree) / STATEMENT).write_text(text)
    with pytest.raises(InputError, match="no paper that can be read"):
        check(tree)


def test_a_statement_of_another_kind_or_with_a_file_twice_is_refused(tree: Path) -> None:
    document: dict[str, Any] = statement(HANDED, {})
    twice = {**document, "subject": [*document["subject"], document["subject"][0]]}
    for other in ({**document, "predicateType": "https://example.org/v1"}, twice):
        (folder_of(tree) / STATEMENT).write_text(json.dumps(other))
        with pytest.raises(InputError, match="no paper that can be read"):
            check(tree)


def test_without_papers_the_command_that_writes_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no papers are here") as raised:
        check(tmp_path)
    assert "--papers" in raised.value.hint


def test_licences_are_found_in_a_source_and_in_a_wheel(tmp_path: Path) -> None:
    names = ("net-1.0/LICENSE", "net-1.0/src/COPYING", "net-1.0/COPYING.txt", "net-1.0/main.c")
    with tarfile.open(tmp_path / "net.tar.xz", "w:xz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"text"))
    assert [*licences(tmp_path / "net.tar.xz")] == ["net-1.0/LICENSE", "net-1.0/COPYING.txt"]
    with ZipFile(tmp_path / "net.whl", "w") as wheel:
        wheel.writestr("net-1.dist-info/licenses/third/NOTICE", "text")
        wheel.writestr("net-1.dist-info/../LICENSE", "text")
        wheel.writestr("net/LICENSED.py/x", "text")
    assert licences(tmp_path / "net.whl") == {"net-1.dist-info/licenses/third/NOTICE": b"text"}


@pytest.mark.parametrize(
    ("alternate", "purl"),
    [
        (
            PypiAlternate(kind="pypi", package="Net_x", file="net_x-1.2.tar.gz", sha256=SHA256),
            "pkg:pypi/net-x@1.2",
        ),
        (
            DebianAlternate(
                kind="debian", package="net", file="libnet-dev_1.2+dfsg-1_arm64.deb", sha256=SHA256
            ),
            "pkg:deb/debian/libnet-dev@1.2%2Bdfsg-1?arch=arm64",
        ),
        (
            DebianAlternate(
                kind="debian", package="net", file="net_1.2~rc1.orig.tar.xz", sha256=SHA256
            ),
            "pkg:deb/debian/net@1.2~rc1?arch=source",
        ),
        (FolderAlternate(kind="folder", path="src"), ""),
    ],
)
def test_a_source_out_of_a_registry_has_its_package_url(alternate: Alternate, purl: str) -> None:
    assert package_url(alternate)[2] == purl
