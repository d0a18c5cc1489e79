"""Recipes: how one stack is built, as written. The module `resolved` decides what is left open.

A recipe is a folder `recipes/<name>/` with `recipe.yaml`, a build script template, patches of
ours and, for a stack that is measured, the engine of the forward-pass runner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.pinned import (
    Alternate,
    ArchiveAlternate,
    DebianAlternate,
    FolderAlternate,
    GitAlternate,
    PypiAlternate,
    SourceSpec,
)
from buildmatrix.recipe.check import check
from buildmatrix.recipe.options import Recipe, applies, build_options, used_options
from buildmatrix.recipe.spec import (
    ARCHITECTURE,
    AuditSpec,
    BenchSpec,
    BuildSpec,
    DependencySpec,
    LayersSpec,
    OptionSpec,
    RecipeSpec,
    RunnerSpec,
)
from buildmatrix.schema import read
from buildmatrix.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "ARCHITECTURE",
    "Alternate",
    "ArchiveAlternate",
    "AuditSpec",
    "BenchSpec",
    "BuildSpec",
    "DebianAlternate",
    "DependencySpec",
    "FolderAlternate",
    "GitAlternate",
    "OptionSpec",
    "PypiAlternate",
    "Recipe",
    "RecipeSpec",
    "LayersSpec",
    "RunnerSpec",
    "SourceSpec",
    "applies",
    "build_options",
    "load",
    "load_all",
    "used_options",
]


def load_all(folder: Path, others: Mapping[str, Path] | None = None) -> Mapping[str, Recipe]:
    """Every recipe under `folder`, by name, and those in the folders of `others` (by name) that it
    has not; these are read when they are asked for. Raises InputError for the first fault found.
    """
    own = {path.parent.name: load(path.parent) for path in sorted(folder.glob("*/recipe.yaml"))}
    recipes = Shelf(own, others or {}, lambda place: _checked(load(place), recipes))
    for recipe in own.values():
        check(recipe, recipes)
    return recipes


def load(folder: Path) -> Recipe:
    """The recipe in a folder, by itself. Raises InputError."""
    document = read(folder / "recipe.yaml")
    spec = document.build(RecipeSpec)
    if spec.name != folder.name:
        raise document.fault(("name",), f"a recipe is named as its folder, {folder.name}")
    return Recipe(spec, folder, document)


def _checked(recipe: Recipe, recipes: Mapping[str, Recipe]) -> Recipe:
    check(recipe, recipes)
    return recipe
