"""What is measured: a network's forward pass, or calls of a library's own functions.

Both have a name, which rows are found by, and a tolerance for each number format. Calls have no
layers: what is computed is the benchmark's own file, which is part of the runner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix import cachekey, network
from buildmatrix.layers import ConvSpec, DeconvSpec
from buildmatrix.network import ImportedNetwork, NetworkSpec, PrunedNetwork, QuantizedNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

CALLS = "calls"  # the model format of a runner that needs no model
QUAD = 4  # fp32 lanes of a NEON register
REFERENCE = "reference"  # NumPy, in float64
LITERT = "LiteRT"  # its reference kernels, on the machine that builds
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
    if isinstance(one, PrunedNetwork):
        what |= {"whole": version(one.whole), "prune": one.prune.model_dump(mode="json")}
    if isinstance(one, QuantizedNetwork):
        what |= {"output": one.output}  # of others the layers tell
    return cachekey.digest(what)[:16]


def answerer(one: Workload) -> str:
    """Who says what is right: REFERENCE, or what reads a file that we do not compute."""
    return LITERT if isinstance(one, QuantizedNetwork) else REFERENCE


def answer_of(who: str) -> str:
    """The same in words: 'the reference', "LiteRT's answer"."""
    return "the reference" if who == REFERENCE else f"{who}'s answer"


@dataclass(frozen=True, slots=True)
class Described:
    """What is said of a workload beside its figures."""

    name: str
    per: str  # what a figure is of: an image that went through a network, or a call
    parameters: int  # weights and biases; calls have none
    multiply_adds: int | None  # of one image; None where nobody knows them
    denormals: int = 0  # of the parameters
    convolves: bool = True  # whether one of its layers is a convolution
    whole: tuple[str, int] | None = None  # what it was pruned from, and its multiply-adds

    @property
    def bound(self) -> float | None:
        """Fewest quad multiply-add instructions of a direct convolution; None as above, and
        where nothing is convolved."""
        return self.multiply_adds / QUAD if self.multiply_adds and self.convolves else None

    @property
    def sentence(self) -> str:
        """'face-cnn: 1,039,744 parameters, 49.4 million multiply-adds an image'."""
        if self.multiply_adds is None and not self.parameters:
            return f"{self.name}: calls of the library's own functions, ms {self.per}"
        if self.multiply_adds is None:
            return f"{self.name}: {self.parameters:,} parameters"
        million = f"{self.multiply_adds / 1e6:.1f} million multiply-adds {self.per}"
        small = f" ({self.denormals:,} of them denormal)" if self.denormals else ""
        said = f"{self.name}: {self.parameters:,} parameters{small}, {million}"
        name, before = self.whole or ("", 0)
        if not before:
            return said
        return f"{said}, {self.multiply_adds / before:.0%} of {name}'s"


def described(one: Workload) -> Described:
    """How large a workload is, and what its figures are of."""
    if isinstance(one, QuantizedNetwork):  # quad multiply-adds of floats are no bound of it
        return Described(one.name, "an image", one.weights, one.products, convolves=False)
    if isinstance(one, NetworkSpec):
        sizes = network.parameters(one), network.multiply_adds(one)
        denormals = one.denormals if isinstance(one, ImportedNetwork) else 0
        convolves = any(isinstance(layer, ConvSpec | DeconvSpec) for layer in one.layers)
        whole = None
        if isinstance(one, PrunedNetwork):
            whole = (one.whole.name, network.multiply_adds(one.whole))
        return Described(one.name, "an image", *sizes, denormals, convolves, whole)
    return Described(one.name, "a call", 0, None)


def files(_one: Calls) -> dict[str, bytes]:
    """What a bundle's model folder holds for calls: the harness reads an input, and the output is
    1 + the largest relative error, so that 1 is expected."""
    return {"input.f32": INPUT, "expected.f64": EXPECTED}
