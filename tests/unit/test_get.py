"""`inv get`: a cell's files leave the store as they were made, whole, or nothing is written."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from buildmatrix.errors import AuditError, DamageError, InputError
from buildmatrix.nouns import Finding, Severity, Stage
from buildmatrix.pipeline.handing import hand_over
from buildmatrix.sources.archive import unpack
from tests.documents import valid
from tests.unit import commands, shelves

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.pipeline.workshop import Workshop

BAD = Finding("BM120", Severity.ERROR, "lib/libblas.so", "0 multiplies", "switch NEON on")
FILES = {"bin/runner": b"#!/bin/sh", "manifest.json": b'{"cell": "net-one"}'}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    (tmp_path / "project").mkdir()
    made = shelves.workshop(tmp_path / "project")
    shelves.put(made, Stage.MODEL, Stage.BUNDLE, Stage.AUDIT)
    return made


def read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_tree_and_an_archive_have_the_files_as_they_are_stored(
    shop: Workshop, tmp_path: Path
) -> None:
    out, tar = tmp_path / "out", tmp_path / "new" / "net.tar.gz"
    document = valid("get", hand_over(shop, out=out, tar=tar))
    assert read(out) == FILES
    assert (document["cell"], document["kind"]) == ("net-one", "bundle")
    assert {file["path"]: file["size"] for file in document["files"]} == {
        name: len(content) for name, content in FILES.items()
    }
    with tarfile.open(tar) as archive:
        assert archive.getnames() == ["net-one/manifest.json", "net-one/bin/runner"]
        assert {(m.uid, m.uname, m.mtime) for m in archive} == {(0, "", 1483228800)}
    unpack(tar, tmp_path / "again", on_error=AssertionError)  # takes the one top folder off
    assert read(tmp_path / "again") == FILES


def test_an_empty_folder_will_do_and_one_with_something_in_it_is_left_alone(
    shop: Workshop, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    hand_over(shop, out=out, tar=None)
    with pytest.raises(InputError, match="out: is there and not an empty folder"):
        hand_over(shop, out=out, tar=None)
    assert read(out) == FILES
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="link: is there and not an empty folder"):
        hand_over(shop, out=link, tar=None)


@pytest.mark.parametrize(
    ("name", "words"), [("net.zip", "does not say how it is packed"), ("there.tar", "is there")]
)
def test_an_archive_that_is_there_or_of_no_known_kind_is_refused(
    shop: Workshop, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "there.tar").write_bytes(b"mine")
    with pytest.raises(InputError, match=words):
        hand_over(shop, out=tmp_path / "out", tar=tmp_path / name)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "there.tar").read_bytes() == b"mine"


def test_damaged_content_is_told_and_nothing_is_written(shop: Workshop, tmp_path: Path) -> None:
    for path in (shop.store.root / "objects").rglob("*"):
        if path.is_file() and path.read_bytes() == FILES["bin/runner"]:
            path.chmod(0o644)
            path.write_bytes(b"#!/bin/no")
    with pytest.raises(DamageError):
        hand_over(shop, out=tmp_path / "out", tar=tmp_path / "net.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"]


def test_what_is_not_built_or_may_not_be_shipped_is_not_handed_over(tmp_path: Path) -> None:
    shop = shelves.workshop(tmp_path)
    with pytest.raises(InputError, match="net-one is not built") as caught:
        hand_over(shop, out=tmp_path / "out", tar=None)
    assert caught.value.hint == "run `inv build --only net-one`"
    shelves.put(shop, Stage.MODEL, Stage.BUNDLE, Stage.AUDIT, findings=[BAD])
    with pytest.raises(AuditError, match="net-one has findings that forbid shipping: 1"):
        hand_over(shop, out=tmp_path / "out", tar=None)
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    shelves.workshop(tmp_path)
    done = commands.run("get", "net-one", cwd=tmp_path)
    assert (done.returncode, "say where to write" in done.stderr) == (2, True)
    done = commands.run("get", "net-one", "--out", "x", "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "net-one is not built" in done.stderr
