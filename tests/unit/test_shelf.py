"""A project anywhere names what comes with the package, and what it has itself wins."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from buildmatrix import recipe, shelf
from buildmatrix.errors import InputError, UsageError
from buildmatrix.pipeline import project
from buildmatrix.pipeline.bringing import bring
from buildmatrix.plan import cache_keys
from tests.unit import commands

ROOT = Path(__file__).parents[2]
MATRIX = """\
version: 1
toolchain: armv7hf-bookworm
include:
  - {name: one, stack: caffe, openblas: "0.3.34", neon: true}
bench: {model: lenet-5}
"""


def write(folder: Path, text: str = MATRIX) -> Path:
    path = folder / "matrix.yaml"
    path.write_text(text)
    return path


@pytest.mark.slow
def test_a_project_elsewhere_names_shipped_recipes_toolchains_and_models(tmp_path: Path) -> None:
    there = project.load(write(tmp_path))
    here = project.load(ROOT / "matrix.yaml")
    keys = cache_keys(there.graph, {"armv7hf-bookworm": "i"})
    same = cache_keys(here.graph, {"armv7hf-bookworm": "i"})
    libraries = [name for name in keys if name.startswith(("build:", "source:"))]
    assert libraries
    assert [keys[name] for name in libraries] == [same[name] for name in libraries]


def test_what_the_project_has_itself_wins_by_name(tmp_path: Path) -> None:
    bring(tmp_path, "recipes", "openblas")
    script = tmp_path / "recipes" / "openblas" / "build.sh.j2"
    script.write_text("true\n")
    loaded = project.load(write(tmp_path))
    assert loaded.recipes["openblas"].folder.resolve() == script.parent
    assert loaded.recipes["caffe"].folder == ROOT / "recipes" / "caffe"


def test_a_shipped_recipe_is_read_only_when_it_is_asked_for() -> None:
    folders = {"caffe": ROOT / "recipes" / "caffe", "gone": ROOT / "nowhere"}
    shelf_of = recipe.load_all(ROOT / "nowhere", {**folders, **_all("recipes")})
    assert "gone" in shelf_of
    assert shelf_of["caffe"].name == "caffe"
    with pytest.raises(InputError):
        shelf_of["gone"]


def _all(kind: shelf.Kind) -> dict[str, Path]:
    return shelf.folders(Path("/nowhere"), kind)


def test_a_fault_in_an_unused_recipe_of_the_project_is_still_told(tmp_path: Path) -> None:
    (tmp_path / "recipes" / "mine").mkdir(parents=True)
    (tmp_path / "recipes" / "mine" / "recipe.yaml").write_text("version: 1\nname: other\n")
    with pytest.raises(InputError, match="is missing"):
        project.load(write(tmp_path))


@pytest.mark.parametrize("kind", ["recipes", "toolchains", "models"])
def test_the_wheel_carries_every_folder_that_is_at_the_top(kind: shelf.Kind) -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
    carried = hatch["build"]["targets"]["wheel"]["force-include"]
    assert carried[kind] == f"buildmatrix/shipped/{kind}"
    assert shelf.shipped(kind) == ROOT / kind


def test_a_copy_of_a_toolchain_brings_the_folder_that_it_points_into(tmp_path: Path) -> None:
    done = commands.run("toolchains", "--copy", "armv7hf-bookworm", cwd=tmp_path)
    assert done.stdout == "written: toolchains/armv7hf-bookworm/\nwritten: toolchains/debian/\n"
    assert commands.run("toolchains", "--copy", "arm64-bookworm", cwd=tmp_path).returncode == 0
    listed = commands.run("toolchains", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[1] for line in listed if "bookworm " in line] == [
        "here",
        "here",
        "shipped",
    ]
    again = commands.run("toolchains", "--copy", "armv7hf-bookworm", cwd=tmp_path)
    assert (again.returncode, "the project's own already" in again.stderr) == (2, True)


def test_listings_work_where_there_is_no_project(tmp_path: Path) -> None:
    for kind, name in (("recipes", "caffe"), ("models", "face-cnn"), ("toolchains", "host")):
        done = commands.run(kind, cwd=tmp_path)
        assert (done.returncode, name in done.stdout, "shipped" in done.stdout) == (0, True, True)


def test_a_name_that_is_not_there_names_its_neighbour(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no recipe 'cafe' .did you mean 'caffe'"):
        bring(tmp_path, "recipes", "cafe")


def test_a_model_folder_without_a_model_says_so(tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    with pytest.raises(InputError, match="no model 'mine'") as fault:
        project.load(write(tmp_path, MATRIX.replace("lenet-5", "mine")))
    assert "models/mine has no model.yaml" in fault.value.hint
