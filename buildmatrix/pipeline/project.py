"""A project on disk: matrix.yaml with its recipes, toolchains and models, read and expanded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import graph, matrix, network, recipe, schema, toolchain
from buildmatrix.errors import InputError, UsageError, did_you_mean
from buildmatrix.export import FORMATS
from buildmatrix.selector import matches_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.graph import Work
    from buildmatrix.matrix import Matrix
    from buildmatrix.model import Cell
    from buildmatrix.network import NetworkSpec
    from buildmatrix.recipe import Recipe
    from buildmatrix.toolchain import Toolchain

PACKAGE = Path(__file__).parent.parent
HARNESS = PACKAGE / "harness"


@dataclass(frozen=True)
class Project:
    """Everything written, and the works that follow from the selected cells."""

    root: Path
    matrix: Matrix
    cells: tuple[Cell, ...]  # selected
    recipes: Mapping[str, Recipe]
    toolchains: Mapping[str, Toolchain]
    network: NetworkSpec
    works: tuple[Work, ...]


def load(path: Path, *, only: tuple[str, ...] = ()) -> Project:
    """Read a project. Raises InputError for what is written, UsageError for `only`."""
    document = schema.read(path)
    root = path.resolve().parent
    recipes = recipe.load_all(_shown(root / "recipes"))
    toolchains = toolchain.load_all(_shown(root / "toolchains"))
    expanded = matrix.expand(document, recipes, toolchains)
    net = _network(root, expanded, document)
    cells = select(expanded, only)
    inputs = graph.Inputs(
        recipes=recipes,
        toolchains=toolchains,
        network=net.name,
        network_digest=network.digest(net),
        harness_digest=_digest(HARNESS, "harness.h", "harness.cpp", "supervisor.h"),
        exporter_digests={n: _digest(PACKAGE, *one.sources) for n, one in FORMATS.items()},
        bundle_digest=_digest(PACKAGE, "bundle.py"),
        audit_digest=_digest(PACKAGE, "audit.py", "elf.py"),
    )
    works = graph.expand(cells, inputs)
    return Project(root, expanded, cells, recipes, toolchains, net, works)


def _network(root: Path, expanded: Matrix, document: schema.Document) -> NetworkSpec:
    name = expanded.bench.model
    path = root / "models" / name / "model.yaml"
    if not path.is_file():
        there = sorted(p.parent.name for p in root.glob("models/*/model.yaml"))
        brief = f"no model '{name}'{did_you_mean(name, there)}; there are: {', '.join(there)}"
        raise document.fault(("bench", "model"), brief)
    net = schema.load(_shown(path), network.NetworkSpec)
    network.shapes(net)  # a layer that does not fit is an input error: say so before any build
    return net


def select(expanded: Matrix, only: tuple[str, ...]) -> tuple[Cell, ...]:
    """Cells that fit one of the globs. A glob that fits none is an error, not a no-op."""
    ids = [cell.id for cell in expanded.cells]
    for pattern in only:
        if not any(matches_id((pattern,), identifier) for identifier in ids):
            near = did_you_mean(pattern, ids)
            raise UsageError(
                f"--only {pattern} matches no cell{near}", hint="`inv cells` lists them"
            )
    if not ids:
        raise InputError("the matrix has no cells", where="matrix.yaml")
    return tuple(cell for cell in expanded.cells if matches_id(only, cell.id))


def _digest(folder: Path, *names: str) -> str:
    """One hash over files of ours that shape an artifact."""
    total = hashlib.sha256()
    for name in names:
        total.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return total.hexdigest()


def _shown(path: Path) -> Path:
    """Relative to the working folder when it is below it: shorter in messages."""
    cwd = Path.cwd()
    return path.relative_to(cwd) if path.is_relative_to(cwd) else path
