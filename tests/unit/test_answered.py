"""A build with nothing to do answers at once, and looks again after whatever would change it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from invoke.exceptions import Exit

from buildmatrix.cli import building
from buildmatrix.nouns import Finding, Severity, Stage
from buildmatrix.pipeline import answered, project
from buildmatrix.records import write_record
from tests.unit import shelves

if TYPE_CHECKING:
    from collections.abc import Callable

    from buildmatrix.documents.building import Build
    from buildmatrix.pipeline.workshop import Workshop

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Built:
    """A project of which all is stored, and how often it was read."""

    root: Path
    looks: list[str]

    def build(self, **words: object) -> None:
        building.build.body(None, matrix=str(self.root / "matrix.yaml"), **words)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """Files that were just written count as old there."""
    root = filled(tmp_path).project.root
    looks: list[str] = []
    load = project.load

    def looking(path: Path, **how: Any) -> project.Project:
        looks.append("look")
        return load(path, **how)

    monkeypatch.setattr(answered, "STEP", 0)
    monkeypatch.setattr(project, "load", looking)
    return Built(root, looks)


def filled(root: Path, *findings: Finding) -> Workshop:
    """A project of which all is stored, with what its audits found."""
    shop = shelves.workshop(root)
    shelves.put(shop, *Stage, findings=findings)
    for name, identity in shop.identities.items():
        write_record(shop.paths.toolchain(name), asdict(identity))
    return shop


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def _same_size(path: Path) -> None:
    """Other bytes, as many, and the old time: what `cp --preserve` and `touch -r` leave."""
    times, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + b"#")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _first(root: Path, pattern: str) -> Path:
    return sorted(root.glob(pattern))[0]


CHANGES: dict[str, Callable[[Path], object]] = {
    "the matrix": lambda root: _grow(root / "matrix.yaml"),
    "a recipe": lambda root: _grow(_first(root, "recipes/*/recipe.yaml")),
    "a script, in its place": lambda root: _same_size(_first(root, "recipes/*/*.j2")),
    "a toolchain": lambda root: _grow(_first(root, "toolchains/*/toolchain.yaml")),
    "a model": lambda root: _grow(root / "models/face-cnn/model.yaml"),
    "another recipe": lambda root: shutil.copytree(
        _first(root, "recipes/*"), root / "recipes" / "other"
    ),
    "a lock": lambda root: (root / "toolchains.lock").write_text("version: 1\ntoolchains: {}\n"),
    "an entry": lambda root: _first(root, ".buildmatrix/store/entries/*").unlink(),
    "an image's record": lambda root: _grow(_first(root, ".buildmatrix/toolchains/*")),
    "what was killed": lambda root: (root / ".buildmatrix/store/tmp/dead").mkdir(),
    "a folder left": lambda root: (root / ".buildmatrix/base-dead").mkdir(),
    "a record left": lambda root: (root / ".buildmatrix/.seconds.json-x").touch(),
    "an answer cut short": lambda root: (root / ".buildmatrix/answered.json").write_text("{"),
    "a pipe in its place": lambda root: _pipe(root / ".buildmatrix/answered.json"),
    "a damaged answer": lambda root: _same_size(root / ".buildmatrix/answered.json"),
}


def test_the_second_build_says_the_same_and_reads_nothing(
    built: Built, capsys: pytest.CaptureFixture[str]
) -> None:
    built.build()
    first = capsys.readouterr()
    assert "net-one" in first.out
    built.build()
    assert capsys.readouterr() == first
    built.build(frozen=True)
    assert capsys.readouterr() == first
    built.build(json=True)
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [cell["state"] for cell in cells] == ["cached"] * 3
    assert built.looks == ["look"]


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_looked_at(built: Built, what: str) -> None:
    built.build()
    built.build()
    assert len(built.looks) == 1
    CHANGES[what](built.root)
    with suppress(Exit):  # what was read anew is no longer stored, or not well formed
        built.build(frozen=True)
    assert len(built.looks) == 2


@pytest.mark.parametrize(
    "left", ["store/tmp/dead", "owners/dead", "base-dead", "sources/tree-dead"]
)
def test_what_may_have_to_be_removed_is_looked_at_each_time(built: Built, left: str) -> None:
    """Its maker may be alive when it is found first."""
    (built.root / ".buildmatrix" / left).mkdir(parents=True)
    built.build()
    built.build()
    assert len(built.looks) == 2


@pytest.mark.parametrize(
    "words", [{"only": ["net-one"]}, {"jobs": 3}, {"works": 1}, {"state": "elsewhere"}]
)
def test_another_question_is_looked_at(
    built: Built, words: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.root)
    built.build()
    with suppress(Exit):
        built.build(frozen=True, **words)
    assert len(built.looks) == 2


def test_a_damaged_audit_is_made_again(built: Built) -> None:
    """Its entry is as it was: what the answer was found from is more than the keys."""
    built.build()
    for path in built.root.glob(".buildmatrix/store/objects/*/*"):
        if b'"findings"' in path.read_bytes():
            path.chmod(0o644)
            _same_size(path)
    with pytest.raises(Exit):
        built.build(frozen=True)
    assert len(built.looks) == 2


@pytest.mark.parametrize("name", ["BUILDMATRIX_SHARED", "BUILDMATRIX_ARCHIVES"])
def test_what_lies_elsewhere_is_looked_at_each_time(
    built: Built, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    built.build()
    built.build()
    assert len(built.looks) == 2


def test_a_source_that_is_a_folder_is_looked_at_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies anywhere in the project, and may be large."""
    monkeypatch.setattr(answered, "STEP", 0)
    shop = filled(tmp_path)
    ask = partial(answered.asked, tmp_path / "matrix.yaml", shop.state, {})
    answer: Build = {"version": 1, "cells": [], "actions": []}
    answered.keep(ask(), shop, (), answer)
    assert ask().answer() == answer
    (tmp_path / "recipes" / "own").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "recipes" / "own" / "recipe.yaml").write_text(OWN)
    (tmp_path / "recipes" / "own" / "build.sh.j2").write_text("make\n")
    loaded = replace(shop, project=project.load(tmp_path / "matrix.yaml"))
    answered.keep(ask(), loaded, (), answer)
    assert ask().answer() is None


OWN = """\
version: 1
name: own
summary: a library in the project
sources:
  - name: src
    alternates: [{kind: folder, path: own}]
build: {script: build.sh.j2, products: [lib/libown.so]}
"""


def test_what_forbids_shipping_is_said_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answered, "STEP", 0)
    finding = Finding("BM001", Severity.ERROR, "bin/runner", "built for another machine", "")
    root = filled(tmp_path, finding).project.root
    for _ in range(2):
        with pytest.raises(Exit) as refused:
            building.build.body(None, matrix=str(root / "matrix.yaml"))
        assert refused.value.code == 5
    assert not (root / ".buildmatrix" / "answered.json").exists()


def test_files_that_just_changed_are_looked_at_again(tmp_path: Path) -> None:
    """A second change within the step of a file system's clock would not be seen."""
    root = filled(tmp_path).project.root
    building.build.body(None, matrix=str(root / "matrix.yaml"))
    assert not (root / ".buildmatrix" / "answered.json").exists()


def test_all_that_a_build_with_nothing_to_do_reads_is_watched(tmp_path: Path) -> None:
    """A change of any file that it opens is seen, or says nothing of the answer."""
    shop = filled(tmp_path / "project")
    root, state = shop.project.root, shop.paths
    matrix = root / "matrix.yaml"
    said = subprocess.run(
        [sys.executable, "-c", OPENED, "build", "--frozen", "--matrix", str(matrix)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    opened = {Path(line) for line in said.stderr.splitlines() if line.startswith(str(root))}
    assert {matrix, state.store / "entries", state.toolchain("tc")} <= opened
    audits = (e.files for e in shop.store.entries() if str(e.material["id"]).startswith("audit:"))
    held = {shop.store.content_path(file.sha256) for files in audits for file in files}
    assert held <= opened
    watched = (*answered.folders(matrix, state), *answered.alone(matrix, state))
    neutral = (state.store / "latest", state.seconds, state.answered, state.presence)
    unseen = {one for one in opened if not any(map(one.is_relative_to, (*watched, *neutral)))}
    for_the_dead = {state.root, state.store / "tmp", state.owners}
    assert unseen - held <= for_the_dead  # what they left has names of its own there


OPENED = """
import sys

def hook(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str):
        sys.stderr.write(arguments[0] + "\\n")

sys.argv[0] = "buildmatrix"
sys.addaudithook(hook)
from buildmatrix.__main__ import main
main()
"""
