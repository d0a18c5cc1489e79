"""What is measured: a network's forward pass, or calls of a library's own functions.

Both have a name, which rows are found by, and a tolerance for each number format. Calls have no
layers: what is computed is the benchmark's own file, which is part of the runner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import cachekey, network
from buildmatrix.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

CALLS = "calls"  # the model format of a runner that needs no model
INPUT, EXPECTED = b"\0\0\0\0", b"\0\0\0\0\0\0\xf0?"  # float32 0; float64 1


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a library's functions; `tolerance` is the largest relative error of a right answer,
    by number format."""

    name: str
    summary: str
    tolerance: Mapping[str, float]


Workload = NetworkSpec | Calls


def digest(one: Workload) -> str:
    """Identity of what is computed, for cache keys."""
    return network.digest(one) if isinstance(one, NetworkSpec) else cachekey.digest([one.name])


def version(one: Workload) -> str:
    """Of what is computed: of a network layers, sizes, and the seed of weights and input."""
    if isinstance(one, Calls):
        return digest(one)[:16]
    what = one.model_dump(
        mode="json", include={"input", "seed", "gain", "layers", "files"}, exclude_defaults=True
    )  # as in network.digest
    return cachekey.digest(what)[:16]


def parameters(one: Workload) -> int:
    """Number of weights and biases; calls have none."""
    return network.parameters(one) if isinstance(one, NetworkSpec) else 0


def multiply_adds(one: Workload) -> int | None:
    """Multiply-adds of one image; None where nobody knows them."""
    return network.multiply_adds(one) if isinstance(one, NetworkSpec) else None


def per(one: Workload) -> str:
    """What a figure is of, in words: an image that went through a network, or a call."""
    return "an image" if isinstance(one, NetworkSpec) else "a call"


def files(_one: Calls) -> dict[str, bytes]:
    """What a bundle's model folder holds for calls: the harness reads an input, and the output is
    1 + the largest relative error, so that 1 is expected."""
    return {"input.f32": INPUT, "expected.f64": EXPECTED}
