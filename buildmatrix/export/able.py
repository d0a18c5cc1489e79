"""What each format can say: the first layer of a network that one cannot, in words. Pure.

Asked before anything is built, so that a cell whose stack lacks an operator is dropped with the
operator and the node's name. Imports no format's library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.export.rules import CHAINS, RULES
from buildmatrix.layers import Shape
from buildmatrix.network import QuantizedNetwork, steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from buildmatrix.network import NetworkSpec, Step


__all__ = ["RULES", "check", "gap", "gaps"]


def check(net: NetworkSpec, format: str) -> None:
    """Raises InputError when the format cannot say all of the network."""
    if words := _unpassed(net, format):
        hint = "take a stack whose format it is, or another model"
        raise InputError(words, where=net.name, hint=hint)
    path = steps(net)
    if words := _unsaid(path, format):
        hint = "take a stack with another format, or write the network without it"
        raise InputError(words, where=net.name, hint=hint)
    if words := _reordered(path, format):
        hint = "end the network with a fully connected layer or a pooling over all of it"
        raise InputError(words, where=net.name, hint=hint)


def gap(net: NetworkSpec, format: str) -> str:
    """What the format cannot say of the network, and at which layer; empty when it can say all."""
    return gaps(net, (format,))[format]


def gaps(net: NetworkSpec, formats: Iterable[str] = tuple(RULES)) -> dict[str, str]:
    """The same of several formats, all of them if none is named."""
    path = steps(net)
    return {
        one: _unpassed(net, one) or _unsaid(path, one) or _reordered(path, one) for one in formats
    }


def _unpassed(net: NetworkSpec, format: str) -> str:
    """Why a quantized file cannot go as it is, or another network not as one."""
    if not isinstance(net, QuantizedNetwork):
        return f"the format {format} is of files that are quantized" if format == GIVEN else ""
    if format == GIVEN:
        return ""
    return (
        f"{net.file.name} is quantized ({net.at} computes in 8 bits) and goes as it is, in the "
        f"format {GIVEN} (`numbers: int8-as-given`): the format {format} is written of layers"
    )


def _unsaid(path: Sequence[Step], format: str) -> str:
    rule, last = RULES[format], ""
    for step in path:
        chained = step.reads == (last,) or not last
        words = rule(step) or ("branches" if rule in CHAINS and not chained else "")
        if words:
            return f"the format {format} has no {words}: {step.layer.called}"
        last = step.layer.name
    return ""


def _reordered(path: Sequence[Step], format: str) -> str:
    size = path[-1].after if path else Shape(1, 1, 1)
    if format in LAST_CHANNELS and size != Shape(size.channels, 1, 1):
        return f"the output is {size}: the format {format} gives it in another order"
    return ""


GIVEN = "tflite-int8-as-given"
LAST_CHANNELS = (
    *("tensorflow", "executorch", "cmsis-nn", "tflite", "tflite-armnn", "tflite-float16-weights"),
    *("tflite-int8-symmetric", "tflite-int8-symmetric-per-tensor"),
    *("tflite-int8-asymmetric", "tflite-int8-asymmetric-per-tensor"),
)
