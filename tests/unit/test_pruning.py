"""Pruning: what is left computes what the whole network does without the filters that went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildmatrix import network, pruning, reference
from buildmatrix.network import NetworkSpec, VariantSpec

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from buildmatrix.network import PrunedNetwork
    from buildmatrix.reference import Parameters

Layers = list[dict[str, Any]]


def net_of(layers: Layers, size: tuple[int, int, int] = (3, 8, 8)) -> NetworkSpec:
    channels, height, width = size
    return NetworkSpec.model_validate(
        {
            "version": 1,
            "name": "whole",
            "summary": "",
            "input": {"channels": channels, "height": height, "width": width},
            "seed": 7,
            "tolerance": {"float32": 1e-4},
            "layers": layers,
        }
    )


def half(net: NetworkSpec, keep: float = 0.5, by: str = "l1") -> PrunedNetwork:
    prune = {"keep": keep, "by": by}
    written = {"version": 1, "name": "half", "summary": "", "of": "whole", "prune": prune}
    return pruning.pruned(VariantSpec.model_validate(written), net)


def zeroed(left: PrunedNetwork, learnt: tuple[Parameters, ...]) -> tuple[Parameters, ...]:
    """The whole network's, with zeros for every filter and bias of a channel that went."""
    stays = pruning.staying(left, learnt)
    kinds = {layer.name: layer.type for layer in left.whole.layers}
    made = []
    for one in learnt:
        outputs = stays[one.layer]
        weight, bias = one.weight.copy(), one.bias.copy()
        if kinds[one.layer] == "deconv":
            each = weight.shape[1]
            shape = (-1, each) if len(outputs) != each else (1, each)
            weight *= np.broadcast_to(outputs.reshape(shape), weight.shape[:2])[:, :, None, None]
        else:
            weight[~outputs] = 0
        if len(bias):
            bias[~outputs] = 0
        made.append(one._replace(weight=weight, bias=bias))
    return tuple(made)


def answers(left: PrunedNetwork) -> tuple[Any, Any]:
    """Of the pruned network, and of the whole one with those filters at zero."""
    learnt = reference.weights(left.whole)
    image = reference.image(left.whole) - 0.5
    own = reference.forward(left, pruning.parameters(left, learnt), image)
    return own, reference.forward(left.whole, zeroed(left, learnt), image)


@dataclass
class Drawing:
    """A network while it is drawn: `open` are the values that may be read, with their sizes."""

    draw: DrawFn
    layers: Layers = field(default_factory=list)
    open: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def source(self) -> str:
        """Mostly the last value: what nobody reads says nothing."""
        names = [*self.open]
        return str(self.one_of(*names, *[names[-1]] * 2 * len(names)))

    def add(self, kind: str, made: tuple[int, int, int], /, *inputs: str, **how: Any) -> None:
        name = f"v{len(self.layers)}"
        self.layers.append({"type": kind, "name": name, "inputs": list(inputs), **how})
        self.open[name] = made

    def filters(self) -> None:
        one = self.source()
        channels, height, width = self.open[one]
        groups = self.one_of(1, 1, channels)
        outputs = channels if groups > 1 else self.one_of(2, 4, 5)
        pad = self.one_of(0, 1)
        grown = (height + 2 * pad - 2, width + 2 * pad - 2)
        if min(grown) > 0:
            how = {"outputs": outputs, "kernel": 3, "pad": pad, "groups": groups}
            self.add("conv", (outputs, *grown), one, **how)

    def spread(self) -> None:
        one = self.source()
        channels, height, width = self.open[one]
        groups = self.one_of(1, channels)
        outputs = channels * self.one_of(1, 2) if groups > 1 else 3
        if height <= 8 and outputs <= 12:
            size = (outputs, height + 1, width + 1)
            self.add("deconv", size, one, outputs=outputs, kernel=2, groups=groups)

    def function(self) -> None:
        one = self.source()
        kinds = ("relu", "tanh", "sigmoid", "hard-swish", "hard-sigmoid", "prelu", "softmax")
        kind = self.one_of(*kinds, "clip", "lrn", "pad")
        size = self.open[one]
        how: dict[str, Any] = {}
        if kind == "clip":
            how = self.one_of({"low": 0.0, "high": 6.0}, {"low": 0.25, "high": 1.0})
        if kind == "lrn":
            how = {"size": 3, "alpha": 0.5, "beta": 0.75, "bias": 1.0}
        if kind == "pad":
            more = self.one_of(0, 3)
            how = {"pad": 1, "value": self.one_of(0.0, 2.0), "channels": [0, more]}
            size = (size[0] + more, size[1] + 2, size[2] + 2)
        self.add(kind, size, one, **how)

    def joined(self) -> None:
        one = self.source()
        alike = [name for name, size in self.open.items() if size == self.open[one]]
        other = self.one_of(*alike)
        self.add(self.one_of("add", "mul"), self.open[one], one, other)

    def concatenated(self) -> None:
        one = self.source()
        channels, *area = self.open[one]
        beside = [name for name, size in self.open.items() if [*size[1:]] == area]
        other = self.one_of(*beside)
        total = channels + self.open[other][0]
        if total <= 14:
            self.add("concat", (total, area[0], area[1]), one, other)

    def parted(self) -> None:
        one = self.source()
        channels, height, width = self.open[one]
        if channels > 1:
            first = self.one_of(*range(channels))
            count = self.one_of(*range(1, channels - first + 1))
            self.add("slice", (count, height, width), one, first=first, channels=count)

    def shuffled(self) -> None:
        one = self.source()
        if self.open[one][0] % 2 == 0:
            self.add("shuffle", self.open[one], one, groups=2)


@st.composite
def networks(draw: DrawFn) -> NetworkSpec:
    drawing = Drawing(draw)
    drawing.open["data"] = (3, 8, 8)
    drawing.filters()
    steps = [drawing.filters, drawing.filters, drawing.function, drawing.joined, drawing.joined]
    steps += [drawing.concatenated, drawing.parted, drawing.spread, drawing.shuffled]
    for _ in range(draw(st.integers(1, 9))):
        draw(st.sampled_from(steps))()
    last = [*drawing.open][-1]
    drawing.add("fc", (6, 1, 1), last, outputs=6)
    drawing.add("relu", (6, 1, 1), f"v{len(drawing.layers) - 1}")
    drawing.add("fc", (3, 1, 1), f"v{len(drawing.layers) - 1}", outputs=3)
    return net_of(drawing.layers)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(networks(), st.sampled_from([0.2, 0.5, 0.7]), st.sampled_from(["l1", "l2"]))
def test_what_is_left_answers_as_the_whole_with_the_lost_filters_at_zero(
    net: NetworkSpec, keep: float, by: str
) -> None:
    left = half(net, keep, by)
    own, whole = answers(left)
    np.testing.assert_allclose(own, whole, rtol=1e-9, atol=1e-12)
    learnt = pruning.parameters(left, reference.weights(net))
    shapes = [(one.layer, one.weight.shape, len(one.bias)) for one in learnt]
    assert shapes == [*network.parameter_shapes(left)]
    assert network.multiply_adds(left) <= network.multiply_adds(net)


def sizes(left: PrunedNetwork) -> dict[str, int]:
    return {step.layer.name: step.after.channels for step in network.steps(left)}


def agrees(left: PrunedNetwork) -> None:
    own, whole = answers(left)
    np.testing.assert_allclose(own, whole, rtol=1e-9, atol=1e-12)


END: Layers = [
    {"type": "conv", "name": "d", "outputs": 4, "kernel": 3},
    {"type": "fc", "name": "prob", "outputs": 3},
]


@pytest.mark.parametrize(
    ("function", "left"),
    [
        ({"type": "relu"}, 3),
        ({"type": "tanh"}, 3),
        ({"type": "hard-swish"}, 3),
        ({"type": "gelu"}, 3),
        ({"type": "prelu"}, 3),
        ({"type": "upsample", "factor": 2}, 3),
        ({"type": "clip", "low": 0.0, "high": 6.0}, 3),
        ({"type": "pad", "pad": 1, "mode": "edge"}, 3),
        ({"type": "clip", "low": 0.25, "high": 1.0}, 6),
        ({"type": "pad", "pad": 1, "value": 2.0}, 6),
        ({"type": "pad", "channels": [1, 2]}, 3),
        ({"type": "pad", "channels": [1, 2], "value": 2.0}, 6),
        ({"type": "shift"}, 6),
        ({"type": "sigmoid"}, 6),
        ({"type": "hard-sigmoid"}, 6),
        ({"type": "softmax"}, 6),
        ({"type": "shuffle", "groups": 2}, 6),
        ({"type": "depth-to-space", "block": 1}, 6),
        ({"type": "lrn", "size": 3, "alpha": 0.5, "beta": 0.75, "bias": 1.0}, 6),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else str(value),
)
def test_filters_stay_where_their_end_would_not_be_that_of_a_zero(
    function: dict[str, Any], left: int
) -> None:
    first = {"type": "conv", "name": "c", "outputs": 6, "kernel": 3}
    small = half(net_of([first, {**function, "name": "f"}, *END]))
    made = sizes(small)
    assert (made["c"], made["d"], made["prob"]) == (left, 2, 3)
    agrees(small)


def test_an_addition_and_a_depthwise_convolution_lose_the_same_channels_on_all_sides() -> None:
    """As in a residual block; what is gated goes with its gate, which alone would stay."""
    layers: Layers = [
        {"type": "conv", "name": "c", "outputs": 8, "kernel": 3, "pad": 1},
        {"type": "conv", "name": "w", "outputs": 8, "kernel": 3, "pad": 1, "groups": 8},
        {"type": "conv", "name": "p", "outputs": 8, "kernel": 1},
        {"type": "add", "name": "a", "inputs": ["p", "c"]},
        {"type": "pool", "name": "g", "method": "average", "kernel": 8, "stride": 1},
        {"type": "conv", "name": "e", "outputs": 8, "kernel": 1},
        {"type": "sigmoid", "name": "s"},
        {"type": "mul", "name": "m", "inputs": ["a", "s"]},
        {"type": "concat", "name": "k", "inputs": ["m", "p"]},
        {"type": "slice", "name": "t", "first": 6, "channels": 4},
        *END,
    ]
    small = half(net_of(layers))
    made = sizes(small)
    assert {made[name] for name in "cwpaesm"} == {made["c"]}
    assert made["c"] in (4, 5)  # channels that the slice takes are apart from the rest
    assert made["k"] == 2 * made["c"]
    (depthwise,) = (layer for layer in small.layers if layer.name == "w")
    assert getattr(depthwise, "groups", 0) == made["c"]
    agrees(small)


@pytest.mark.parametrize(("joined", "left"), [("mul", 3), ("add", 6)])
def test_a_product_with_a_zero_is_one_and_a_sum_is_none(joined: str, left: int) -> None:
    layers: Layers = [
        {"type": "conv", "name": "c", "outputs": 6, "kernel": 3},
        {"type": "sigmoid", "name": "s"},
        {"type": joined, "name": "j", "inputs": ["c", "s"]},
        *END,
    ]
    small = half(net_of(layers))
    assert sizes(small)["c"] == left
    agrees(small)


def test_the_filters_with_the_smallest_norms_go() -> None:
    first = {"type": "conv", "name": "c", "outputs": 5, "kernel": 3}
    small = half(net_of([first, *END]), keep=0.4)
    learnt = reference.weights(small.whole)
    norms = np.abs(learnt[0].weight).sum(axis=(1, 2, 3))
    best = sorted(np.argsort(-norms)[:2])
    assert np.flatnonzero(pruning.staying(small, learnt)["c"]).tolist() == best
    (own, *_) = pruning.parameters(small, learnt)
    np.testing.assert_array_equal(own.weight, learnt[0].weight[best])
