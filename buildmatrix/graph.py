"""Cells become works: one per thing to make, shared by every cell that needs it. Pure.

A work's key is a digest of its own material and of the keys of what it needs, so a change shows
in everything downstream of it and in nothing else. What is needed for building and what is needed
at run time are different edges: a stack is built once and bundled with each of its BLAS variants.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from buildmatrix import glibc
from buildmatrix.deciding import Deciding
from buildmatrix.nouns import AuditPolicy, Cell, Options, Scalar, Stage, WantedMultiplies
from buildmatrix.pinned import UNLOCKED, identify
from buildmatrix.printable import without_credentials
from buildmatrix.recipe import (
    ARCHITECTURE,
    DependencySpec,
    FolderAlternate,
    GitAlternate,
    Recipe,
    SourceSpec,
)
from buildmatrix.resolved import ResolvedBuild, ResolvedRunner, Resolver
from buildmatrix.selector import matches
from buildmatrix.works import BundleWork, Graph, ModelWork, ProductWork, Work, work_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.recipe import AuditSpec
    from buildmatrix.toolchain import Toolchain
    from buildmatrix.works import Subject


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that decides the works, read beforehand. The digests are of our own code that
    shapes an artifact: the harness, the exporters, the bundle's layout, the audit's rules."""

    recipes: Mapping[str, Recipe]
    toolchains: Mapping[str, Toolchain]
    networks: Mapping[str, str]  # digests by name
    harness_digest: str
    exporter_digests: Mapping[str, str]  # by model format
    bundle_digest: str
    audit_digest: str
    bench_digest: str = ""  # of what the harness adds for a library's own calls
    trees: Mapping[str, str] = field(default_factory=dict)  # of the folders that sources are, now
    # Of a network out of a file, by its name: digests of its files and of what reads them.
    imports: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    gaps: Mapping[tuple[str, str], str] = field(default_factory=dict)  # by (model, model format)
    unbuilt: Mapping[str, str] = field(default_factory=dict)  # what a cell's library lacks, by cell


def expand(cells: Iterable[Cell], inputs: Inputs) -> Graph:
    """The works of all cells, each once, in an order in which they can be made."""
    builder = _Builder(inputs)
    goals = {cell.id: builder.add(cell) for cell in cells}
    return Graph(tuple(builder.works.values()), goals)


@dataclass(frozen=True, slots=True)
class _Judging:
    """What bundles are held against, and that as the material of their audits: many share it."""

    policy: AuditPolicy
    material: Mapping[str, object]


class _Builder:
    """Collects works depth first, so that what is needed always stands before what needs it."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.works: dict[str, Work] = {}
        self.resolver = Resolver()
        self.deciding = Deciding(inputs.recipes)
        self.builds: dict[tuple[object, ...], str] = {}  # ids, by what decides them
        self.images: dict[str, str] = {}  # ids, by toolchain
        self.judgings: dict[tuple[object, ...], _Judging] = {}

    def add(self, cell: Cell) -> str:
        """Add all that a cell needs; its goal: the audit of its bundle, or with nothing to run the
        audit of what is built."""
        recipe = self.inputs.recipes[cell.stack]
        options = self._placed(dict(cell.options), cell)
        build = self._build(recipe, options, cell)
        resolved = self._measured(recipe, options, cell)
        if resolved is not None:
            return self._audit(recipe, resolved, options, cell, build)
        judging = self._judging(recipe, options, cell)
        return self._judged(ProductWork(cell, build, judging.policy), build, judging.material)

    def _measured(self, recipe: Recipe, options: Options, cell: Cell) -> ResolvedRunner | None:
        """What is run of a recipe on a board; None for one that has nothing to run."""
        toolchain = self.inputs.toolchains[cell.toolchain]
        if recipe.spec.runner is not None:
            return self.resolver.runner(recipe, recipe.spec.runner, options, toolchain)
        if recipe.spec.bench is not None:
            return self.resolver.bench(recipe, recipe.spec.bench, options, toolchain)
        return None

    def _put(
        self,
        stage: Stage,
        name: str,
        subject: Subject,
        *,
        cell: Cell,
        material: Mapping[str, object],
        needs: tuple[str, ...] = (),
        blocked: str = "",
    ) -> str:
        """Add a work unless it is there; its id."""
        anywhere = stage in (Stage.SOURCE, Stage.MODEL)
        toolchain = "" if anywhere else cell.toolchain
        identifier = work_id(stage, name)
        if identifier not in self.works:
            self.works[identifier] = Work(
                identifier, cell.id, stage, subject, toolchain, needs, material, blocked
            )
        return identifier

    def _image(self, cell: Cell) -> str:
        if cell.toolchain not in self.images:
            self.images[cell.toolchain] = self._new_image(cell)
        return self.images[cell.toolchain]

    def _new_image(self, cell: Cell) -> str:
        toolchain = self.inputs.toolchains[cell.toolchain]
        needs = tuple(self._source(one, cell) for one in toolchain.spec.sources)
        return self._put(
            Stage.IMAGE,
            toolchain.name,
            toolchain,
            cell=cell,
            material=toolchain.definition,
            needs=needs,
        )

    def _source(self, source: SourceSpec, cell: Cell) -> str:
        first = source.alternates[0]
        if source.tree is None and isinstance(first, FolderAlternate):
            source = source.model_copy(update={"tree": self.inputs.trees.get(first.path)})
        identity = identify(source)
        short = identity if identity.startswith(UNLOCKED) else identity[:12]
        return self._put(
            Stage.SOURCE,
            f"{source.name}-{short}",
            source,
            cell=cell,
            material={"source": source.name, "identity": identity},
            blocked=_unlocked(source),
        )

    def _build(self, recipe: Recipe, options: Options, cell: Cell) -> str:
        """The build work of a recipe for the options of its that `options` holds."""
        at = (recipe.name, cell.toolchain, *self.deciding.build(recipe, options))
        if at not in self.builds:
            self.builds[at] = self._new_build(recipe, options, cell)
        return self.builds[at]

    def _new_build(self, recipe: Recipe, options: Options, cell: Cell) -> str:
        resolved = self.resolver.build(recipe, options, self.inputs.toolchains[cell.toolchain])
        image = self._image(cell)
        sources = [self._source(source, cell) for source in resolved.sources]
        dependencies = [
            self._dependency(d, options, cell)
            for d in self.deciding.dependencies(recipe, options)
            if d.kind != "run"
        ]
        return self._put(
            Stage.BUILD,
            _named(resolved, cell),
            resolved,
            cell=cell,
            needs=(image, *sources, *dependencies),
            material={
                "recipe": recipe.name,
                "options": dict(resolved.options),
                "script": resolved.script,
                "files": dict(resolved.files),
                "products": list(resolved.products),
            },
        )

    def _placed(self, options: Options, cell: Cell) -> dict[str, Scalar]:
        """Options with the architecture, which a `when:` may ask for like one of them."""
        architecture = self.inputs.toolchains[cell.toolchain].spec.architecture
        return {**options, ARCHITECTURE: architecture}

    def _dependency(self, dependency: DependencySpec, options: Options, cell: Cell) -> str:
        other = self.inputs.recipes[dependency.recipe]
        given = {**options, **dependency.options}
        chosen = {}
        for name, option in self.deciding.used(other, given).items():
            value = given.get(name, option.default)
            if value is not None:
                chosen[name] = value
        return self._build(other, self._placed(chosen, cell), cell)

    def _run_dependencies(self, recipe: Recipe, options: Options, cell: Cell) -> list[str]:
        ids = []
        for dependency in self.deciding.dependencies(recipe, options):
            if dependency.kind == "run":
                ids.append(self._dependency(dependency, options, cell))
                other = self.inputs.recipes[dependency.recipe]
                ids += self._run_dependencies(other, {**options, **dependency.options}, cell)
        return ids

    def _audit(
        self, recipe: Recipe, resolved: ResolvedRunner, options: Options, cell: Cell, build: str
    ) -> str:
        """Add a cell's bundle and its audit; the audit's id."""
        runner = self._runner(resolved, cell, build)
        model = self._model(resolved.model_format, cell)
        judging = self._judging(recipe, options, cell)
        packed = BundleWork(
            cell=cell,
            runner=runner,
            libraries=(build, *self._run_dependencies(recipe, options, cell)),
            model=model,
            policy=judging.policy,
        )
        bundle = self._put(
            Stage.BUNDLE,
            cell.id,
            packed,
            cell=cell,
            needs=(self._image(cell), runner, *packed.libraries, model),
            material={"cell": cell.id, "layout": self.inputs.bundle_digest},
            blocked=self.inputs.unbuilt.get(cell.id, ""),
        )
        return self._judged(packed, bundle, judging.material)

    def _judged(
        self, audited: BundleWork | ProductWork, tree: str, material: Mapping[str, object]
    ) -> str:
        """Add the audit of what the work `tree` makes; its id."""
        return self._put(
            Stage.AUDIT,
            audited.cell.id,
            audited,
            cell=audited.cell,
            needs=(tree,),
            material=material,
        )

    def _runner(self, resolved: ResolvedRunner, cell: Cell, build: str) -> str:
        name, models = _named(resolved, cell), []
        if resolved.compiles_model:
            name = f"{name}.{cell.model}"
            models.append(self._model(resolved.model_format, cell))
        return self._put(
            Stage.RUNNER,
            name,
            resolved,
            cell=cell,
            # What the build was compiled against, the runner is too.
            needs=(build, *(n for n in self.works[build].needs if self._is_made(n)), *models),
            material={
                "script": resolved.script,
                "engine": resolved.engine,
                "harness": self.inputs.harness_digest,
                **({"bench": self.inputs.bench_digest} if resolved.recipe.spec.bench else {}),
            },
        )

    def _is_made(self, work: str) -> bool:
        return self.works[work].stage is not Stage.SOURCE

    def _model(self, model_format: str, cell: Cell) -> str:
        imported = self.inputs.imports.get(cell.model)
        return self._put(
            Stage.MODEL,
            f"{cell.model}.{model_format}",
            ModelWork(cell.model, model_format),
            cell=cell,
            material={
                "network": self.inputs.networks[cell.model],
                "format": model_format,
                "exporter": self.inputs.exporter_digests.get(model_format, ""),
                **({"imported": dict(imported)} if imported else {}),
            },
            blocked=self.inputs.gaps.get((cell.model, model_format), ""),
        )

    def _judging(self, recipe: Recipe, options: Options, cell: Cell) -> _Judging:
        at = (recipe.name, cell.toolchain, *self.deciding.audit(recipe, options))
        if at not in self.judgings:
            policy = self._policy(recipe, options, cell)
            self.judgings[at] = _Judging(policy, self._audit_material(policy))
        return self.judgings[at]

    def _audit_material(self, policy: AuditPolicy) -> Mapping[str, object]:
        return {
            "rules": self.inputs.audit_digest,
            "neon_required": list(policy.neon_required),
            "multiplies_required": [
                [rule.glob, *rule.kinds] for rule in policy.multiplies_required
            ],
            "neon_forbidden": list(policy.neon_forbidden),
            "dispatched": list(policy.dispatched),
            "provided": list(policy.provided),
            "target": {n: getattr(policy.target, n) for n in policy.target.__slots__},
        }

    def _policy(self, recipe: Recipe, options: Options, cell: Cell) -> AuditPolicy:
        rules: list[AuditSpec] = []
        for one, values in self._audited(recipe, options):
            rules += (rule for rule in one.spec.audit if matches(rule.when, values))
        wanted = [one for rule in rules for one in rule.neon_required]
        return AuditPolicy(
            self.inputs.toolchains[cell.toolchain].target,
            neon_required=tuple(one for one in wanted if isinstance(one, str)),
            multiplies_required=tuple(
                WantedMultiplies(one.glob, tuple(one.kinds))
                for one in wanted
                if not isinstance(one, str)
            ),
            neon_forbidden=tuple(glob for rule in rules for glob in rule.neon_forbidden),
            dispatched=tuple(glob for rule in rules for glob in rule.dispatched),
            provided=glibc.LIBRARIES,
        )

    def _audited(self, recipe: Recipe, options: Options) -> list[tuple[Recipe, Options]]:
        """The recipe and what it runs with, each with the option values that it sees."""
        audited: list[tuple[Recipe, Options]] = [(recipe, options)]
        for dependency in self.deciding.dependencies(recipe, options):
            if dependency.kind == "run":
                other = self.inputs.recipes[dependency.recipe]
                audited += self._audited(other, {**options, **dependency.options})
        return audited


def _unlocked(source: SourceSpec) -> str:
    """The reason why no alternate can be fetched, or nothing."""
    loose = [a for a in source.alternates if isinstance(a, GitAlternate) and a.commit is None]
    if len(loose) < len(source.alternates):
        return ""
    one = loose[0]
    url = without_credentials(one.url)
    return f"{one.branch} is not locked to a commit: git ls-remote {url} {one.branch}"


def _named(resolved: ResolvedBuild, cell: Cell) -> str:
    shown = (f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in resolved.options)
    options = f"[{','.join(shown)}]" if resolved.options else ""
    return f"{resolved.recipe.name}{options}@{cell.toolchain}"
