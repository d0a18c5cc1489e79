"""`inv why`: what changed is said whole, in lines and values, and never as two hashes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from buildmatrix import recipe, toolchain
from buildmatrix.changed import Change, changes_of
from buildmatrix.cli.building import explained
from buildmatrix.graph import Inputs, expand
from buildmatrix.nouns import Stage
from buildmatrix.pipeline import project
from buildmatrix.pipeline.explaining import why_document
from buildmatrix.plan import cache_keys, material_of
from tests.unit import projects, shelves

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.works import Graph

IMAGE = {"tc": "identity"}
FOLDER = """\
sources:
  - name: net
    alternates: [{kind: folder, path: lib}]
"""


def folder_source(root: Path) -> None:
    """The stack `net` is built from a folder of the project."""
    head, _, rest = projects.NET.partition("sources:\n")
    path = root / "recipes" / "net" / "recipe.yaml"
    path.write_text(head + FOLDER + "build:" + rest.partition("build:")[2])


def works(root: Path, tree: str = "a" * 40) -> Graph:
    inputs = Inputs(
        recipes=recipe.load_all(root / "recipes"),
        toolchains=toolchain.load_all(root / "toolchains"),
        networks={"face-cnn": "n"},
        harness_digest="h",
        exporter_digests={"caffe": "e"},
        bundle_digest="b",
        audit_digest="a",
        trees={"lib": tree},
    )
    return expand(projects.expand(root).cells, inputs)


def changes(before: Graph, after: Graph, name: str) -> tuple[Change, ...]:
    old, new = (material_of(one.by_id[name], cache_keys(one, IMAGE)) for one in (before, after))
    return changes_of(after, old, new)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return projects.write(tmp_path)


def test_a_long_script_shows_the_line_that_changed_and_no_other(root: Path) -> None:
    script = root / "recipes" / "net" / "build.sh.j2"
    lines = [f"step {number} of many that are alike" for number in range(40)]
    script.write_text("\n".join([*lines, "make CFLAGS=-O2", *lines]))
    before = works(root)
    script.write_text("\n".join([*lines, "make CFLAGS=-O3", *lines]))
    assert changes(before, works(root), "build:net@tc") == (
        Change("changed: script:", ("- make CFLAGS=-O2", "+ make CFLAGS=-O3")),
    )


def test_what_follows_says_because_of_what_and_shows_no_hash(root: Path) -> None:
    before = works(root)
    (root / "recipes" / "net" / "build.sh.j2").write_text("make -k\n")
    after = works(root)
    assert [c.words for c in changes(before, after, "runner:net@tc")] == [
        "changed: script:",
        "because its build changed (build:net@tc)",
    ]
    assert [c.words for c in changes(before, after, "audit:net-one")] == [
        "because its bundle changed (bundle:net-one)"
    ]


def test_a_file_whose_hash_is_all_that_is_known_is_named(root: Path) -> None:
    before = works(root)
    (root / "recipes" / "net" / "engine.cpp").write_text("int y;\n")
    assert [c.words for c in changes(before, works(root), "runner:net@tc")] == [
        "changed: engine: its content is another"
    ]


def test_an_edited_folder_is_named_with_its_path(root: Path) -> None:
    folder_source(root)
    before, after = works(root), works(root, "b" * 40)
    assert [c.words for c in changes(before, after, "build:net@tc")] == [
        "because the folder lib was edited (source net: aaaaaaaaaaaa -> bbbbbbbbbbbb)"
    ]


def test_a_source_that_is_new_and_one_that_is_gone_are_said(root: Path) -> None:
    one = works(root)
    first = one.by_id["build:net@tc"]
    new = {"needs": dict.fromkeys(first.needs, "k")}
    fewer = {"needs": dict.fromkeys(first.needs[:1], "k")}
    source = first.needs[1]
    assert one.by_id[source].stage is Stage.SOURCE
    assert f"now needs {source}" in [c.words for c in changes_of(one, fewer, new)]
    assert f"no longer needs {source}" in [c.words for c in changes_of(one, new, fewer)]


@pytest.mark.parametrize(
    ("old", "new", "words", "lines"),
    [
        (
            {"options": {"neon": False}},
            {"options": {"neon": True}},
            "options.neon: false -> true",
            (),
        ),
        ({"flags": ["-O2", "-g"]}, {"flags": ["-O3", "-g"]}, "flags:", ('- "-O2"', '+ "-O3"')),
        ({"x": 1}, {}, "x: 1 -> nothing", ()),
        ({"script": "a\n"}, {"script": "a"}, "script:", ("  only the ends of lines differ",)),
        ({"script": "a\r\nb"}, {"script": "a\nb"}, "script:", ("  only the ends of lines differ",)),
        ({"word": "x" * 200}, {"word": "y"}, f'word: "{"x" * 200}" -> "y"', ()),
    ],
)
def test_values_are_never_cut(
    root: Path, old: dict[str, object], new: dict[str, object], words: str, lines: tuple[str, ...]
) -> None:
    one = works(root)
    assert changes_of(one, old, new) == (Change(f"changed: {words}", lines),)
    assert changes_of(one, new, new) == ()


@pytest.mark.slow
def test_the_files_of_an_edited_folder_are_named(tmp_path: Path) -> None:
    shop, library = shelves.workshop(tmp_path), tmp_path / "lib"
    library.mkdir()
    for name in ("same.c", "edited.c", "gone.c"):
        (library / name).write_text("1")
    folder_source(tmp_path)
    shop = replace(shop, project=project.load(tmp_path / "matrix.yaml"))
    for work in shop.project.graph:
        if work.stage is Stage.SOURCE and work.name.startswith("net-"):
            shop.make(work, {}, 1)
    shelves.put(shop, Stage.BUILD)
    (library / "edited.c").write_text("2")
    (library / "gone.c").unlink()
    (library / "a-\x1b[31m.c").write_text("2")
    for number in range(6):
        (library / f"new-{number}.h").write_text("3")
    again = replace(shop, project=project.load(tmp_path / "matrix.yaml"))
    rows = why_document(again)["actions"]
    (build,) = (row for row in rows if row["id"] == "build:net@tc")
    (change,) = (one for one in build["changes"] if "the folder lib was edited" in one["words"])
    assert change["lines"] == [
        "  changed: edited.c",
        "  added: a-\x1b[31m.c, new-0.h, new-1.h, new-2.h, new-3.h and 2 more",
        "  removed: gone.c",
    ]
    assert "a-<1b>[31m.c" in explained(build), "no name of a file is obeyed by a terminal"
