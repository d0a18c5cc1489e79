"""Which values decide what, so that nothing is worked out again for values that change nothing.

A matrix of ten thousand cells differs in few places: one number of threads is another library,
but neither another stack nor another list of dependencies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.recipe import ARCHITECTURE, applies, build_options, used_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.nouns import Options
    from buildmatrix.recipe import DependencySpec, OptionSpec, Recipe

Choice = tuple[object, ...]  # values of some names, and their types: `true` is not 1


def choice(options: Options, names: Iterable[str]) -> Choice:
    """The values that these names have; None for a name that has none."""
    values = [*map(options.get, names)]
    return (*values, *map(type, values))


class Deciding:
    """The questions of `recipe` about one set of recipes, each answered once for a choice."""

    def __init__(self, recipes: Mapping[str, Recipe]) -> None:
        self.recipes = recipes
        self._used: dict[Choice, Mapping[str, OptionSpec]] = {}
        self._applying: dict[Choice, tuple[DependencySpec, ...]] = {}
        self._names: dict[tuple[str, str], tuple[str, ...]] = {}

    def used(self, recipe: Recipe, given: Options) -> Mapping[str, OptionSpec]:
        """As `recipe.used_options`. `given` holds the architecture as well."""
        at = (recipe.name, *choice(given, self._remembered("when", recipe)))
        if at not in self._used:
            self._used[at] = used_options(recipe, self.recipes, given)
        return self._used[at]

    def dependencies(self, recipe: Recipe, given: Options) -> tuple[DependencySpec, ...]:
        """Those of a recipe that the values and the architecture in `given` call for."""
        at = (recipe.name, *choice(given, self._remembered("own when", recipe)))
        if at not in self._applying:
            self._applying[at] = tuple(
                one for one in recipe.spec.dependencies if applies(recipe, one, given)
            )
        return self._applying[at]

    def build(self, recipe: Recipe, options: Options) -> Choice:
        """The choice that decides a recipe's build and all that is built before it."""
        return choice(options, self._remembered("build", recipe))

    def audit(self, recipe: Recipe, options: Options) -> Choice:
        """The choice that decides what a recipe's bundle is held against."""
        return choice(options, self._remembered("audit", recipe))

    def _remembered(self, question: str, recipe: Recipe) -> tuple[str, ...]:
        at = (question, recipe.name)
        if at not in self._names:
            names = {
                "when": self._conditions,
                "own when": _own_conditions,
                "build": self._built,
                "audit": self._audited,
            }[question](recipe)
            self._names[at] = tuple(sorted(names))
        return self._names[at]

    def _conditions(self, recipe: Recipe) -> set[str]:
        names = _own_conditions(recipe)
        for dependency in recipe.spec.dependencies:
            names |= self._conditions(self.recipes[dependency.recipe])
        return names

    def _built(self, recipe: Recipe) -> set[str]:
        names = {*build_options(recipe.spec)}
        for dependency in recipe.spec.dependencies:
            if dependency.kind != "run":
                below = self._built(self.recipes[dependency.recipe])
                names |= below - dependency.options.keys()
        return names

    def _audited(self, recipe: Recipe) -> set[str]:
        names = _own_conditions(recipe)
        for rule in recipe.spec.audit:
            names |= rule.when.keys()
        for dependency in recipe.spec.dependencies:
            if dependency.kind == "run":
                below = self._audited(self.recipes[dependency.recipe])
                names |= below - dependency.options.keys()
        return names


def _own_conditions(recipe: Recipe) -> set[str]:
    named = {name for one in recipe.spec.dependencies for name in one.when}
    return {*named, ARCHITECTURE} if named else named
