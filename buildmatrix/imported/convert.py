"""The nodes of a simplified ONNX graph as layers and weights of a network.

What a node means is in `operators`. Values that only change their form (a Flatten before a fully
connected layer, a Squeeze) are no layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from buildmatrix.errors import InputError
from buildmatrix.imported import patterns, scales
from buildmatrix.imported.operators import OPERATORS
from buildmatrix.imported.reading import UP_TO, Reading, called, opset
from buildmatrix.layers import FcSpec, FlattenSpec
from buildmatrix.network import INPUT
from buildmatrix.reference import Parameters

if TYPE_CHECKING:
    from buildmatrix.imported.simplify import Simplified
    from buildmatrix.layers import Layer, Shape
    from buildmatrix.reference import F32


MOST_NAMED = 4  # of the values that a network may end with


class Converted(NamedTuple):
    """`entry`: the size of one image. `parameters`: what the layers have learnt, in their order.
    `last`: the channels of what the file itself answers come last; those of the layers do not."""

    entry: Shape
    layers: tuple[Layer, ...]
    parameters: tuple[Parameters, ...]
    last: bool

    def turned(self, answer: F32) -> F32:
        """What the file answers to one image, channels first."""
        return np.moveaxis(answer, -1, 1) if self.last else answer


def converted(simplified: Simplified, where: str) -> Converted:
    """The layers of a simplified model, and their weights.

    Raises InputError for a node that is no layer here, with its operator and name.
    """
    model = simplified.model
    scales.apart(model.graph, opset(model))
    patterns.whole(model.graph)
    reading = Reading(model, where, last=simplified.last)
    try:
        _check_operators(reading)
        for node in model.graph.node:
            reading.at = called(node)
            OPERATORS[node.op_type](reading, node)
    except InputError as fault:
        if named := _last_read(simplified, where):
            fault.hint = (fault.hint or UP_TO).replace(UP_TO, f"{UP_TO}: {named}", 1)
        raise
    if reading.leaving not in reading.values:
        raise reading.fault(f"its output '{reading.leaving}' does not depend on its input")
    last = reading.leaving in reading.turned
    if last and len(reading.size(reading.leaving)) != 4:
        raise reading.fault(f"the channels of its output '{reading.leaving}' come last")
    layers = _without_idle(reading.layers, reading.values[reading.leaving])
    if not layers or layers[-1].name != reading.values[reading.leaving]:
        raise reading.fault("its output is not what its last node makes")
    learnt = tuple(
        Parameters(layer.name, *reading.weights[layer.name])
        for layer in layers
        if layer.name in reading.weights
    )
    return Converted(reading.entry, tuple(layers), learnt, last)


def _last_read(simplified: Simplified, where: str) -> str:
    """Names of the values that the network may end with: those that a node which is not read
    wanted, the last of them first. Empty where there are none."""
    reading = Reading(simplified.model, where, last=simplified.last)
    lost, wanted = set[str](), set[str]()
    for node in simplified.model.graph.node:
        try:
            if not lost & {*node.input}:
                OPERATORS[node.op_type](reading, node)
                continue
        except Exception:  # noqa: BLE001  -- what is behind a fault must not hide it
            pass
        lost |= {*node.output}
        wanted |= {*node.input}
    made = {name for name, layer in reading.values.items() if layer != INPUT}
    able = made & wanted & simplified.names - reading.padded.keys() - reading.turned.keys()
    last = [name for name in reversed(reading.values) if name in able]
    more = f" and {len(last) - MOST_NAMED} before them" if len(last) > MOST_NAMED else ""
    return ", ".join(last[:MOST_NAMED]) + more


def _check_operators(reading: Reading) -> None:
    """Says of all operators that are not read at once, before a setting of another one is met."""
    unknown = [
        node
        for node in reading.model.graph.node
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS
    ]
    if unknown:
        first, *_ = unknown
        others = sorted({node.op_type for node in unknown} - {first.op_type})
        raise reading.fault(
            f"the operator of node {called(first)} is not read"
            + (f", nor are {', '.join(others)}" if others else ""),
            hint=f"{UP_TO}; what is read: {', '.join(sorted({*OPERATORS} - {patterns.SHUFFLE}))}",
        )


def _without_idle(layers: list[Layer], leaving: str) -> list[Layer]:
    """Without what nobody reads, and without a flattening that only fully connected layers read:
    they flatten what they read anyway."""
    needed = {leaving}
    kept: list[Layer] = []
    for layer in reversed(layers):
        if layer.name in needed:
            needed |= set(layer.inputs)
            kept.append(layer)
    kept.reverse()
    readers: dict[str, list[Layer]] = {}
    for layer in kept:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer)
    idle = {
        layer.name: layer.inputs[0]
        for layer in kept
        if isinstance(layer, FlattenSpec)
        and layer.name != leaving
        and all(isinstance(reader, FcSpec) for reader in readers[layer.name])
    }
    return [
        layer.model_copy(update={"inputs": tuple(idle.get(name, name) for name in layer.inputs)})
        for layer in kept
        if layer.name not in idle
    ]
