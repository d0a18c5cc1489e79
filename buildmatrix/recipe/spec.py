"""recipe.yaml as it is written: what may stand in it, and its words for an editor."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, PositiveFloat, Tag

from buildmatrix.layers import LayerType
from buildmatrix.network import NumberFormat
from buildmatrix.pinned import Name, RelativePath, SourceSpec
from buildmatrix.schema import DISTINCT, Spec
from buildmatrix.selector import LONGEST, Selector, Value

ARCHITECTURE = "architecture"  # a `when` may name it beside the options: armhf, arm64, amd64

MemoryGib = Annotated[
    int, Field(ge=1, le=512, description="GiB of memory that the script may take")
]
Minutes = Annotated[int, Field(ge=1, le=1440, description="minutes that the script may take")]


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
    choices: Annotated[list[Value], DISTINCT] = Field(
        [], description="the values that it may have; none: any"
    )
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
    files: Annotated[list[RelativePath], DISTINCT] = Field(
        [], description="files of the recipe the script reads"
    )
    products: Annotated[list[RelativePath], Field(min_length=1), DISTINCT] = Field(
        description="globs below /out, each of which must fit something: lib/libfoo.so.1"
    )
    memory_gib: MemoryGib = 8
    minutes: Minutes = 60


class ModelFormatSpec(Spec):
    """A format, and the options with which the engine loads it."""

    when: Selector = Field({}, description="values of options; none: always")
    format: Name = Field(description="one of docs/models.md")


class LayersSpec(Spec):
    """What networks may be made of where the library is built with a part of its kernels."""

    when: Selector = Field({}, description="values of options; none: always")
    only: Annotated[list[LayerType], Field(min_length=1), DISTINCT] = Field(
        description="layers that it has kernels for, as docs/models.md calls them"
    )


class RunnerSpec(Spec):
    """The forward-pass runner: one engine file on the shared harness."""

    engine: RelativePath = Field(description="the C++ file between the harness and the library")
    script: RelativePath = Field(description="compiles and links it; a template as the build's")
    model_format: Name | Annotated[list[ModelFormatSpec], Field(min_length=1)] = Field(
        description="what the engine loads; of a list, the first that fits the options"
    )
    layers: list[LayersSpec] = Field(
        [],
        description="where the library has no kernels for others: cells whose network has one are "
        "dropped with its name; the first that fits the options counts, and all are read if none",
    )
    compiles_model: bool = Field(
        default=False,
        description="whether the script is given the model, in /model: to compile it in, or to "
        "leave what it makes of it in /out/model; each model has a runner of its own then",
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
    number_format: NumberFormat = Field(
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
    dependencies: Annotated[list[DependencySpec], DISTINCT] = Field(
        [], description="other recipes that it needs"
    )
    build: BuildSpec
    runner: RunnerSpec | None = Field(None, description="a forward pass of a network on it")
    bench: BenchSpec | None = Field(None, description="calls of its own functions")
    audit: list[AuditSpec] = Field([], description="what must be true of its files")
