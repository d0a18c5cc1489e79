"""The kinds of layers that a network is made of, as data, and the size of what comes out of each.

Written in `model.yaml`, or read from a file in a framework's format. A layer reads the layer before
it, unless `inputs` names others.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, FiniteFloat, PositiveFloat, PositiveInt, model_validator

from buildmatrix.schema import Spec

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
NotNegative = Annotated[int, Field(ge=0)]
Size = PositiveInt | Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
Sides = NotNegative | Annotated[tuple[int, int, int, int], Field(strict=False)]
Kernel = Annotated[Size, Field(description="of the window: one number, or [height, width]")]
Stride = Annotated[
    Size, Field(description="how far apart windows are: one number, or [height, width]")
]
Pad = Annotated[Sides, Field(description="on all sides, or [top, left, bottom, right]")]
Outputs = Annotated[PositiveInt, Field(description="how many values or channels come out")]
Groups = Annotated[PositiveInt, Field(description="of channels that are worked on apart")]


class Shape(NamedTuple):
    """Size of one image's values between two layers."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


class Window(NamedTuple):
    """What moves over an image: sizes are (height, width), `pads` (top, left, bottom, right).

    A bottom or right pad below zero leaves out rows or columns that no window reaches.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int] = (1, 1)

    @property
    def reach(self) -> tuple[int, int]:
        """How many rows and columns a window spans."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))  # type: ignore[return-value]

    @property
    def plain(self) -> bool:
        """Whether it is square, and the same on all sides: what every stack knows."""
        pairs = (self.kernel, self.stride, self.dilation)
        return all(a == b for a, b in pairs) and len(set(self.pads)) == 1

    @property
    def mirrored(self) -> bool:
        """Whether as much is added at the end as at the start."""
        top, left, bottom, right = self.pads
        return (top, left) == (bottom, right)

    def places(self, shape: Shape) -> tuple[int, int]:
        """How often it fits along the height and the width, rounded down."""
        top, left, bottom, right = self.pads
        sizes = (shape.height + top + bottom, shape.width + left + right)
        rows, columns = (
            (size - reach) // stride + 1
            for size, reach, stride in zip(sizes, self.reach, self.stride, strict=True)
        )
        return rows, columns


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _four(pad: int | tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return (pad,) * 4 if isinstance(pad, int) else pad


class LayerSpec(Spec):
    """What every layer has."""

    name: Name = Field(description="what others read it by")
    inputs: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="the layers that it reads; empty: the one before it"
    )
    node: str = Field("", description="operator and name in the file that it was read from")

    @property
    def called(self) -> str:
        """In a sentence: its name, and what it is in the file that it was read from."""
        return f"layer {self.name} ({self.node})" if self.node else f"layer {self.name}"


class ConvSpec(LayerSpec):
    """Convolution with one bias per output channel.

    `kernel`, `stride` and `dilation` are of both sides, or [height, width]; `pad` zeros are added
    on each of the four sides, or [top, left, bottom, right]. With `groups` equal to the input
    channels it is depthwise.
    """

    type: Literal["conv"]
    outputs: Outputs
    kernel: Kernel
    stride: Stride = 1
    pad: Pad = 0
    groups: Groups = 1
    dilation: Size = Field(1, description="how far apart the rows and columns of a window are")

    @property
    def window(self) -> Window:
        return Window(_pair(self.kernel), _pair(self.stride), _four(self.pad), _pair(self.dilation))


class DeconvSpec(LayerSpec):
    """Transposed convolution with one bias per output channel: each value is spread over a window.

    `stride` is how far apart the windows of neighbours begin; `pad` rows and columns are cut off
    the four sides of the sum. `groups` as for a convolution.
    """

    type: Literal["deconv"]
    outputs: Outputs
    kernel: Kernel
    stride: Stride = 1
    pad: Pad = 0
    groups: Groups = 1

    @property
    def window(self) -> Window:
        return Window(_pair(self.kernel), _pair(self.stride), _four(self.pad))


class PadSpec(LayerSpec):
    """Rows and columns added at the four sides: of `value`, or what is at the edge ('edge'), or
    what is mirrored in it ('reflect'). `channels` of `value` are added before the first channel and
    behind the last."""

    type: Literal["pad"]
    pad: Pad = 0
    channels: Annotated[
        tuple[NotNegative, NotNegative],
        Field(strict=False, description="channels that a constant pad adds: [before, behind]"),
    ] = (0, 0)
    mode: Literal["constant", "edge", "reflect"] = Field(
        "constant", description="what is added: the value, the edge, or its mirror image"
    )
    value: FiniteFloat = Field(0.0, description="what a constant pad adds")

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right)."""
        return _four(self.pad)

    @model_validator(mode="after")
    def _grows(self) -> PadSpec:
        if min(self.sides) < 0:
            raise ValueError(f"pad adds rows and columns, and {min(self.sides)} is below 0")
        if not {"pad", "channels"} & self.model_fields_set:
            raise ValueError("it has neither `pad` nor `channels`: what does it add?")
        if any(self.channels) and self.mode != "constant":
            raise ValueError(f"channels are added of a value, and its mode is {self.mode}")
        return self


class PoolSpec(LayerSpec):
    """Pooling window. What `pad` adds is never the largest, and part of an average only when
    `counts_pad` says so."""

    type: Literal["pool"]
    method: Literal["max", "average"] = Field(description="what is taken of a window")
    kernel: Kernel
    stride: Stride
    pad: Pad = 0
    counts_pad: bool = Field(default=False, description="whether an average counts what `pad` adds")

    @property
    def window(self) -> Window:
        return Window(_pair(self.kernel), _pair(self.stride), _four(self.pad))


class FcSpec(LayerSpec):
    """Fully connected; reads its input flattened, channels first."""

    type: Literal["fc"]
    outputs: Outputs


class FlattenSpec(LayerSpec):
    """The same values as channels of one pixel, in the order channels, height, width."""

    type: Literal["flatten"]


class ReluSpec(LayerSpec):
    type: Literal["relu"]


class ClipSpec(LayerSpec):
    """Values below `low` become `low`, those above `high` become `high`: ReLU6 is 0 to 6."""

    type: Literal["clip"]
    low: FiniteFloat = Field(description="what lower values become")
    high: FiniteFloat = Field(description="what higher values become")

    @model_validator(mode="after")
    def _in_order(self) -> ClipSpec:
        if self.low >= self.high:
            raise ValueError(f"low must be less than high, and {self.low} is not below {self.high}")
        return self


class LeakyReluSpec(LayerSpec):
    """Values below zero are multiplied by `slope`."""

    type: Literal["leaky-relu"]
    slope: PositiveFloat = Field(description="what values below zero are multiplied by")


class PReluSpec(LayerSpec):
    """Values below zero are multiplied by the slope of their channel, which is learnt."""

    type: Literal["prelu"]


class ShiftSpec(LayerSpec):
    """A number of its own is added to each value of an image, which is learnt: the places of its
    pixels, as detectors add them."""

    type: Literal["shift"]


class ActivationSpec(LayerSpec):
    """A function of each value. `hard-sigmoid` is min(max(x / 6 + 1/2, 0), 1); `hard-swish` is x
    times that; `gelu` is x times the share of a normal distribution that lies below x; `log` is the
    natural logarithm, which after a softmax makes what some call one layer."""

    type: Literal["sigmoid", "tanh", "hard-sigmoid", "hard-swish", "gelu", "log"]


class SoftmaxSpec(LayerSpec):
    """Softmax over the channels of its input: their values become shares that add up to one."""

    type: Literal["softmax"]


class JoinSpec(LayerSpec):
    """Two inputs, value by value: their sum or product. One that has a single pixel stands for all
    pixels of its channel."""

    type: Literal["add", "mul"]


class ConcatSpec(LayerSpec):
    """The channels of all inputs, one after the other."""

    type: Literal["concat"]


class SliceSpec(LayerSpec):
    """`channels` channels of its input, from number `first` on."""

    type: Literal["slice"]
    first: NotNegative = Field(description="number of the first channel, from 0")
    channels: PositiveInt = Field(description="how many are taken")


class ShuffleSpec(LayerSpec):
    """The channels of `groups` equal groups, taken in turn: the first of each, the second, ..."""

    type: Literal["shuffle"]
    groups: Groups


class DepthToSpaceSpec(LayerSpec):
    """`block` times `block` pixels for each one, out of as many groups of channels: the first group
    is the top left pixel, the next the one at its right."""

    type: Literal["depth-to-space"]
    block: PositiveInt = Field(description="pixels for each one, in both directions")


class UpsampleSpec(LayerSpec):
    """`factor` values in both directions for each one: the same, or on straight lines between the
    middles of pixels, beyond the outermost of which nothing changes."""

    type: Literal["upsample"]
    factor: PositiveInt = Field(description="values for each one, in both directions")
    mode: Literal["nearest", "linear"] = Field(
        "nearest", description="the same values, or those between"
    )


class LrnSpec(LayerSpec):
    """Local response normalization across channels: x / (bias + alpha / size * sum of the squares
    of the `size` channels around it) ** beta."""

    type: Literal["lrn"]
    size: PositiveInt = Field(description="how many channels a sum is of")
    alpha: PositiveFloat = Field(description="what the sum is multiplied by, over `size`")
    beta: PositiveFloat = Field(description="the power that it is raised to")
    bias: PositiveFloat = Field(description="what is added before that")


# Layers whose input has a height and a width.
IMAGES = (
    *(ConvSpec, DeconvSpec, PoolSpec, LrnSpec),
    *(PadSpec, ShiftSpec, ShuffleSpec, DepthToSpaceSpec, UpsampleSpec),
)

LayerType = Literal[
    "conv",
    "relu",
    "pool",
    "fc",
    "softmax",
    "flatten",
    "clip",
    "leaky-relu",
    "sigmoid",
    "tanh",
    "hard-sigmoid",
    "hard-swish",
    "gelu",
    "log",
    "deconv",
    "pad",
    "prelu",
    "shift",
    "slice",
    "shuffle",
    "depth-to-space",
    "add",
    "mul",
    "concat",
    "upsample",
    "lrn",
]
Layer = Annotated[
    ConvSpec
    | ReluSpec
    | PoolSpec
    | FcSpec
    | SoftmaxSpec
    | FlattenSpec
    | ClipSpec
    | LeakyReluSpec
    | ActivationSpec
    | DeconvSpec
    | PadSpec
    | PReluSpec
    | ShiftSpec
    | SliceSpec
    | ShuffleSpec
    | DepthToSpaceSpec
    | JoinSpec
    | ConcatSpec
    | UpsampleSpec
    | LrnSpec,
    Field(discriminator="type"),
]
