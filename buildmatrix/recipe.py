"""Recipes: how one stack is built, as written. The module `resolved` decides what is left open.

A recipe is a folder `recipes/<name>/` with `recipe.yaml`, a build script template, patches of
ours and, for a stack that is measured, the engine of the forward-pass runner.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, PositiveFloat, Tag

from buildmatrix.errors import did_you_mean
from buildmatrix.schema import Document, Spec, read
from buildmatrix.selector import LONGEST, Selector, Value, matches
from buildmatrix.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.nouns import Options

ARCHITECTURE = "architecture"  # a `when` may name it beside the options: armhf, arm64, amd64

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="of the file, 64 hex digits")]
Sha1 = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise ValueError("must be a path inside the folder")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]
FileName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9.+~_-]+$", description="its name in the archive")
]
Https = Annotated[
    str, Field(pattern=r"^https://[^\s]+$", description="where it is, from https:// on")
]
MemoryGib = Annotated[
    int, Field(ge=1, le=512, description="GiB of memory that the script may take")
]
Minutes = Annotated[int, Field(ge=1, le=1440, description="minutes that the script may take")]


class DebianAlternate(Spec):
    """A file in the pool folder of a Debian source package, from the mirror this machine uses:
    its source, or a binary package (.deb) that was built from it."""

    kind: Literal["debian"]
    package: Name = Field(description="the source package, whose pool folder has the file")
    file: FileName
    sha256: Sha256


class PypiAlternate(Spec):
    """A file of a Python package, source or wheel, from the index that pip here uses."""

    kind: Literal["pypi"]
    package: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="as pip calls it")
    ]
    file: FileName
    sha256: Sha256


class ArchiveAlternate(Spec):
    """A tarball at a URL."""

    kind: Literal["archive"]
    url: Https
    sha256: Sha256


class GitAlternate(Spec):
    """A commit of a git repository. A branch without a commit is not locked: never fetched."""

    kind: Literal["git"]
    url: Https
    commit: Sha1 | None = Field(None, description="its full id, 40 hex digits")
    branch: str | None = Field(None, description="for people; alone it is never fetched")


class FolderAlternate(Spec):
    """A folder of the project, relative to matrix.yaml, as it is when the project is read: edits
    and new files count, what git ignores does not. With `tree:` it is pinned.

    A recipe is somebody's: it cannot name any folder of the machine and have it packed.
    """

    kind: Literal["folder"]
    path: RelativePath = Field(description="relative to matrix.yaml")


Alternate = Annotated[
    DebianAlternate | PypiAlternate | ArchiveAlternate | GitAlternate | FolderAlternate,
    Field(discriminator="kind"),
]


class SourceSpec(Spec):
    """One pinned source; its alternates carry the same tree and are tried in order."""

    name: Name = Field(description="its place in the container: /src/NAME")
    when: Selector = Field({}, description="values of options with which it is used")
    tree: Sha1 | None = Field(None, description="git tree id of the unpacked source")
    alternates: Annotated[list[Alternate], Field(min_length=1)] = Field(
        description="where the same files may come from, tried in order"
    )


class OptionSpec(Spec):
    """One option of a recipe: its type, the values that it may have, and what they decide.

    An option with `decides: runner` changes the runner's script, its model and the audit only, so
    the library is built once and serves every value of the option.
    """

    summary: str = Field(description="what it does, in a line")
    decides: Literal["build", "runner"] = Field(
        "build", description="what has to be made again when its value is another"
    )
    type: Literal["text", "boolean", "integer"] = "text"
    choices: list[Value] = Field([], description="the values that it may have; none: any")
    default: Value | None = Field(None, description="none: every cell must say")


class DependencySpec(Spec):
    """host: runs during the build; build: headers and libraries; run: goes into the bundle."""

    recipe: Name = Field(description="the recipe that makes it")
    kind: Literal["host", "build", "run"] = Field(description="when it is needed")
    when: Selector = Field({}, description="values of options with which it is needed")
    options: dict[str, Value] = Field({}, description="fixed here, whatever the cell says")


class BuildSpec(Spec):
    """How the library is made, in the container of a toolchain."""

    script: RelativePath = Field(description="a shell script, a template; see docs/recipes.md")
    files: list[RelativePath] = Field([], description="files of the recipe the script reads")
    products: Annotated[list[RelativePath], Field(min_length=1)] = Field(
        description="globs below /out, each of which must fit something: lib/libfoo.so.1"
    )
    memory_gib: MemoryGib = 8
    minutes: Minutes = 60


class ModelFormatSpec(Spec):
    """A format, and the options with which the engine loads it."""

    when: Selector = Field({}, description="values of options; none: always")
    format: Name = Field(description="one of docs/models.md")


class RunnerSpec(Spec):
    """The forward-pass runner: one engine file on the shared harness."""

    engine: RelativePath = Field(description="the C++ file between the harness and the library")
    script: RelativePath = Field(description="compiles and links it; a template as the build's")
    model_format: Name | Annotated[list[ModelFormatSpec], Field(min_length=1)] = Field(
        description="what the engine loads; of a list, the first that fits the options"
    )
    memory_gib: MemoryGib = 4
    minutes: Minutes = 15


Glob = Annotated[str, Field(max_length=LONGEST)]
MultiplyKind = Literal[
    "float32", "float32_pair", "int8", "int16", "float16", "bfloat16", "sve"
]  # the fields of nouns.Multiplies


def _kind_of_rule(rule: object) -> str:
    return "kinds" if isinstance(rule, dict) else "glob"


class MultipliesSpec(Spec):
    """Files that must multiply vectors of each of these kinds: {glob: lib/*.so, kinds: [int8]}."""

    glob: Glob = Field(description="files of the bundle, or of the products: lib/*.so")
    kinds: Annotated[list[MultiplyKind], Field(min_length=1)] = Field(
        description="as the facts name them, all of which must be found; sve: of any element"
    )


NeonRule = Annotated[
    Annotated[Glob, Tag("glob")] | Annotated[MultipliesSpec, Tag("kinds")],
    Discriminator(_kind_of_rule),
]


class BenchSpec(Spec):
    """A benchmark of the library's own functions: one C or C++ file, see harness/bench.h."""

    main: RelativePath = Field(description="the file that calls them")
    links: list[Name] = Field([], description="libraries to link, as after -l")
    measures: Name | None = Field(
        None, description="what rows are found by; recipes that measure the same are compared"
    )
    number_format: Literal["float32", "float16", "int8"] = Field(
        "float32", description="of the numbers that it computes with; rows of one are compared"
    )
    tolerance: PositiveFloat = Field(
        1e-4, description="largest relative error of a right answer; 1e-4 suits sums in float32"
    )
    memory_gib: MemoryGib = 4
    minutes: Minutes = 15


class AuditSpec(Spec):
    """Globs that name the files of a bundle for which the audit has a rule of the recipe's own.

    NEON must be found in the files of `neon_required` and must not be in those of
    `neon_forbidden`. A glob alone asks for float32 in quad registers, `{glob: …, kinds: [int8]}`
    for the kinds that it names. Files of `dispatched` hold kernels for newer processors too and
    choose among them at run time, so attributes that ask for such a processor are a warning there,
    no error.
    """

    when: Selector = Field({}, description="values of options with which it is a rule")
    neon_required: list[NeonRule] = Field([], description="must multiply in NEON registers")
    neon_forbidden: list[Glob] = Field([], description="may not multiply in NEON registers")
    dispatched: list[Glob] = Field([], description="choose their kernels at run time")


class RecipeSpec(Spec):
    """recipes/<name>/recipe.yaml"""

    version: Literal[1] = Field(description="of this file's form: 1")
    name: Name = Field(description="as its folder is called")
    summary: str = Field(description="what it is, in a line; listings show it")
    options: dict[str, OptionSpec] = Field({}, description="what a cell may choose, by name")
    sources: list[SourceSpec] = Field([], description="what it is made from")
    dependencies: list[DependencySpec] = Field([], description="other recipes that it needs")
    build: BuildSpec
    runner: RunnerSpec | None = Field(None, description="a forward pass of a network on it")
    bench: BenchSpec | None = Field(None, description="calls of its own functions")
    audit: list[AuditSpec] = Field([], description="what must be true of its files")


@dataclass(frozen=True)
class Recipe:
    """A recipe as written, with the folder and the places it came from."""

    spec: RecipeSpec
    folder: Path
    document: Document

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def measures(self) -> str:
        """What its bench is found by; empty for a recipe without one."""
        bench = self.spec.bench
        return (bench.measures or self.name) if bench else ""


def load_all(folder: Path, others: Mapping[str, Path] | None = None) -> Mapping[str, Recipe]:
    """Every recipe under `folder`, by name, and those in the folders of `others` (by name) that it
    has not; these are read when they are asked for. Raises InputError for the first fault found.
    """
    own = {path.parent.name: load(path.parent) for path in sorted(folder.glob("*/recipe.yaml"))}
    recipes = Shelf(own, others or {}, lambda place: _checked(load(place), recipes))
    for recipe in own.values():
        _check(recipe, recipes)
    return recipes


def load(folder: Path) -> Recipe:
    """The recipe in a folder, by itself. Raises InputError."""
    document = read(folder / "recipe.yaml")
    spec = document.build(RecipeSpec)
    if spec.name != folder.name:
        raise document.fault(("name",), f"a recipe is named as its folder, {folder.name}")
    return Recipe(spec, folder, document)


def _checked(recipe: Recipe, recipes: Mapping[str, Recipe]) -> Recipe:
    _check(recipe, recipes)
    return recipe


def _check(recipe: Recipe, recipes: Mapping[str, Recipe]) -> None:
    """What one file alone cannot show: the names it uses exist, and its sources are safe."""
    spec, document = recipe.spec, recipe.document
    own = [*build_options(spec), ARCHITECTURE]
    for i, dependency in enumerate(spec.dependencies):
        _known_names(document, ("dependencies", i, "when"), dependency.when, own)
        if dependency.recipe not in recipes:
            near = did_you_mean(dependency.recipe, sorted(recipes))
            brief = (
                f"no recipe '{dependency.recipe}'{near}; there are: {', '.join(sorted(recipes))}"
            )
            raise document.fault(("dependencies", i, "recipe"), brief)
        for name in dependency.options:
            known = sorted(used_options(recipes[dependency.recipe], recipes))
            if name not in known:
                brief = f"{dependency.recipe} has no option '{name}'{did_you_mean(name, known)}"
                raise document.fault(("dependencies", i, "options", name), brief)
    for i, source in enumerate(spec.sources):
        _known_names(document, ("sources", i, "when"), source.when, own)
        # One hash for all is one archive at several places: nothing to hold against each other.
        hashes = {getattr(one, "sha256", i) for i, one in enumerate(source.alternates)}
        # One folder alone needs no pin: it is what it is when the project is read.
        if len(hashes) > 1 and source.tree is None:
            raise document.fault(
                ("sources", i),
                f"source '{source.name}' needs its tree id",
                hint="alternates must carry the same files: write `tree:`, git's id of them",
            )
    if spec.runner is not None and spec.bench is not None:
        raise document.fault(
            ("bench",),
            "a recipe has a runner or a bench, not both",
            hint="put the bench into a recipe of its own that depends on this one",
        )
    used = [*used_options(recipe, recipes), ARCHITECTURE]
    for i, rule in enumerate(spec.audit):
        _known_names(document, ("audit", i, "when"), rule.when, used)
    formats = spec.runner.model_format if spec.runner else ""
    for i, one in enumerate(formats if isinstance(formats, list) else ()):
        at = ("runner", "model_format", i, "when")
        _known_names(document, at, one.when, list(spec.options))


def _known_names(
    document: Document, at: tuple[str | int, ...], when: Mapping[str, object], known: list[str]
) -> None:
    for name in when:
        if name not in known:
            near = did_you_mean(name, known)
            brief = (
                f"no option '{name}' here{near}; there are: {', '.join(sorted(known)) or 'none'}"
            )
            raise document.fault((*at, name), brief)


def build_options(spec: RecipeSpec) -> dict[str, OptionSpec]:
    return {name: one for name, one in spec.options.items() if one.decides == "build"}


def applies(recipe: Recipe, dependency: DependencySpec, given: Options) -> bool:
    """Whether a dependency is one for these values; an own option not given has its default."""
    own = build_options(recipe.spec)
    defaults = {name: o.default for name, o in own.items() if o.default is not None}
    return matches(dependency.when, {**defaults, **given})


def used_options(
    recipe: Recipe, recipes: Mapping[str, Recipe], given: Options | None = None
) -> dict[str, OptionSpec]:
    """The options that multiply a recipe: its own and its dependencies', less those fixed there
    and those of a dependency's runner, which is not used.

    Of the dependencies only those for the values that are given; of all, when none are.
    Raises InputError when dependencies form a cycle, naming the way round.
    """
    return _used(recipe, recipes, (recipe.name,), given)


def _used(
    recipe: Recipe, recipes: Mapping[str, Recipe], trail: tuple[str, ...], given: Options | None
) -> dict[str, OptionSpec]:
    used = dict(recipe.spec.options) if len(trail) == 1 else build_options(recipe.spec)
    for i, dependency in enumerate(recipe.spec.dependencies):
        if given is not None and not applies(recipe, dependency, given):
            continue
        if dependency.recipe in trail:
            way = " -> ".join([*trail[trail.index(dependency.recipe) :], dependency.recipe])
            raise recipe.document.fault(
                ("dependencies", i, "recipe"),
                f"dependency cycle: {way}",
                hint="remove one of these dependencies",
            )
        if dependency.recipe in recipes:
            seen = None if given is None else {**given, **dependency.options}
            below = _used(recipes[dependency.recipe], recipes, (*trail, dependency.recipe), seen)
            used.update({k: v for k, v in below.items() if k not in dependency.options})
    return used
