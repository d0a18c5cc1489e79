"""A small project for tests: two stacks, two BLAS variants, one toolchain; nothing is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix import graph, matrix, recipe, schema, toolchain

if TYPE_CHECKING:
    from pathlib import Path

    from buildmatrix.matrix import Matrix
    from buildmatrix.works import Graph

BLAS = """\
version: 1
name: blas
summary: a BLAS
options:
  blas: {summary: which, choices: [one, two], default: one}
  neon: {summary: NEON, type: boolean, default: false}
sources:
  - name: blas
    when: {blas: one}
    alternates: [{kind: archive, url: "https://example.org/blas.tar", sha256: "%s"}]
  - name: blas
    when: {blas: two}
    alternates: [{kind: git, url: "https://example.org/blas.git", branch: fast}]
build: {script: build.sh.j2, products: [lib/libblas.so]}
audit:
  - {when: {neon: true}, neon_required: [lib/libblas.so]}
""" % ("a" * 64)

NET = """\
version: 1
name: net
summary: a stack
dependencies:
  - {recipe: blas, kind: build, options: {blas: one, neon: false}}
  - {recipe: blas, kind: run}
sources:
  - name: net
    alternates: [{kind: archive, url: "https://example.org/net.tar", sha256: "%s"}]
build: {script: build.sh.j2, products: [lib/libnet.so]}
runner: {engine: engine.cpp, script: build.sh.j2, model_format: caffe}
""" % ("b" * 64)

TOOLCHAIN = """\
version: 1
name: tc
summary: a compiler
suite: bookworm
architecture: armhf
base: {image: debian, digest: "sha256:%s"}
target:
  {triple: arm-x, machine: EM_ARM, march: armv7-a, fpu: neon, float_abi: hard, libc_floor: "2.36"}
flags: [-O2]
packages: [gcc]
emulator: qemu-arm
processor: armv7l
""" % ("c" * 64)

MATRIX = """\
version: 1
toolchain: tc
axes: {stack: [net], blas: [one, two]}
name: "{stack}-{blas}"
include:
  - {name: net-one-neon, stack: net, blas: one, neon: true}
"""


def write(root: Path) -> Path:
    """The project's files; returns the folder."""
    for name, text in {"blas": BLAS, "net": NET}.items():
        folder = root / "recipes" / name
        folder.mkdir(parents=True)
        (folder / "recipe.yaml").write_text(text)
        (folder / "build.sh.j2").write_text("make {{ target.triple }}\n")
        (folder / "engine.cpp").write_text("int x;\n")
    folder = root / "toolchains" / "tc"
    folder.mkdir(parents=True)
    (folder / "toolchain.yaml").write_text(TOOLCHAIN)
    (folder / "Dockerfile.j2").write_text("FROM {{ base }}\nRUN apt-get install {{ packages }}\n")
    (folder / "toolchain.cmake.j2").write_text("set(X {{ flags }})\n")
    (folder / "smoke.sh").write_text("true\n")
    return root


def expand(root: Path, text: str = MATRIX) -> Matrix:
    recipes = recipe.load_all(root / "recipes")
    toolchains = toolchain.load_all(root / "toolchains")
    return matrix.expand(schema.parse(text, file="matrix.yaml"), recipes, toolchains)


def works(root: Path, text: str = MATRIX) -> Graph:
    inputs = graph.Inputs(
        recipes=recipe.load_all(root / "recipes"),
        toolchains=toolchain.load_all(root / "toolchains"),
        networks={"face-cnn": "n", "lenet-5": "l"},
        harness_digest="h",
        exporter_digests={"caffe": "e"},
        bundle_digest="b",
        audit_digest="a",
    )
    return graph.expand(expand(root, text).cells, inputs)
