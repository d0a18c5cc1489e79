"""What a user would pick today: ncnn, and the OpenBLAS that Debian ships prebuilt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import elf, export, schema, toolchain
from buildmatrix.network import NetworkSpec
from buildmatrix.recipe import load_all
from buildmatrix.resolved import Resolver
from tests import elf_factory

if TYPE_CHECKING:
    from buildmatrix.nouns import Options
    from buildmatrix.recipe import Recipe
    from buildmatrix.toolchain import Toolchain

ROOT = Path(__file__).parent.parent.parent


def loaded(name: str) -> tuple[Recipe, Options, Toolchain]:
    """A recipe with its default options, for the Raspberry Pi 3."""
    found = load_all(ROOT / "recipes")[name]
    defaults = {k: v.default for k, v in found.spec.options.items() if v.default is not None}
    return found, defaults, toolchain.load_all(ROOT / "toolchains")["armv7hf-bookworm"]


@pytest.mark.parametrize(
    ("numbers", "model_format"),
    [("float32", "ncnn"), ("float16", "ncnn"), ("bfloat16", "ncnn"), ("int8", "ncnn-int8")],
)
def test_ncnn_computes_in_what_the_cell_says(numbers: str, model_format: str) -> None:
    found, defaults, on = loaded("ncnn")
    assert found.spec.runner is not None
    made = Resolver().runner(found, found.spec.runner, {**defaults, "numbers": numbers}, on)
    assert made.model_format == model_format
    assert f"-DNUMBER_FORMAT='\"{numbers}\"'" in made.script


def test_the_input_layer_tells_its_sizes_as_the_engine_reads_them(tmp_path: Path) -> None:
    net = schema.load(ROOT / "models" / "face-cnn" / "model.yaml", NetworkSpec)
    wide = net.model_copy(
        update={
            "input": net.input.model_copy(update={"channels": 3, "height": 4, "width": 6}),
            "layers": net.layers[-2:],
        }
    )
    export.export(wide, format="ncnn", destination=tmp_path)
    line = (tmp_path / "net.param").read_text().splitlines()[2]
    assert line.split() == ["Input", "data", "0", "1", "data", "0=6", "1=4", "2=3"]


@pytest.mark.slow
def test_debians_library_loses_its_executable_stack_and_nothing_else(tmp_path: Path) -> None:
    library = tmp_path / "libopenblas.so.0"
    library.write_bytes(elf_factory.make(attributes=elf_factory.VFPV3, stack="rwx"))
    before = library.read_bytes()
    assert elf.read_tree(tmp_path)[0].executable_stack

    found, defaults, on = loaded("openblas")
    script = Resolver().build(found, {**defaults, "openblas": "debian"}, on).script
    code = script.split("<<'CLEAR'\n")[1].split("CLEAR\n")[0]
    subprocess.run([sys.executable, "-c", code, library], check=True, timeout=60)

    after = library.read_bytes()
    assert not elf.read_tree(tmp_path)[0].executable_stack
    assert len(after) == len(before)
    assert [a ^ b for a, b in zip(before, after, strict=True) if a != b] == [1]  # PF_X
