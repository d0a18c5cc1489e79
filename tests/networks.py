"""Small networks of layers that a test wants to see alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buildmatrix.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

Size = tuple[int, int, int]  # channels, height, width of an image


def of_layers(*layers: Mapping[str, Any], size: Size = (4, 6, 6)) -> NetworkSpec:
    """A network of these layers and nothing else."""
    made = {
        **{"version": 1, "name": "net", "summary": "", "seed": 1},
        "input": dict(zip(("channels", "height", "width"), size, strict=True)),
        "tolerance": {"float32": 1e-4},
        "layers": layers,
    }
    return NetworkSpec.model_validate(made)


def with_outputs(*layers: Mapping[str, Any], size: Size = (4, 6, 6)) -> NetworkSpec:
    """A network of these layers and a last one, `prob`, which makes three outputs of all values."""
    return of_layers(*layers, {"type": "fc", "name": "prob", "outputs": 3}, size=size)
