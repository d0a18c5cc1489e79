"""What people write: matrix, recipe, toolchain, model, and selectors of the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from buildmatrix import matrix, network, recipe, schema, toolchain
from buildmatrix.recipe import RecipeSpec
from buildmatrix.selector import matches_id
from buildmatrix.toolchain import ToolchainSpec
from tests.fuzz.reader import Reader, text
from tests.unit import projects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

S = TypeVar("S", bound=schema.Spec)

AXES = projects.MATRIX.partition("include:")[0]
MATRIX = """\
exclude:
  - {blas: two, reason: "no"}
include:
  - {name: net-2, stack: net, blas: two, neon: true}
devices: {pi: {host: "10.0.0.9", user: pi, port: 22}}
groups: {all: [pi]}
bench: {batches: [1, 2], passes: 3}
"""
MODEL = b"""\
version: 1
name: net
summary: tiny
input: {channels: 1, height: 8, width: 8}
seed: 1
tolerance: {float32: 0.001}
layers:
  - {type: conv, name: c, outputs: 2, kernel: 3}
  - {type: relu, name: r}
  - {type: pool, name: p, method: max, kernel: 2, stride: 2}
  - {type: fc, name: f, outputs: 2}
  - {type: softmax, name: s}
"""


def _matrix(data: bytes, folder: Path) -> None:
    (folder / "matrix.yaml").write_bytes(data)
    root = projects.write(folder / "project")
    recipes, chains = recipe.load_all(root / "recipes"), toolchain.load_all(root / "toolchains")
    cells = matrix.expand(schema.read(folder / "matrix.yaml"), recipes, chains).cells
    json.dumps([cell.id for cell in cells]).encode()


def _loaded(model: type[S], data: bytes, folder: Path) -> S:
    (folder / "x.yaml").write_bytes(data)
    return schema.load(folder / "x.yaml", model)


def _written(model: type[S]) -> Callable[[bytes, Path], object]:
    return lambda data, folder: _loaded(model, data, folder)


def _model(data: bytes, folder: Path) -> None:
    net = _loaded(network.NetworkSpec, data, folder)
    network.parameters(net)
    network.multiply_adds(net)
    network.digest(net)


def _selector(data: bytes, _: Path) -> list[bool]:
    patterns = tuple(text(data).split(","))
    return [matches_id(patterns, name) for name in ("caffe-openblas-0.3.34-neon", "a" * 200)]


READERS = (
    Reader("matrix", lambda: (projects.MATRIX.encode(), (AXES + MATRIX).encode()), _matrix),
    Reader("recipe", lambda: (projects.NET.encode(), projects.BLAS.encode()), _written(RecipeSpec)),
    Reader("toolchain", lambda: (projects.TOOLCHAIN.encode(),), _written(ToolchainSpec)),
    Reader("model", lambda: (MODEL,), _model),
    Reader("selector", lambda: (b"caffe-*", b"*-neon,?a[!b-z]*", b"*a*a*a*a*a*b"), _selector),
)
