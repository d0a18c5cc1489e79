"""For stacks with no file format of their own: a line of text for each layer, and the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from buildmatrix.layers import ConvSpec, FcSpec, PoolSpec, ReluSpec, SoftmaxSpec
from buildmatrix.network import input_shape, steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildmatrix.network import NetworkSpec, Step
    from buildmatrix.reference import Parameters


def write(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> Mapping[str, bytes]:
    """net.txt, and net.f32: weights then biases of each layer, row-major little-endian float32."""
    lines = ["input {} {} {}".format(*input_shape(net)), *(_line(step) for step in steps(net))]
    numbers = (part for p in parameters for part in (p.weight, p.bias))
    return {
        "net.txt": "".join(f"{line}\n" for line in lines).encode(),
        "net.f32": b"".join(values.astype("<f4").tobytes() for values in numbers),
    }


def _line(step: Step) -> str:
    layer, before, after, *_ = step
    match layer:
        case ConvSpec(name=name, outputs=outputs, groups=n):
            (kernel, _), (stride, _), (pad, *_), _ = layer.window
            return f"conv {name} {outputs} {before.channels // n} {kernel} {stride} {pad} {n}"
        case PoolSpec(name=name, method=method):
            (kernel, _), (stride, _), *_ = layer.window
            return f"pool {name} {method} {kernel} {stride}"
        case FcSpec(name=name):
            return f"fc {name} {after.channels} {before.channels * before.height * before.width}"
        case ReluSpec(name=name):
            return f"relu {name}"
        case SoftmaxSpec(name=name):
            return f"softmax {name}"
        case _:
            raise AssertionError(f"able.check lets no {layer.type} through")
