"""Which channels of a network are one: those that only go, or stay, together.

Every filter makes a channel of its own. An addition ties the channels that it adds, a depthwise
convolution those before and behind it. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    DeconvSpec,
    DepthToSpaceSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    LrnSpec,
    PadSpec,
    ShiftSpec,
    ShuffleSpec,
    SliceSpec,
    SoftmaxSpec,
)
from buildmatrix.network import INPUT, input_shape, steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.network import NetworkSpec, Step

Numbers = NDArray[np.intp]  # of the channels of one value, in its order
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of a network, by number from 0 to `count` - 1. `entering` and `leaving`: those
    of a layer's first input and of its output. `fixed`: those that cannot go. `beside`: of a
    slice, what it leaves out before and behind."""

    count: int
    entering: Mapping[str, Numbers]
    leaving: Mapping[str, Numbers]
    fixed: frozenset[int]
    beside: Mapping[str, tuple[Numbers, Numbers]]


class Value(NamedTuple):
    """What a layer makes. `silent`: whether a channel is all zeros when its filters are."""

    numbers: Numbers
    silent: Flags


def traced(net: NetworkSpec) -> Channels:
    """The channels of a network.

    Fixed are those of the input and the output, of convolutions in groups, of what looks across
    channels (softmax, normalization, shuffling), and those of which a layer would see a constant
    other than zero if their filters were gone: behind a sigmoid, for one.
    """
    tracing = _Tracing()
    values = {INPUT: tracing.fresh(input_shape(net).channels)}
    tracing.fix(values[INPUT].numbers)
    entering, beside = {}, {}
    last = INPUT
    for step in steps(net):
        read = [values[name] for name in step.reads]
        last = step.layer.name
        entering[last] = read[0].numbers
        values[last] = tracing.through(step, read)
        if isinstance(step.layer, SliceSpec):
            first, end = step.layer.first, step.layer.first + step.layer.channels
            beside[last] = (read[0].numbers[:first], read[0].numbers[end:])
    tracing.fix(values[last].numbers)
    of = tracing.roots()
    return Channels(
        tracing.count,
        {name: of[numbers] for name, numbers in entering.items()},
        {name: of[value.numbers] for name, value in values.items() if name != INPUT},
        frozenset(of[sorted(tracing.fixed)].tolist()),
        {name: (of[before], of[behind]) for name, (before, behind) in beside.items()},
    )


@dataclass(slots=True)
class _Tracing:
    """Numbers given so far; `parents` is a forest, whose trees are channels that are one."""

    parents: list[int] = field(default_factory=list)
    fixed: set[int] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.parents)

    def fresh(self, channels: int) -> Value:
        numbers = np.arange(self.count, self.count + channels)
        self.parents.extend(numbers.tolist())
        return Value(numbers, np.ones(channels, np.bool_))

    def fix(self, numbers: Numbers) -> None:
        self.fixed.update(numbers.tolist())

    def root(self, number: int) -> int:
        while self.parents[number] != number:
            self.parents[number] = self.parents[self.parents[number]]
            number = self.parents[number]
        return number

    def roots(self) -> Numbers:
        return np.array([self.root(number) for number in range(self.count)], np.intp)

    def tie(self, some: Iterable[int], others: Iterable[int]) -> None:
        for one, other in zip(some, others, strict=True):
            self.parents[self.root(other)] = self.root(one)

    def through(self, step: Step, read: list[Value]) -> Value:
        """What comes out of a layer."""
        one, layer = read[0], step.layer
        match layer:
            case ConvSpec() | DeconvSpec() | FcSpec() | DepthToSpaceSpec():
                return self._filtered(layer, step, one)
            case JoinSpec():
                return self._joined(layer, *read)
            case ConcatSpec():
                numbers = np.concatenate([value.numbers for value in read])
                return Value(numbers, np.concatenate([value.silent for value in read]))
            case SliceSpec(first=first, channels=channels):
                end = first + channels
                return Value(one.numbers[first:end], one.silent[first:end])
            case PadSpec(channels=(before, behind)) if before or behind:
                return self._padded(layer, one)
            case FlattenSpec():
                area = step.before.height * step.before.width
                return Value(one.numbers.repeat(area), one.silent.repeat(area))
            case SoftmaxSpec() | LrnSpec() | ShuffleSpec():
                self.fix(one.numbers)
                order = np.arange(len(one.numbers))
                if isinstance(layer, ShuffleSpec):
                    order = order.reshape(layer.groups, -1).T.ravel()
                return Value(one.numbers[order], one.silent[order])
            case _:
                return one._replace(silent=one.silent & _keeps_zero(step))

    def _filtered(
        self, layer: ConvSpec | DeconvSpec | FcSpec | DepthToSpaceSpec, step: Step, read: Value
    ) -> Value:
        """Of filters, or of what makes pixels of channels: several of those are one, and stay."""
        if isinstance(layer, DepthToSpaceSpec):
            return self._kept(step, read)
        groups = 1 if isinstance(layer, FcSpec) else layer.groups
        if groups == 1:
            self.fix(read.numbers[~read.silent])
            return self.fresh(layer.outputs)
        if groups == step.before.channels:  # depthwise: some outputs of each channel
            each = layer.outputs // groups
            return Value(read.numbers.repeat(each), np.ones(layer.outputs, np.bool_))
        return self._kept(step, read)

    def _kept(self, step: Step, read: Value) -> Value:
        """Channels of which none can go, before and behind a layer."""
        self.fix(read.numbers)
        made = self.fresh(step.after.channels)
        self.fix(made.numbers)
        return made

    def _padded(self, layer: PadSpec, read: Value) -> Value:
        """Channels that no filter makes stay, before and behind those that are read."""
        before, behind = (self.fresh(count) for count in layer.channels)
        for added in (before, behind):
            self.fix(added.numbers)
        made = [before.numbers, read.numbers, behind.numbers]
        silent = np.concatenate([before.silent, read.silent, behind.silent])
        return Value(np.concatenate(made), silent & (layer.value == 0))

    def _joined(self, layer: JoinSpec, one: Value, other: Value) -> Value:
        self.tie(one.numbers.tolist(), other.numbers.tolist())
        added = layer.type == "add"
        return Value(one.numbers, one.silent & other.silent if added else one.silent | other.silent)


def _keeps_zero(step: Step) -> bool:
    """Whether a layer that works value by value, or on each channel alone, makes zero of zero."""
    match step.layer:
        case ActivationSpec(type=kind):
            return kind in ("tanh", "hard-swish", "gelu")
        case ClipSpec(low=low, high=high):
            return low <= 0 <= high
        case PadSpec(mode=mode, value=value):
            return mode != "constant" or value == 0
        case ShiftSpec():
            return False
        case _:
            return True
