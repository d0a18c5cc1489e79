"""Pruning: whole filters out of a network, with all that belonged to their channels.

Channels that pass through the same layers compete, and how many of them stay does not depend on the
weights: the sizes of a pruned network follow from its layers, which channels stayed from its
weights. What must go together, or stay, is in `channels`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from buildmatrix.channels import traced
from buildmatrix.layers import ConvSpec, DeconvSpec, FcSpec, PReluSpec, ShiftSpec, SliceSpec
from buildmatrix.network import PrunedNetwork, steps
from buildmatrix.reference import Parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from buildmatrix.channels import Channels, Numbers
    from buildmatrix.layers import Layer
    from buildmatrix.network import NetworkSpec, VariantSpec
    from buildmatrix.reference import F32, F64

Stays = NDArray[np.bool_]  # of each channel of a network, or of one value


def pruned(variant: VariantSpec, whole: NetworkSpec) -> PrunedNetwork:
    """The network that is left. What it has learnt is in `parameters`."""
    channels = traced(whole)
    stays = _staying(channels, variant.prune.keep, np.zeros(channels.count))
    return PrunedNetwork(
        version=variant.version,
        name=variant.name,
        summary=variant.summary,
        input=whole.input,
        seed=whole.seed,
        gain=whole.gain,
        tolerance=variant.tolerance or whole.tolerance,
        layers=tuple(_narrowed(step.layer, channels, stays) for step in steps(whole)),
        whole=whole,
        prune=variant.prune,
    )


def parameters(net: PrunedNetwork, learnt: tuple[Parameters, ...]) -> tuple[Parameters, ...]:
    """What is left of `learnt`, which is what the whole network has learnt."""
    channels = traced(net.whole)
    layers = {layer.name: layer for layer in net.whole.layers}
    stays = _chosen(net, channels, learnt)
    return tuple(_cut(one, layers[one.layer], channels, stays) for one in learnt)


def staying(net: PrunedNetwork, learnt: tuple[Parameters, ...]) -> Mapping[str, Stays]:
    """Of the output of each layer of the whole network: which channels stay."""
    channels = traced(net.whole)
    stays = _chosen(net, channels, learnt)
    return {layer: stays[numbers] for layer, numbers in channels.leaving.items()}


def _chosen(net: PrunedNetwork, channels: Channels, learnt: Iterable[Parameters]) -> Stays:
    """By score: the norms of the filters that make a channel, each over its layer's mean."""
    power = 1 if net.prune.by == "l1" else 2
    layers = {layer.name: layer for layer in net.whole.layers}
    scores = np.zeros(channels.count)
    for one in learnt:
        layer = layers[one.layer]
        if not isinstance(layer, PReluSpec | ShiftSpec):
            rows = np.abs(_filters(layer, one.weight).astype(np.float64))
            norms = (rows**power).sum(axis=1) ** (1 / power)
            np.add.at(scores, channels.leaving[one.layer], norms / (norms.mean() or 1))
    return _staying(channels, net.prune.keep, scores)


def _filters(layer: Layer, weight: F32) -> F32:
    """A row of weights for each output; a transposed convolution has its inputs first."""
    turned = isinstance(layer, DeconvSpec) and layer.groups == 1
    return (weight.swapaxes(0, 1) if turned else weight).reshape(_outputs(layer), -1)


def _outputs(layer: Layer) -> int:
    assert isinstance(layer, ConvSpec | DeconvSpec | FcSpec)
    return layer.outputs


def _staying(channels: Channels, keep: float, scores: F64) -> Stays:
    """The share `keep` of each class with the best scores; at least one channel."""
    stays = np.ones(channels.count, np.bool_)
    for members in _classes(channels):
        ranked = members[np.argsort(-scores[members], kind="stable")]
        stays[ranked[max(1, round(keep * len(members))) :]] = False
    return stays


def _classes(channels: Channels) -> list[Numbers]:
    """Channels that may go, by what they pass through; those before and behind what a slice takes
    are others, so that it stays a slice."""
    passed: dict[int, Counter[tuple[str, int]]] = {}
    places = [(layer, 0, numbers) for layer, numbers in channels.leaving.items()]
    for layer, (before, behind) in channels.beside.items():
        places += [(layer, 1, before), (layer, 2, behind)]
    for layer, side, numbers in places:
        for number in numbers.tolist():
            passed.setdefault(number, Counter())[layer, side] += 1
    classes: dict[frozenset[tuple[tuple[str, int], int]], list[int]] = {}
    for number in sorted(set(passed) - channels.fixed):
        classes.setdefault(frozenset(passed[number].items()), []).append(number)
    return [np.array(members) for members in classes.values()]


def _narrowed(layer: Layer, channels: Channels, stays: Stays) -> Layer:
    """The layer with the sizes that it has among the channels that stay."""
    entering, leaving = (at[layer.name] for at in (channels.entering, channels.leaving))
    match layer:
        case ConvSpec() | DeconvSpec():
            depthwise = layer.groups == len(entering)
            groups = int(stays[entering].sum()) if depthwise else layer.groups
            size = {"outputs": int(stays[leaving].sum()), "groups": groups}
        case FcSpec():
            size = {"outputs": int(stays[leaving].sum())}
        case SliceSpec():
            before, _ = channels.beside[layer.name]
            size = {"first": int(stays[before].sum()), "channels": int(stays[leaving].sum())}
        case _:
            return layer
    return layer.model_copy(update=size)


def _cut(one: Parameters, layer: Layer, channels: Channels, stays: Stays) -> Parameters:
    entering, leaving = (stays[at[layer.name]] for at in (channels.entering, channels.leaving))
    weight = one.weight
    match layer:
        case ConvSpec(groups=1):
            weight = weight[leaving][:, entering]
        case DeconvSpec(groups=1):
            weight = weight[entering][:, leaving]
        case FcSpec():
            columns = entering.repeat(weight.shape[1] // len(entering))
            weight = weight[leaving][:, columns]
        case DeconvSpec():
            weight = weight[entering]
        case _:
            weight = weight[leaving]
    bias = one.bias[leaving] if len(one.bias) else one.bias
    return Parameters(one.layer, np.ascontiguousarray(weight), np.ascontiguousarray(bias))
