"""A project on disk: matrix.yaml with its recipes, toolchains and models, read and expanded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import graph, matrix, network, recipe, schema, shelf, toolchain
from buildmatrix.errors import InputError, UsageError, did_you_mean
from buildmatrix.export import FORMATS
from buildmatrix.selector import matches_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.matrix import Matrix
    from buildmatrix.network import NetworkSpec
    from buildmatrix.nouns import Cell, Scalar
    from buildmatrix.recipe import Recipe
    from buildmatrix.toolchain import Toolchain
    from buildmatrix.works import Graph

PACKAGE = Path(__file__).parent.parent
HARNESS = PACKAGE / "harness"
HARNESS_FILES = ("harness.h", "harness.cpp", "supervisor.h", "layers.h", "plain.h")


@dataclass(frozen=True)
class Project:
    """Everything written, and the works that follow from the selected cells."""

    root: Path
    matrix: Matrix
    cells: tuple[Cell, ...]  # selected
    recipes: Mapping[str, Recipe]
    toolchains: Mapping[str, Toolchain]
    networks: Mapping[str, NetworkSpec]  # of all models that the matrix names
    graph: Graph

    @property
    def network(self) -> NetworkSpec:
        """The one to measure and report: that of the first cell selected."""
        return self.networks[self.cells[0].model]

    @property
    def models(self) -> tuple[str, ...]:
        """Those of the selected cells."""
        return tuple(dict.fromkeys(cell.model for cell in self.cells))

    def of_model(self, model: str) -> Project:
        """The same with the cells of one of its models; the works stay those of all."""
        return replace(self, cells=tuple(c for c in self.cells if c.model == model))


def load(
    path: Path,
    *,
    only: tuple[str, ...] = (),
    model: str = "",
    include: Sequence[Mapping[str, Scalar]] = (),
) -> Project:
    """Read a project and select cells: those that fit `only`, and of one model if it is named.
    `include` are cells as matrix.yaml writes them under `include`, added to its own.

    Raises InputError for what is written, UsageError for `only` and `model`.
    """
    document = schema.read(path)
    if include and isinstance(document.data, dict):
        document.data["include"] = [*document.data.get("include", ()), *include]
    root = path.resolve().parent
    recipes = recipe.load_all(_shown(root / "recipes"), shelf.folders(root, "recipes"))
    toolchains = load_toolchains(root)
    expanded = matrix.expand(document, recipes, toolchains)
    nets = {name: _network(root, name, document) for name in expanded.bench.models}
    cells = _of_model(select(expanded, only), model, expanded)
    inputs = graph.Inputs(
        recipes=recipes,
        toolchains=toolchains,
        networks={name: network.digest(net) for name, net in nets.items()},
        harness_digest=_digest(HARNESS, *HARNESS_FILES),
        exporter_digests={n: _digest(PACKAGE, *one.sources) for n, one in FORMATS.items()},
        bundle_digest=_digest(PACKAGE, "bundle.py"),
        audit_digest=_digest(PACKAGE, *_modules("audit"), *_modules("elf")),
    )
    works = graph.expand(cells, inputs)
    return Project(root, expanded, cells, recipes, toolchains, nets, works)


def load_toolchains(root: Path) -> Mapping[str, Toolchain]:
    """The toolchains that a project in `root` may name. Raises InputError for a fault in one."""
    return toolchain.load_all(_shown(root / "toolchains"), shelf.folders(root, "toolchains"))


def _network(root: Path, name: str, document: schema.Document) -> NetworkSpec:
    folders = shelf.folders(root, "models")
    if name not in folders:
        near = did_you_mean(name, [*folders])
        brief = f"no model '{name}'{near}; there are: {', '.join(folders)}"
        half = (root / "models" / name).is_dir()
        hint = f"models/{name} has no model.yaml; `inv models` lists what there is" if half else ""
        raise document.fault(("bench", "model"), brief, hint=hint)
    path = folders[name] / "model.yaml"
    net = schema.load(_shown(path), network.NetworkSpec)
    if net.name != name:
        raise InputError(
            f"the model in folder '{name}' calls itself '{net.name}'",
            where=str(_shown(path)),
            hint="give both the same name: results and cells are found by it",
        )
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


def _of_model(cells: tuple[Cell, ...], model: str, expanded: Matrix) -> tuple[Cell, ...]:
    if not model:
        return cells
    found = tuple(cell for cell in cells if cell.model == model)
    if model not in expanded.bench.models:
        near = did_you_mean(model, [*expanded.bench.models])
        raise UsageError(
            f"--model {model}: the matrix does not name it{near}",
            hint=f"its models: {', '.join(expanded.bench.models)}; add one under bench",
        )
    if not found:
        raise UsageError(f"--only selects no cell of model {model}", hint="`inv cells` lists them")
    return found


def _digest(folder: Path, *names: str) -> str:
    """One hash over files of ours that shape an artifact."""
    total = hashlib.sha256()
    for name in names:
        total.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return total.hexdigest()


def _modules(package: str) -> list[str]:
    return sorted(f"{package}/{path.name}" for path in (PACKAGE / package).glob("*.py"))


def _shown(path: Path) -> Path:
    """Relative to the working folder when it is below it: shorter in messages."""
    cwd = Path.cwd()
    return path.relative_to(cwd) if path.is_relative_to(cwd) else path
