"""A project from nothing: what `init` writes is read, planned and explained without a mend."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from onnx import save

from buildmatrix import schema
from buildmatrix.errors import InputError
from buildmatrix.export import export
from buildmatrix.network import NetworkSpec
from buildmatrix.nouns import Stage
from buildmatrix.pipeline import project, starting
from buildmatrix.plan import cache_keys
from buildmatrix.workload import Calls
from tests import onnx_files
from tests.unit import commands

ROOT = Path(__file__).parents[2]


def begin(folder: Path, *flags: str) -> Path:
    done = commands.run("init", ".", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "matrix.yaml"


def test_an_empty_folder_becomes_a_project_with_two_cells_to_compare(tmp_path: Path) -> None:
    loaded = project.load(begin(tmp_path))
    assert [cell.id for cell in loaded.cells] == ["dot-neon-false", "dot-neon-true"]
    assert {cell.model for cell in loaded.cells} == {"dot"}
    assert loaded.networks == {
        "dot": Calls("dot", "A dot product, in plain C or with NEON", {"float32": 1e-5})
    }
    stages = {work.stage for work in loaded.graph}
    assert {Stage.RUNNER, Stage.MODEL, Stage.BUNDLE, Stage.AUDIT} <= stages


def test_the_study_names_only_what_is_shipped(tmp_path: Path) -> None:
    loaded = project.load(begin(tmp_path, "--example", "study"))
    assert len(loaded.cells) == 3
    assert not (tmp_path / "recipes").exists()


def test_a_name_is_the_folder_to_make(tmp_path: Path) -> None:
    done = commands.run("init", "mine", cwd=tmp_path)
    assert "\n  cd mine\n  buildmatrix doctor " in done.stdout
    assert (tmp_path / "mine" / ".gitignore").read_text().endswith(".buildmatrix/\n")


def test_nothing_is_overwritten_and_what_is_there_is_named(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / "src" / "dot.c").write_text("mine\n")
    again = commands.run("init", ".", cwd=tmp_path)
    assert again.returncode == 2
    assert "src/dot.c" in again.stderr
    assert (tmp_path / "src" / "dot.c").read_text() == "mine\n"


def test_the_first_error_outside_a_project_names_a_command_that_exists(tmp_path: Path) -> None:
    done = commands.run("cells", cwd=tmp_path)
    assert (done.returncode, "`buildmatrix init`" in done.stderr) == (3, True)
    assert commands.run("init", cwd=tmp_path).returncode == 0  # also without a name
    assert commands.run("cells", cwd=tmp_path).returncode == 0


def test_editors_find_the_schemas_that_the_files_name(tmp_path: Path) -> None:
    begin(tmp_path)
    for path in (tmp_path / "matrix.yaml", tmp_path / "recipes" / "dot" / "recipe.yaml"):
        line = path.read_text().splitlines()[0]
        assert line.startswith("# yaml-language-server: $schema=")
        assert (path.parent / line.partition("=")[2]).is_file()


def source_key(matrix: Path) -> str:
    loaded = project.load(matrix)
    (source,) = (work for work in loaded.graph if work.stage is Stage.SOURCE)
    return cache_keys([source], {})[source.id]


def test_an_edited_source_is_another_source(tmp_path: Path) -> None:
    matrix = begin(tmp_path)
    before = source_key(matrix)
    (tmp_path / "src" / "dot.c").write_text("int changed;\n")
    assert source_key(matrix) != before


def test_what_git_ignores_is_no_part_of_a_source(tmp_path: Path) -> None:
    matrix = begin(tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("*.o\n.buildmatrix/\n")
    before = source_key(matrix)
    (tmp_path / "src" / "dot.o").write_text("made\n")
    assert source_key(matrix) == before
    (tmp_path / "src" / "new.c").write_text("int added;\n")  # not yet known to git, and meant
    assert source_key(matrix) != before


def test_a_pinned_folder_that_was_edited_is_refused_at_its_pin(tmp_path: Path) -> None:
    matrix = begin(tmp_path)
    recipe = tmp_path / "recipes" / "dot" / "recipe.yaml"
    text = recipe.read_text()
    recipe.write_text(
        text.replace("  - name: dot\n    alt", f"  - name: dot\n    tree: '{'0' * 40}'\n    alt")
    )
    with pytest.raises(InputError, match=r"folder src is tree [0-9a-f]{40} now") as fault:
        project.load(matrix)
    assert "recipe.yaml:13:" in str(fault.value.where)
    now = str(fault.value).partition("is tree ")[2][:40]
    recipe.write_text(recipe.read_text().replace("0" * 40, now))
    project.load(matrix)


def test_a_folder_that_is_not_there_is_a_fault_of_the_recipe(tmp_path: Path) -> None:
    matrix = begin(tmp_path)
    recipe = tmp_path / "recipes" / "dot" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("path: src}", "path: scr}"))
    with pytest.raises(InputError, match="folder scr is not there") as fault:
        project.load(matrix)
    assert "recipe.yaml:13:" in str(fault.value.where)
    elsewhere = f"path: scr}}, {{kind: git, url: https://localhost/x, commit: '{'1' * 40}'}}"
    text = recipe.read_text().replace("path: scr}", elsewhere)
    recipe.write_text(text.replace("- name: dot\n", f"- name: dot\n    tree: '{'2' * 40}'\n"))
    project.load(matrix)


def test_a_recipe_has_a_runner_or_a_bench(tmp_path: Path) -> None:
    matrix = begin(tmp_path)
    recipe = tmp_path / "recipes" / "dot" / "recipe.yaml"
    runner = "runner: {engine: bench.c, script: build.sh.j2, model_format: caffe}\n"
    recipe.write_text(recipe.read_text() + runner)
    with pytest.raises(InputError, match="a runner or a bench, not both"):
        project.load(matrix)


def test_a_bench_and_a_network_of_one_name_are_not_one_row(tmp_path: Path) -> None:
    matrix = begin(tmp_path)
    recipe = tmp_path / "recipes" / "dot" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("  main:", "  measures: lenet-5\n  main:"))
    matrix.write_text(matrix.read_text().replace("bench:\n", "bench:\n  model: lenet-5\n"))
    with pytest.raises(InputError, match="'lenet-5' is measured here already"):
        project.load(matrix)


def test_a_library_beside_stacks_is_one_cell_whatever_the_models(tmp_path: Path) -> None:
    matrix = begin(tmp_path)
    text = matrix.read_text().replace("stack: [dot]", "stack: [dot, ncnn]")
    text = text.replace('"{stack}-neon-{neon}"', '"{stack}"').replace("[false, true]", "[true]")
    matrix.write_text(text.replace("bench:\n", "bench:\n  model: [lenet-5, face-cnn]\n"))
    cells = {cell.id: cell.model for cell in project.load(matrix).cells}
    assert cells["dot"] == "dot"
    assert "dot.face-cnn" not in cells
    assert schema.read(matrix).data["version"] == 1


def network(folder: Path, *flags: str, size: tuple[int | str, ...] = ("N", 2, 8, 8)) -> Path:
    """A project of a small ONNX file, which lies elsewhere."""
    save(onnx_files.small(size=size), folder / "my net.onnx")
    done = commands.run("init", "mine", "--from", "my net.onnx", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "mine"


def test_an_onnx_file_becomes_a_project_that_measures_it(tmp_path: Path) -> None:
    mine = network(tmp_path)
    loaded = project.load(mine / "matrix.yaml")
    assert [cell.id for cell in loaded.cells] == ["onnxruntime", "tflite"]
    assert {cell.model for cell in loaded.cells} == {"my-net"}
    there, brought = tmp_path / "my net.onnx", mine / "models" / "my-net" / "my net.onnx"
    assert brought.read_bytes() == there.read_bytes()


@pytest.mark.parametrize("format", ["tflite", "caffe"])
def test_so_does_a_file_of_another_format_with_what_lies_beside_it(
    format: str, tmp_path: Path
) -> None:
    model = schema.load(ROOT / "models" / "lenet-5" / "model.yaml", NetworkSpec)
    export(model, format=format, destination=tmp_path / "theirs")
    there = {path.name: path for path in (tmp_path / "theirs").glob("net.*")}
    first = "net.prototxt" if format == "caffe" else "net.tflite"
    done = commands.run("init", "mine", "--from", f"theirs/{first}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    home = tmp_path / "mine" / "models" / "net"
    assert {path.name for path in home.iterdir()} == {*there, "model.yaml"}
    assert all((home / name).read_bytes() == path.read_bytes() for name, path in there.items())
    text = (home / "model.yaml").read_text()
    assert "input: {channels: 1, height: 28, width: 28}" in text
    assert "tolerance: {float32: 1.0e-04}" in text


@pytest.mark.parametrize("words", [("net.onnx",), ("onnx", "net.onnx")])
def test_a_size_that_the_file_leaves_open_is_asked_for_and_written(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    open_size = ("N", 2, "height", "width")
    save(onnx_files.small(size=open_size), tmp_path / "net.onnx")
    done = commands.run("init", "net", "--from", *words, cwd=tmp_path)
    assert (done.returncode, "--input 3x224x224" in done.stderr) == (3, True)
    assert not (tmp_path / "net").exists()
    mine = network(tmp_path, "--input", "2x8x8", size=open_size)
    text = (mine / "models" / "my-net" / "model.yaml").read_text()
    assert "input: {channels: 2, height: 8, width: 8}" in text
    assert [cell.id for cell in project.load(mine / "matrix.yaml").cells]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--from", "net.pb"), "--from net.pb: its format is not read"),
        (("--from", "net.onnx", "--input", "3x48"), "no size of an image"),
        (("--from", "net.onnx", "--input", "3x48x0"), "no size of an image"),
        (("--from", "net.onnx", "--example", "study"), "not both"),
        (("--input", "3x48x48"), "--from"),
        (("--ci", "gitub"), "did you mean 'github'?"),
        (("--example", "studdy"), "did you mean 'study'?"),
    ],
)
def test_what_init_cannot_do_is_said_before_anything_is_written(
    flags: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = commands.run("init", "mine", *flags, cwd=tmp_path)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("service", starting.PIPELINES)
def test_pipelines_come_alone_where_a_project_is(service: str, tmp_path: Path) -> None:
    begin(tmp_path)
    done = commands.run("init", ".", "--ci", service, cwd=tmp_path)
    written = [line.removeprefix("written: ") for line in done.stdout.splitlines()]
    assert written == list(starting.PIPELINES[service].values())
    again = commands.run("init", ".", "--ci", service, cwd=tmp_path)
    assert (again.returncode, written[0] in again.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("service", "schema_name"), [("github", "github-workflows"), ("gitlab", "gitlab-ci")]
)
def test_a_code_host_takes_the_pipelines(service: str, schema_name: str, tmp_path: Path) -> None:
    assert commands.run("init", ".", "--ci", service, cwd=tmp_path).returncode == 0
    files = [tmp_path / path for path in starting.PIPELINES[service].values()]
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema_name}"]
    transformed = ["--data-transform", "gitlab-ci"] if service == "gitlab" else []
    done = subprocess.run(
        [*argv, *transformed, *files], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout
