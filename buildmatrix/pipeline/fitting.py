"""Which cells lose their model: the format of their stack cannot say a layer of it, or is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.errors import did_you_mean
from buildmatrix.export import FORMATS, able
from buildmatrix.network import NetworkSpec
from buildmatrix.resolved import model_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.nouns import Cell
    from buildmatrix.recipe import Recipe
    from buildmatrix.workload import Workload

Pair = tuple[str, str]  # a model and a format


def gaps(
    nets: Mapping[str, Workload], cells: Iterable[Cell], recipes: Mapping[str, Recipe]
) -> dict[Pair, str]:
    """What a format cannot say of a model, where it cannot, with the stacks of the matrix that
    take the model."""
    found = {
        (name, format): able.gap(net, format)
        for name, net in nets.items()
        if isinstance(net, NetworkSpec)
        for format in FORMATS
    }
    lacking = {pair: words for pair, words in found.items() if words}
    if not lacking:
        return {}
    takers: dict[str, dict[str, None]] = {}
    for cell in cells:
        if (format := _format(cell, recipes[cell.stack])) and (cell.model, format) not in lacking:
            takers.setdefault(cell.model, {})[cell.stack] = None
    return {
        (model, format): _with_takers(words, tuple(takers.get(model, ())))
        for (model, format), words in lacking.items()
    }


def known_formats(cells: Iterable[Cell], recipes: Mapping[str, Recipe]) -> None:
    """Raise InputError at a model format that there is not: its compile comes before its model."""
    for stack in dict.fromkeys(cell.stack for cell in cells):
        runner, document = recipes[stack].spec.runner, recipes[stack].document
        written = runner.model_format if runner else []
        forms = [written] if isinstance(written, str) else [one.format for one in written]
        for i, name in enumerate(forms):
            if name not in FORMATS:
                at = ("runner", "model_format")
                near = did_you_mean(name, sorted(FORMATS))
                brief = f"no model format '{name}'{near}; there are: {', '.join(sorted(FORMATS))}"
                raise document.fault(at if isinstance(written, str) else (*at, i, "format"), brief)


def _format(cell: Cell, recipe: Recipe) -> str:
    """What the cell's runner loads; empty where it loads no model."""
    runner = recipe.spec.runner
    return model_format(recipe, runner, dict(cell.options)) if runner else ""


def _with_takers(words: str, stacks: tuple[str, ...]) -> str:
    if not stacks:
        return f"no stack of the matrix takes this model: {words}"
    return f"{words}; stacks of the matrix that take this model: {', '.join(stacks)}"
