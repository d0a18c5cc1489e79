"""A network as data: its layers, the sizes that follow from them, and what it costs.

Every layer means the same in all stacks: sizes that they would round differently are refused.
`model.yaml` is all that a new network needs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PositiveFloat, PositiveInt, SerializeAsAny, model_validator

from buildmatrix import cachekey, sizes
from buildmatrix.layers import (
    ConvSpec,
    DeconvSpec,
    FcSpec,
    FlattenSpec,
    Layer,
    PReluSpec,
    ReluSpec,
    Shape,
    ShiftSpec,
)
from buildmatrix.schema import Spec

INPUT, OUTPUT = "data", "prob"  # names of the input and the output in every exported format


class InputSpec(Spec):
    """The input layer: the size of the values of one image, channels first."""

    channels: PositiveInt = Field(description="3 of a colour picture, 1 of a grey one")
    height: PositiveInt = Field(description="rows")
    width: PositiveInt = Field(description="columns")


FormVersion = Annotated[Literal[1], Field(description="of this file's form: 1")]
ModelName = Annotated[
    str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", description="as its folder is called")
]
Summary = Annotated[str, Field(description="what it is, in a line; listings show it")]
# Of weights and values, as a runner says it. float32-fast: float32, but convolutions by transforms
# that lose some of its digits, as Winograd's do in large tiles. float16-weights: what is kept is
# float16, and what is computed with it is float32.
NumberFormat = Literal["float32", "float32-fast", "float16-weights", "float16", "bfloat16", "int8"]
Tolerance = Annotated[
    dict[NumberFormat, PositiveFloat],
    Field(
        min_length=1,
        description="largest relative error of a right answer, by number format; "
        "{float32: 1.0e-4} suits most networks. Of a quantized file: steps of its output, "
        "as {int8: 2}",
    ),
]


class NetworkSpec(Spec):
    """`model.yaml` of a network whose weights are drawn, not trained."""

    version: FormVersion
    name: ModelName
    summary: Summary
    input: InputSpec
    seed: Annotated[int, Field(ge=0, description="weights and input are drawn from it")]
    gain: PositiveFloat = Field(
        1.0, description="of weights over He's, for a network in which signals fade with depth"
    )
    tolerance: Tolerance
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, strict=False)] = Field(
        description="in their order; each reads the one before it unless `inputs` says otherwise"
    )

    @model_validator(mode="after")
    def _distinct_names(self) -> NetworkSpec:
        names = [INPUT, *(layer.name for layer in self.layers)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"layer names must differ: {', '.join(twice)} is taken")
        for place, layer in enumerate(self.layers, start=1):
            for read in layer.inputs:
                if read not in names[:place]:
                    raise ValueError(f"{layer.name} reads {read}, which is no layer before it")
        return self


class ImportedNetwork(NetworkSpec):
    """A network whose layers and weights were read from a file in a framework's own format.

    `files`: sha256 by name, of that file and of all that it refers to, below `folder`; the first is
    the file. `values`: the .npy file of the input, which is drawn from the seed when empty;
    `calibration`: of the images that int8 is calibrated on, drawn ones when empty; `held_out`: the
    .npz file of pictures that it has not learnt from, or empty.
    `denormals`: how many weights and biases are closer to zero than a normal float32.
    """

    folder: Path
    files: Mapping[str, str]
    values: str = ""
    calibration: str = ""
    held_out: str = ""
    output: str = ""
    denormals: int = 0

    @property
    def file(self) -> Path:
        return self.folder / next(iter(self.files))


class QuantizedNetwork(ImportedNetwork):
    """A network in a quantized file of TensorFlow Lite's, which goes to the board as it is: only
    stacks whose own format it is take it, and its layers are not read.

    `at`: an operator that computes in 8 bits. `step`: between two numbers that its output can say,
    in which answers are judged; 0 of one that ends in floats. `low`, `high`: what its input can
    say, between which an image is drawn. `weights`: what it has learnt; `products`: multiply-adds
    of one image, where its sizes tell.
    """

    layers: tuple[Layer, ...] = Field((), strict=False)
    at: str
    step: float
    low: float
    high: float
    weights: int
    products: int | None = None


class PruneSpec(Spec):
    """How a network is made smaller."""

    keep: Annotated[
        float,
        Field(gt=0, lt=1, description="share of the filters that stay, of those that compete"),
    ]
    by: Literal["l1", "l2"] = Field("l1", description="norm of a filter's weights; the smallest go")


class VariantSpec(Spec):
    """`model.yaml` of a network made out of another model of the project."""

    version: FormVersion
    name: ModelName
    summary: Summary
    of: ModelName = Field(description="the model that it is made out of")
    prune: PruneSpec = Field(description="takes whole filters out")
    tolerance: Tolerance | None = Field(
        None, description="that of the other model when not written"
    )


class PrunedNetwork(NetworkSpec):
    """What is left of the network `whole`."""

    whole: SerializeAsAny[NetworkSpec]
    prune: PruneSpec


def origin(net: NetworkSpec) -> NetworkSpec:
    """The network that is written or read, which a variant is made out of; itself for others."""
    while isinstance(net, PrunedNetwork):
        net = net.whole
    return net


class Step(NamedTuple):
    """A layer between its two shapes. `relu`: its output goes through a ReLU. `reads`: names of
    what it reads, as `befores` are their shapes; `before` is the first."""

    layer: Layer
    before: Shape
    after: Shape
    relu: bool = False
    reads: tuple[str, ...] = ()
    befores: tuple[Shape, ...] = ()

    def is_flat(self, images: tuple[type, ...], flat: Collection[bool]) -> bool:
        """Whether its value has no height and width, in a format where a value can lose them:
        `images` are the layers that need both, `flat` says it of each value that it reads."""
        if isinstance(self.layer, FcSpec | FlattenSpec):
            return True
        return not isinstance(self.layer, images) and all(flat)


def steps(net: NetworkSpec) -> tuple[Step, ...]:
    """The layers with their shapes. Raises InputError where a layer does not fit its input."""
    found = []
    known = {INPUT: input_shape(net)}
    last = INPUT
    for layer in net.layers:
        reads = layer.inputs or (last,)
        befores = tuple(known[name] for name in reads)
        after = sizes.after(
            layer, befores, where=net.name, any_groups=isinstance(origin(net), ImportedNetwork)
        )
        found.append(Step(layer, befores[0], after, reads=reads, befores=befores))
        last = layer.name
        known[last] = after
    return tuple(found)


def fused(net: NetworkSpec) -> tuple[Step, ...]:
    """The same with each ReLU after a convolution or a fully connected layer made part of it, as
    stacks do whose layers have an activation of their own."""
    plain = steps(net)
    readers = [name for step in plain for name in step.reads]
    found: dict[str, Step] = {}
    taken: dict[str, str] = {}  # a ReLU that is part of another layer -> that layer
    for step in plain:
        reads = tuple(taken.get(name, name) for name in step.reads)
        before = found.get(reads[0])
        if (
            isinstance(step.layer, ReluSpec)
            and before is not None
            and isinstance(before.layer, ConvSpec | FcSpec)
            and readers.count(before.layer.name) == 1
        ):
            found[reads[0]] = before._replace(relu=True)
            taken[step.layer.name] = reads[0]
        else:
            found[step.layer.name] = step._replace(reads=reads)
    return tuple(found.values())


def shapes(net: NetworkSpec) -> tuple[Shape, ...]:
    """The shape after each layer. Raises InputError where a layer does not fit its input."""
    return tuple(step.after for step in steps(net))


def input_shape(net: NetworkSpec) -> Shape:
    return Shape(net.input.channels, net.input.height, net.input.width)


def parameters(net: NetworkSpec) -> int:
    """Number of weights and biases."""
    return sum(prod(w) + b for _, w, b in parameter_shapes(net))


def parameter_shapes(net: NetworkSpec) -> tuple[tuple[str, tuple[int, ...], int], ...]:
    """(layer, weight shape, number of biases) of each layer that has any.

    Weights are (outputs, inputs of a group, height, width) of a convolution, (inputs, outputs of a
    group, height, width) of a transposed one, (outputs, inputs) of a fully connected layer,
    (channels,) of a PReLU and (channels, height, width) of a shift; these two have no biases.
    """
    found: list[tuple[str, tuple[int, ...], int]] = []
    for layer, before, *_ in steps(net):
        match layer:
            case ConvSpec(name=name, outputs=n, groups=groups):
                found.append((name, (n, before.channels // groups, *layer.window.kernel), n))
            case DeconvSpec(name=name, outputs=n, groups=groups):
                found.append((name, (before.channels, n // groups, *layer.window.kernel), n))
            case FcSpec(name=name, outputs=n):
                found.append((name, (n, prod(before)), n))
            case PReluSpec(name=name):
                found.append((name, (before.channels,), 0))
            case ShiftSpec(name=name):
                found.append((name, (*before,), 0))
            case _:
                pass
    return tuple(found)


def multiply_adds(net: NetworkSpec) -> int:
    """Multiply-adds of one image through convolutions and fully connected layers."""
    positions = {
        step.layer.name: prod(
            (step.before if isinstance(step.layer, DeconvSpec) else step.after)[1:]
        )
        for step in steps(net)
        if not isinstance(step.layer, PReluSpec | ShiftSpec)
    }
    return sum(prod(weight) * positions.get(name, 0) for name, weight, _ in parameter_shapes(net))


def digest(net: NetworkSpec) -> str:
    """Identity of what is computed: name, sizes, layers and the seed of weights and input.

    The summary may be reworded and the tolerance moved without making another network of it; a
    setting at its default counts as not written, so that a new kind of setting changes nothing.
    """
    words: dict[str, bool] = dict.fromkeys(("summary", "tolerance", "folder"), True)
    content = net.model_dump(mode="json", exclude=words, exclude_defaults=True)
    if isinstance(net, PrunedNetwork):
        content["whole"] = digest(net.whole)
    return cachekey.digest(content)
