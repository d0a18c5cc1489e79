"""A recipe as read, and the options that multiply it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.selector import matches

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.nouns import Options
    from buildmatrix.recipe.spec import DependencySpec, OptionSpec, RecipeSpec
    from buildmatrix.schema import Document


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
