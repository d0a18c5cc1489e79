"""A project on disk: matrix.yaml with its recipes, toolchains and models, read and expanded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from buildmatrix import graph, matrix, recipe, schema, shelf, toolchain, workload
from buildmatrix.errors import InputError, UsageError, did_you_mean
from buildmatrix.export import FORMATS
from buildmatrix.pipeline import fitting
from buildmatrix.pipeline.models import PACKAGE, digest, importers, modules, network, shown
from buildmatrix.selector import matches_id
from buildmatrix.some import some
from buildmatrix.workload import Calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from buildmatrix.matrix import Matrix
    from buildmatrix.nouns import Cell, Scalar
    from buildmatrix.recipe import Recipe, SourceSpec
    from buildmatrix.toolchain import Toolchain
    from buildmatrix.workload import Workload
    from buildmatrix.works import Graph

FEW = 10  # excluded cells that one error names
HARNESS = PACKAGE / "harness"
BENCH_FILES = ("bench.h", "bench.cpp")
HARNESS_FILES = (
    "harness.h",
    "harness.cpp",
    "after.h",
    "clock.h",
    "cores.h",
    "supervisor.h",
    "threads.h",
    "layers.h",
    "plain.h",
)


@dataclass(frozen=True)
class Project:
    """Everything written, and the works that follow from the selected cells."""

    root: Path
    matrix: Matrix
    cells: tuple[Cell, ...]  # selected
    recipes: Mapping[str, Recipe]
    toolchains: Mapping[str, Toolchain]
    networks: Mapping[str, Workload]  # all that the matrix measures
    graph: Graph

    @property
    def network(self) -> Workload:
        """What to measure and report: that of the first cell selected."""
        return self.networks[self.cells[0].model]

    @property
    def models(self) -> tuple[str, ...]:
        """Those of the selected cells."""
        return tuple(dict.fromkeys(cell.model for cell in self.cells))

    def cell(self, name: str) -> Cell:
        """The selected cell of that name. Raises InputError when there is none."""
        for one in self.cells:
            if one.id == name:
                return one
        raise InputError(f"no cell is called '{name}'", hint="inv cells")

    def of_model(self, model: str) -> Project:
        """The same with the cells of one of its models; the works stay those of all."""
        return replace(self, cells=tuple(c for c in self.cells if c.model == model))


def load(
    path: Path,
    *,
    only: tuple[str, ...] = (),
    model: str = "",
    include: Sequence[Mapping[str, Scalar]] = (),
    state: Path | None = None,
) -> Project:
    """Read a project and select cells: those that fit `only`, and of one model if it is named.
    `include` are cells as matrix.yaml writes them under `include`, added to its own. In the folder
    `state` lies what was read of models that stand in files.

    Raises InputError for what is written, UsageError for `only` and `model`.
    """
    document = schema.read(path)
    if include and isinstance(document.data, dict):
        document.data["include"] = [*document.data.get("include", ()), *include]
    root = shelf.project_folder(path)
    recipes = recipe.load_all(shown(root / "recipes"), shelf.folders(root, "recipes"))
    toolchains = load_toolchains(root)
    expanded = matrix.expand(document, recipes, toolchains)
    nets: dict[str, Workload] = {
        name: network(root, name, document, state) for name in _networks(expanded, recipes)
    }
    nets |= _calls(expanded, recipes, nets)
    fitting.known_formats(expanded.cells, recipes)
    cells = _of_model(select(expanded, only), model, tuple(nets))
    unbuilt = fitting.unbuilt(nets, expanded.cells, recipes)
    inputs = graph.Inputs(
        recipes=recipes,
        toolchains=toolchains,
        networks={name: workload.digest(net) for name, net in nets.items()},
        harness_digest=digest(HARNESS, *HARNESS_FILES),
        bench_digest=digest(HARNESS, *BENCH_FILES),
        exporter_digests={n: digest(PACKAGE, *one.sources) for n, one in FORMATS.items()},
        bundle_digest=digest(PACKAGE, "bundle.py"),
        audit_digest=digest(PACKAGE, *modules("audit"), *modules("elf")),
        trees=_trees(root, recipes),
        imports={name: importers(net) for name, net in nets.items()},
        gaps=fitting.gaps(nets, expanded.cells, recipes, unbuilt),
        unbuilt=unbuilt,
    )
    works = graph.expand(cells, inputs)
    return Project(root, expanded, cells, recipes, toolchains, nets, works)


def _networks(expanded: Matrix, recipes: Mapping[str, Recipe]) -> tuple[str, ...]:
    """The models to be read: those that the matrix writes, unless it has nothing but libraries
    that measure calls of their own and writes none."""
    own = all(recipes[cell.stack].measures for cell in expanded.cells)
    written = "model" in expanded.bench.model_fields_set
    return () if own and expanded.cells and not written else expanded.bench.models


def _calls(
    expanded: Matrix, recipes: Mapping[str, Recipe], nets: Mapping[str, Workload]
) -> dict[str, Workload]:
    """What the libraries of the matrix measure of themselves. Raises InputError where two mean
    something else by one name."""
    calls: dict[str, Workload] = {}
    for stack in dict.fromkeys(cell.stack for cell in expanded.cells):
        one = recipes[stack]
        bench = one.spec.bench
        if bench is None:
            continue
        made = Calls(one.measures, one.spec.summary, {bench.number_format: bench.tolerance})
        other = {**nets, **calls}.get(one.measures)
        if isinstance(other, Calls) and other.tolerance == made.tolerance:
            continue
        if other is not None:
            brief = f"'{one.measures}' is measured here already, and means something else there"
            hint = "write `measures:` with another name, or the same number format and tolerance"
            raise one.document.fault(("bench",), brief, hint=hint)
        calls[one.measures] = made
    return calls


def _trees(root: Path, recipes: Mapping[str, Recipe]) -> dict[str, str]:
    """The folders that are sources of the project's recipes, by path, with what they are now.

    Raises InputError for one that is not there and may come from nowhere else, and for one that is
    pinned and is no longer what the pin says: what is stored was made from the pinned files, and
    must not be measured under the name of those there now.
    """
    from buildmatrix.sources.folder import folder_tree

    trees: dict[str, str] = {}
    for one, place, source in own_sources(root, recipes):
        first = source.alternates[0]
        if first.kind != "folder":
            continue
        if not (root / first.path).is_dir():
            if len(source.alternates) > 1:
                continue  # the build that needs it takes the next one
            raise one.document.fault(
                ("sources", place, "alternates", 0, "path"),
                f"folder {first.path} is not there",
                hint="`path` is relative to the folder of matrix.yaml, and stays inside it",
            )
        trees[first.path] = folder_tree(root, first.path)
        if source.tree not in (None, trees[first.path]):
            raise one.document.fault(
                ("sources", place, "tree"),
                f"folder {first.path} is tree {trees[first.path]} now, not the one pinned here",
                hint="remove `tree:` to follow the folder, or write the new id",
            )
    return trees


def own_sources(
    root: Path, recipes: Mapping[str, Recipe]
) -> Iterator[tuple[Recipe, int, SourceSpec]]:
    """Every source of the recipes that the project itself has, with its recipe and place there."""
    for name in sorted(path.parent.name for path in root.glob("recipes/*/recipe.yaml")):
        for place, source in enumerate(recipes[name].spec.sources):
            yield recipes[name], place, source


def load_toolchains(root: Path) -> Mapping[str, Toolchain]:
    """The toolchains that a project in `root` may name. Raises InputError for a fault in one."""
    return toolchain.load_all(shown(root / "toolchains"), shelf.folders(root, "toolchains"))


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
        gone = [f"{one.id} is dropped by {one.rule}: {one.reason}" for one in expanded.dropped]
        raise InputError(
            "the matrix has no cells" + (", all are excluded" if gone else ""),
            where="matrix.yaml",
            details=some(gone, FEW, between="\n"),
            hint="" if gone else "add `axes:` or `include:`",
        )
    return tuple(cell for cell in expanded.cells if matches_id(only, cell.id))


def _of_model(cells: tuple[Cell, ...], model: str, known: tuple[str, ...]) -> tuple[Cell, ...]:
    if not model:
        return cells
    found = tuple(cell for cell in cells if cell.model == model)
    if model not in known:
        near = did_you_mean(model, [*known])
        raise UsageError(
            f"--model {model}: the matrix does not name it{near}",
            hint=f"its models: {', '.join(known)}; add one under bench",
        )
    if not found:
        raise UsageError(f"--only selects no cell of model {model}", hint="`inv cells` lists them")
    return found
