"""What the form of one recipe.yaml cannot show: that the names and values in it mean something.

A condition that can never be met, or a second thing under one name, would leave out what stands
there without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.errors import did_you_mean
from buildmatrix.recipe.options import build_options, used_options
from buildmatrix.recipe.spec import ARCHITECTURE, DependencySpec, OptionSpec
from buildmatrix.selector import fits, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.faults import Position
    from buildmatrix.nouns import Scalar
    from buildmatrix.recipe.options import Recipe
    from buildmatrix.schema import Document
    from buildmatrix.selector import Selector

TYPES = {"text": str, "boolean": bool, "integer": int}
# Debian's names of the machines that a toolchain may compile for; none: they run no system.
PLACED = OptionSpec(
    summary="of the toolchain", choices=["amd64", "arm64", "armel", "armhf", "none"]
)

# An option of such a name could not be chosen there, or an exclusion would speak of the wrong one.
RESERVED = {
    "stack": "the recipe",
    "toolchain": "the toolchain",
    "model": "the network",
    "name": "the cell's id",
    "reason": "why an exclusion is there",
    ARCHITECTURE: "the toolchain's machine",
}


def check(recipe: Recipe, recipes: Mapping[str, Recipe]) -> None:
    """Raise InputError for the first thing in a recipe that names nothing, that can never come to
    pass, or that another one stands in the way of."""
    spec, document = recipe.spec, recipe.document
    for name, option in spec.options.items():
        _check_option(document, name, option)
    own = {**build_options(spec), ARCHITECTURE: PLACED}
    for i, dependency in enumerate(spec.dependencies):
        _check_when(document, ("dependencies", i, "when"), dependency.when, own)
        _check_dependency(document, i, dependency, recipes)
    _check_sources(recipe, own)
    if spec.runner is not None and spec.bench is not None:
        raise document.fault(
            ("bench",),
            "a recipe has a runner or a bench, not both",
            hint="put the bench into a recipe of its own that depends on this one",
        )
    used = {**used_options(recipe, recipes), ARCHITECTURE: PLACED}
    _check_shared(recipe, recipes)
    for i, rule in enumerate(spec.audit):
        _check_when(document, ("audit", i, "when"), rule.when, used)
        if not (rule.neon_required or rule.neon_forbidden or rule.dispatched):
            raise document.fault(("audit", i), "this rule says nothing of any file")
    _check_formats(recipe)
    _check_layers(recipe)


def _check_option(document: Document, name: str, option: OptionSpec) -> None:
    """Its name is free, and its default and its choices are values that it may have."""
    at = ("options", name)
    if name in RESERVED:
        brief = f"no option can be called '{name}': in matrix.yaml that is {RESERVED[name]}"
        raise document.fault(at, brief, hint="rename it")
    values: list[tuple[Position, Scalar]] = [
        ((*at, "choices", i), one) for i, one in enumerate(option.choices)
    ]
    if option.default is not None:
        values.append(((*at, "default"), option.default))
    for place, value in values:
        if type(value) is not TYPES[option.type]:
            raise document.fault(place, f"'{name}' is {option.type}, and {value!r} is not")
    if option.choices and option.default not in (None, *option.choices):
        near = did_you_mean(option.default, list(map(str, option.choices)))
        brief = f"the default '{option.default}' is none of the choices of '{name}'{near}"
        raise document.fault((*at, "default"), brief)


def _check_dependency(
    document: Document, i: int, dependency: DependencySpec, recipes: Mapping[str, Recipe]
) -> None:
    """There is such a recipe, and it has the options that are fixed for it, with these values."""
    if dependency.recipe not in recipes:
        near = did_you_mean(dependency.recipe, sorted(recipes))
        brief = f"no recipe '{dependency.recipe}'{near}; there are: {', '.join(sorted(recipes))}"
        raise document.fault(("dependencies", i, "recipe"), brief)
    known = used_options(recipes[dependency.recipe], recipes)
    for name, value in dependency.options.items():
        at = ("dependencies", i, "options", name)
        if name not in known:
            near = did_you_mean(name, sorted(known))
            raise document.fault(at, f"{dependency.recipe} has no option '{name}'{near}")
        _check_value(document, at, name, known[name], value, globs=False)


def _check_sources(recipe: Recipe, own: Mapping[str, OptionSpec]) -> None:
    document = recipe.document
    for i, source in enumerate(recipe.spec.sources):
        _check_when(document, ("sources", i, "when"), source.when, own)
        # One hash for all is one archive at several places: nothing to hold against each other.
        hashes = {getattr(one, "sha256", i) for i, one in enumerate(source.alternates)}
        # One folder alone needs no pin: it is what it is when the project is read.
        if len(hashes) > 1 and source.tree is None:
            raise document.fault(
                ("sources", i),
                f"source '{source.name}' needs its tree id",
                hint="alternates must carry the same files: write `tree:`, git's id of them",
            )


def _check_shared(recipe: Recipe, recipes: Mapping[str, Recipe]) -> None:
    """An option of one name is one option: a cell gives it one value, here and below."""
    known: dict[str, tuple[str, OptionSpec]] = {
        name: (recipe.name, option) for name, option in recipe.spec.options.items()
    }
    for i, dependency in enumerate(recipe.spec.dependencies):
        below = recipes[dependency.recipe]
        for name, option in used_options(below, recipes).items():
            if name in below.spec.options and option.decides == "runner":
                continue  # of a runner that is not used here
            owner, other = known.setdefault(name, (dependency.recipe, option))
            if name in dependency.options or _values_of(option) == _values_of(other):
                continue
            raise recipe.document.fault(
                ("dependencies", i),
                f"'{name}' has other values or another default in {dependency.recipe} than in "
                f"{owner}",
                hint="fix it under the dependency's `options:`, or give one of them another name",
            )


def _values_of(option: OptionSpec) -> tuple[object, ...]:
    return option.type, list(map(repr, option.choices)), repr(option.default)


def _check_formats(recipe: Recipe) -> None:
    """Every model format of a list can be the first that fits."""
    formats = recipe.spec.runner.model_format if recipe.spec.runner else ""
    for i, one in enumerate(formats if isinstance(formats, list) else ()):
        at = ("runner", "model_format", i)
        _check_when(recipe.document, (*at, "when"), one.when, recipe.spec.options)
        if not one.when and i + 1 < len(formats):
            raise recipe.document.fault(at, f"'{one.format}' always fits: none after it is reached")


def _check_layers(recipe: Recipe) -> None:
    """Every condition under which a library lacks kernels names options that there are."""
    runner = recipe.spec.runner
    for i, one in enumerate(runner.layers if runner else ()):
        _check_when(recipe.document, ("runner", "layers", i, "when"), one.when, recipe.spec.options)


def _check_when(
    document: Document, at: Position, when: Selector, known: Mapping[str, OptionSpec]
) -> None:
    """A condition names options that there are, and values that they may have."""
    for name, wanted in when.items():
        if name not in known:
            near = did_you_mean(name, sorted(known))
            there = ", ".join(sorted(known)) or "none"
            raise document.fault((*at, name), f"no option '{name}' here{near}; there are: {there}")
        values = listed(wanted)
        for i, value in enumerate(values):
            place = (*at, name, i) if isinstance(wanted, list) else (*at, name)
            _check_value(document, place, name, known[name], value, globs=True)
        if not values:
            raise document.fault((*at, name), f"'{name}' has no value here: this is never met")


def _check_value(
    document: Document, at: Position, name: str, option: OptionSpec, value: Scalar, *, globs: bool
) -> None:
    """The option may have this value, or one that fits it."""
    if type(value) is not TYPES[option.type]:
        raise document.fault(at, f"'{name}' is {option.type}: it is never {value!r}")
    if option.choices and not _fits_one(option.choices, value, globs=globs):
        near = did_you_mean(value, list(map(str, option.choices)))
        there = ", ".join(map(str, option.choices))
        raise document.fault(at, f"'{name}' is never '{value}'{near}; it is one of: {there}")


def _fits_one(choices: Sequence[Scalar], value: Scalar, *, globs: bool) -> bool:
    if globs and isinstance(value, str):
        return any(isinstance(one, str) and fits(one, value) for one in choices)
    return value in choices
