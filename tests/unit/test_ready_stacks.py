"""ncnn, which a user would pick today: what its cells compute in and what its files say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from buildmatrix import export, schema, toolchain
from buildmatrix.network import NetworkSpec
from buildmatrix.recipe import load_all
from buildmatrix.resolved import Resolver

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
