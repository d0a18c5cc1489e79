"""ExecuTorch: a program of one call of the XNNPACK backend, channels last, any batch up to a bound.

Written without PyTorch, whose exporter traces a module. All values have four sizes, the last is of
channels; a fully connected layer's have a height and a width of 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from buildmatrix.export import layout
from buildmatrix.export.executorch_program import program
from buildmatrix.export.xnnpack_graph import EVERY, Graph, Node
from buildmatrix.layers import (
    ActivationSpec,
    ClipSpec,
    ConcatSpec,
    ConvSpec,
    FcSpec,
    FlattenSpec,
    JoinSpec,
    LeakyReluSpec,
    PadSpec,
    PoolSpec,
    PReluSpec,
    ReluSpec,
    Shape,
    ShiftSpec,
    ShuffleSpec,
    SliceSpec,
    SoftmaxSpec,
    UpsampleSpec,
)
from buildmatrix.network import INPUT, fused, input_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.layers import Layer
    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import Parameters

    Fields = tuple[int | float | tuple[int, ...] | None, ...]

NO_LESS = (0.0, np.inf)  # a ReLU's limits
MOST_JOINED = 5  # of values by one node


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    """net.pte: the program, with the backend's graph and the weights in it."""
    writer = _Writer({p.layer: p for p in parameters})
    writer.last = writer.values[INPUT] = writer.graph.value(_last(input_shape(net)))
    for step in fused(net):
        writer.last = writer.values[step.reads[0]]
        writer.layer(step)
        writer.values[step.layer.name] = writer.last
    shapes = writer.graph.shapes
    blob = writer.graph.serialized(writer.last)
    return {"net.pte": program(blob, (shapes[0], shapes[writer.last]))}


@dataclass
class _Writer:
    """Adds layer after layer to the graph. `last` is the value that the next node reads first."""

    learnt: Mapping[str, Parameters]
    graph: Graph = field(default_factory=Graph)
    values: dict[str, int] = field(default_factory=dict)  # of each layer, by its name
    last: int = 0

    def node(
        self,
        kind: str,
        shape: tuple[int, ...],
        fields: Fields = (),
        others: tuple[int | None, ...] = (),
        limits: tuple[float, float] = EVERY,
    ) -> None:
        """From the newest value (and `others`, constants among them) to a new one."""
        made = self.graph.value(shape)
        self.graph.nodes.append(Node(kind, (*fields, self.last, *others, made, 0), limits))
        self.last = made

    def layer(self, step: Step) -> None:
        limits = NO_LESS if step.relu else EVERY
        after = _last(step.after)
        match step.layer:
            case ConvSpec() as layer:
                self._convolution(step, layer, limits)
            case PoolSpec() as layer:
                self._pooling(step, layer)
            case FcSpec():
                self._flatten(step.before)
                self.node("fc", after, (), self._constants(step), limits)
            case FlattenSpec():
                if step.before.height * step.before.width > 1:
                    channels, height, width = step.before
                    turned = (1, channels, height, width)
                    self.node("transpose", turned, (4, (0, 3, 1, 2)))
                self._flatten(step.before)
            case JoinSpec(type=kind):
                self.node(kind, after, (), (self.values[step.reads[1]],))
            case ConcatSpec():
                self._concatenation(step)
            case ShuffleSpec(groups=groups):
                self._shuffle(step.after, groups)
            case PadSpec() as layer:
                self._pad(after, layer.sides, layer.channels, layer.value)
            case SliceSpec(first=first, channels=channels):
                # A size of 0 is all there is from the offset on, whatever the batch.
                self.node("slice", after, (4, (0, 0, 0, first), (0, 0, 0, channels)))
            case UpsampleSpec():
                self.node("upsample", after, (step.after.height, step.after.width))
            case layer:
                self._function(layer, after)

    def _function(self, layer: Layer, after: tuple[int, ...]) -> None:
        """What is computed of each value by itself, or of each pixel."""
        match layer:
            case ReluSpec():
                self.node("clamp", after, limits=NO_LESS)
            case ClipSpec(low=low, high=high):
                self.node("clamp", after, limits=(low, high))
            case LeakyReluSpec(slope=slope):
                self.node("leaky-relu", after, (float(slope),))
            case PReluSpec(name=name):
                slopes = self.graph.constant(self.learnt[name].weight.reshape(-1))
                self.node("prelu", after, (), (slopes,))
            case ShiftSpec(name=name):
                numbers = np.moveaxis(self.learnt[name].weight, 0, -1)[None]
                self.node("add", after, (), (self.graph.constant(numbers),))
            case ActivationSpec(type="hard-sigmoid"):
                for kind, number, limits in (("mul", 1 / 6, EVERY), ("add", 0.5, (0.0, 1.0))):
                    held = self.graph.constant(np.full((1, 1, 1, 1), number, np.float32))
                    self.node(kind, after, (), (held,), limits)
            case ActivationSpec() | SoftmaxSpec():
                self.node(layer.type, after)
            case _:
                raise AssertionError(f"able.check lets no {layer.type} through")

    def _convolution(self, step: Step, layer: ConvSpec, limits: tuple[float, float]) -> None:
        groups, window = layer.groups, layer.window
        each = (step.before.channels // groups, layer.outputs // groups, groups)
        kind = "depthwise" if groups > 1 and each[0] == 1 else "conv"
        fields = (*_sides(window.pads), *window.kernel, *window.stride, *window.dilation, *each)
        self.node(kind, _last(step.after), (*fields, 0, 0), self._constants(step), limits)

    def _pooling(self, step: Step, layer: PoolSpec) -> None:
        window, pads = layer.window, _sides(layer.window.pads)
        if layer.method == "average" and layer.counts_pad and any(pads):
            top, right, bottom, left = pads
            channels, height, width = step.before
            grown = (1, height + top + bottom, width + left + right, channels)
            self._pad(grown, (top, left, bottom, right), (0, 0), 0.0)
            pads = (0, 0, 0, 0)
        fields = (*pads, *window.kernel, *window.stride, 1, 1)
        self.node(layer.method, _last(step.after), fields)

    def _pad(
        self,
        grown: tuple[int, ...],
        sides: tuple[int, int, int, int],
        channels: tuple[int, int],
        value: float,
    ) -> None:
        top, left, bottom, right = sides
        before, behind = (0, top, left, channels[0]), (0, bottom, right, channels[1])
        self.node("pad", grown, (before, behind, float(value)))

    def _concatenation(self, step: Step) -> None:
        """Of more values than a node takes, groups are joined, and then what came of the groups."""
        values = [self.last, *(self.values[name] for name in step.reads[1:])]
        while len(values) > 1:
            groups = (values[at : at + MOST_JOINED] for at in range(0, len(values), MOST_JOINED))
            values = [self._joined(*group) for group in groups]
        (self.last,) = values

    def _joined(self, first: int, *others: int) -> int:
        if not others:
            return first
        *image, _ = self.graph.shapes[first]
        channels = sum(self.graph.shapes[value][-1] for value in (first, *others))
        made = self.graph.value((*image, channels))
        four, fifth = [*others, None, None][:3], others[3:]
        self.graph.nodes.append(
            Node(f"concat{1 + len(others)}", (3, first, *four, made, 0, *fifth))
        )
        return made

    def _shuffle(self, after: Shape, groups: int) -> None:
        """Groups and their members exchanged."""
        each, area = after.channels // groups, after.height * after.width
        self.node("reshape", (1, area, groups, each), (4, (0, area, groups, each)))
        self.node("transpose", (1, area, each, groups), (4, (0, 1, 3, 2)))
        self.node("reshape", _last(after), (4, (0, *_last(after)[1:])))

    def _flatten(self, before: Shape) -> None:
        size = before.channels * before.height * before.width
        if before != Shape(size, 1, 1):
            self.node("reshape", (1, 1, 1, size), (4, (0, 1, 1, size)))

    def _constants(self, step: Step) -> tuple[int, int]:
        _, weight, bias = self.learnt[step.layer.name]
        arranged = layout.arranged(step, weight, lite=True)
        return self.graph.constant(arranged), self.graph.constant(bias)


def _last(shape: Shape) -> tuple[int, int, int, int]:
    return (1, shape.height, shape.width, shape.channels)


def _sides(pads: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Top, right, bottom, left, as XNNPACK has them, which leaves out nothing that is there."""
    top, left, bottom, right = pads
    return top, max(right, 0), max(bottom, 0), left
