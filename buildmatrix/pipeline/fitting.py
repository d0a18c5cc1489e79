"""Which cells lose their model: the format of their stack cannot say a layer of it, or is none, or
their library is built without a layer's kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.errors import did_you_mean
from buildmatrix.export import FORMATS, able
from buildmatrix.network import NetworkSpec, QuantizedNetwork
from buildmatrix.resolved import built_layers, model_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.nouns import Cell
    from buildmatrix.recipe import Recipe
    from buildmatrix.workload import Workload

Pair = tuple[str, str]  # a model and a format


def gaps(
    nets: Mapping[str, Workload],
    cells: Iterable[Cell],
    recipes: Mapping[str, Recipe],
    unbuilt: Mapping[str, str],
) -> dict[Pair, str]:
    """What a format cannot say of a model, where it cannot, with the stacks of the matrix that
    take the model. `unbuilt`: cells that do not, for another reason."""
    found = {
        (name, format): words
        for name, net in nets.items()
        if isinstance(net, NetworkSpec)
        for format, words in able.gaps(net).items()
    }
    lacking = {pair: words for pair, words in found.items() if words}
    if not lacking:
        return {}
    takers: dict[str, dict[str, None]] = {}
    for cell in (one for one in cells if one.id not in unbuilt):
        if (format := _format(cell, recipes[cell.stack])) and (cell.model, format) not in lacking:
            takers.setdefault(cell.model, {})[cell.stack] = None
    return {
        (model, format): _with_takers(words, tuple(takers.get(model, ())))
        for (model, format), words in lacking.items()
    }


def unbuilt(
    nets: Mapping[str, Workload], cells: Iterable[Cell], recipes: Mapping[str, Recipe]
) -> dict[str, str]:
    """Of cells whose library lacks the kernels of a layer of their model, which one, in words."""
    found = {}
    for cell in cells:
        runner, net = recipes[cell.stack].spec.runner, nets.get(cell.model)
        if runner is None or not runner.layers:
            continue
        options = dict(cell.options)
        built = built_layers(runner, options)
        if built is None or not isinstance(net, NetworkSpec) or isinstance(net, QuantizedNetwork):
            continue
        layer = next((one for one in net.layers if one.type not in built.only), None)
        if layer is not None:
            how = "".join(f" with {name} {options[name]}" for name in built.when)
            words = f"{cell.stack}{how} has no kernels for {layer.type}: {layer.called}"
            found[cell.id] = words
    return found


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
