"""A stack that is built once and runs on one of two libraries, as the cell says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from buildmatrix import recipe
from buildmatrix.errors import InputError
from buildmatrix.resolved import ResolvedBuild
from buildmatrix.works import BundleWork
from tests.unit import projects

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.works import Graph

OTHER = """\
version: 1
name: other
summary: another library with the same interface
build: {script: build.sh.j2, products: [lib/libother.so]}
audit: [{neon_required: [lib/libother.so]}]
"""

PICK = """\
version: 1
name: pick
summary: the name by which a stack asks for either
options:
  family: {summary: which, choices: [blas, other], default: blas}
dependencies:
  - {recipe: blas, kind: run, when: {family: blas}}
  - {recipe: other, kind: run, when: {family: other}}
build: {script: build.sh.j2, products: [lib/libpick.so]}
"""

NET = projects.NET.replace("  - {recipe: blas, kind: run}\n", "  - {recipe: pick, kind: run}\n")

MATRIX = """\
version: 1
toolchain: tc
include:
  - {name: net-two, stack: net, blas: one, neon: true}
  - {name: net-other, stack: net, family: other}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    projects.write(tmp_path)
    (tmp_path / "recipes" / "net" / "recipe.yaml").write_text(NET)
    for name, text in {"other": OTHER, "pick": PICK}.items():
        folder = tmp_path / "recipes" / name
        folder.mkdir()
        (folder / "recipe.yaml").write_text(text)
        (folder / "build.sh.j2").write_text("make {{ dependency | length }}\n")
    return tmp_path


def packed(works: Graph, cell: str) -> BundleWork:
    (subject,) = (w.subject for w in works if w.id == f"bundle:{cell}")
    assert isinstance(subject, BundleWork)
    return subject


def test_the_library_is_the_cells_and_the_stack_is_built_once(root: Path) -> None:
    works = projects.works(root, MATRIX)
    assert packed(works, "net-two").libraries == (
        "build:net@tc",
        "build:pick[family=blas]@tc",
        "build:blas[blas=one,neon=true]@tc",
    )
    assert packed(works, "net-other").libraries == (
        "build:net@tc",
        "build:pick[family=other]@tc",
        "build:other@tc",
    )
    assert [w.id for w in works if w.id.startswith("build:net")] == ["build:net@tc"]
    assert [w.id for w in works if w.id.startswith("runner:")] == ["runner:net@tc"]


def test_the_audit_asks_of_the_library_that_is_there(root: Path) -> None:
    works = projects.works(root, MATRIX)
    assert packed(works, "net-two").policy.neon_required == ("lib/libblas.so",)
    assert packed(works, "net-other").policy.neon_required == ("lib/libother.so",)


def test_options_of_a_library_that_is_not_taken_are_none_of_the_cells(root: Path) -> None:
    (_, other) = projects.expand(root, MATRIX).cells
    assert dict(other.options) == {"family": "other"}
    text = MATRIX.replace("family: other}", "family: other, neon: true}")
    with pytest.raises(InputError, match="net does not use 'neon'"):
        projects.expand(root, text)


def test_axes_of_a_library_do_not_multiply_the_cells_without_it(root: Path) -> None:
    text = """\
version: 1
toolchain: tc
axes: {stack: [net], family: [other], neon: [true, false]}
"""
    assert [c.id for c in projects.expand(root, text).cells] == ["net"]


@pytest.mark.parametrize(("architecture", "expected"), [("arm64", 0), ("armhf", 1)])
def test_the_architecture_may_decide_too(root: Path, architecture: str, expected: int) -> None:
    """The project's toolchain is for armhf."""
    path = root / "recipes" / "pick" / "recipe.yaml"
    path.write_text(
        PICK.replace("when: {family: other}", f"when: {{architecture: {architecture}}}")
    )
    found = packed(projects.works(root, MATRIX), "net-other").libraries
    assert found.count("build:other@tc") == expected


def test_a_build_dependency_that_does_not_apply_is_not_there(root: Path) -> None:
    path = root / "recipes" / "pick" / "recipe.yaml"
    path.write_text(PICK.replace("other, kind: run", "other, kind: build"))
    scripts = {
        w.id: w.subject.script
        for w in projects.works(root, MATRIX)
        if isinstance(w.subject, ResolvedBuild) and w.id.startswith("build:pick")
    }
    assert scripts == {
        "build:pick[family=blas]@tc": "make 0\n",
        "build:pick[family=other]@tc": "make 1\n",
    }


def test_when_names_an_option_of_the_recipe_itself(root: Path) -> None:
    path = root / "recipes" / "pick" / "recipe.yaml"
    path.write_text(PICK.replace("when: {family: other}", "when: {famly: other}"))
    with pytest.raises(InputError) as caught:
        recipe.load_all(root / "recipes")
    assert "no option 'famly' here (did you mean 'family'?)" in str(caught.value)
    assert "recipe.yaml:8:" in str(caught.value)
