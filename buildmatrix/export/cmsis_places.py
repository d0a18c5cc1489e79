"""Where the values of a chain of layers lie on a microcontroller: its four buffers. Pure.

As in Arm's example of 2018: the input, the output, one scratch buffer that each layer reads at one
end and writes at the other, and a column buffer for what a function lays out for itself.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from buildmatrix.layers import ConvSpec, FcSpec, PoolSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildmatrix.export.q7 import Q7Layer
    from buildmatrix.network import Step

ALIGNMENT = 4  # bytes, of what is read a word at a time
RGB = "arm_convolve_HWC_q7_RGB"  # it reads a pixel's three bytes as four: one beyond the last


class Buffers(NamedTuple):
    """Bytes of each buffer."""

    input: int
    output: int
    scratch: int
    column: int


class Place(NamedTuple):
    """Where a layer's values begin."""

    buffer: str  # a field of Buffers
    offset: int = 0  # bytes


class Placed(NamedTuple):
    """`reads` and `writes` have one place for each layer; the same where it works in place."""

    buffers: Buffers
    reads: tuple[Place, ...]
    writes: tuple[Place, ...]


def function(step: Step) -> str:
    """The function of CMSIS 5.9.0 that computes a layer (CMSIS/NN/Include/arm_nnfunctions.h).

    The fast convolution wants input channels by fours and output channels by twos, that for RGB
    three; the fully connected one with reordered weights works on four rows and columns at once.
    """
    match step.layer:
        case ConvSpec():
            fast = _fast(step, step.layer)
            rgb = step.before.channels == 3
            return RGB if rgb else f"arm_convolve_HWC_q7_{'fast' if fast else 'basic'}"
        case FcSpec(outputs=outputs):
            whole = outputs >= 4 and prod(step.before) >= 4
            return f"arm_fully_connected_q7{'_opt' if whole else ''}"
        case PoolSpec(method=method):
            return f"arm_{'max' if method == 'max' else 'ave'}pool_q7_HWC"
        case layer:
            return f"arm_{layer.type}_q7"


def _fast(step: Step, layer: ConvSpec) -> bool:
    """Besides its channels, the fast convolution wants what it does not check on a Cortex-M4: it
    goes through as many rows as the pad has before it looks how many there are, and takes all but
    as many at the end for rows whose windows lie within the image."""
    if step.before.channels % 4 or layer.outputs % 2:
        return False
    pad, made, stride = layer.window.pads[0], step.after.height, layer.window.stride[0]
    end = (made - pad - 1) * stride - pad + layer.window.kernel[0]  # of the last such window
    return pad <= made and (made <= 2 * pad or end <= step.before.height)


def column(step: Step) -> int:
    """Bytes that a layer's function wants for itself, as its documentation says.

    A convolution lays out two columns of 16-bit values, a fully connected layer its input, and an
    average pooling a row of what comes out. Arm's example counts a convolution's outputs in the
    place of its inputs, and so asks for twice as much where there are twice as many.
    """
    match step.layer:
        case ConvSpec(window=window):
            return 2 * 2 * step.before.channels * prod(window.kernel)
        case FcSpec():
            return 2 * prod(step.before)
        case PoolSpec(method="average"):
            return 2 * step.after.width * step.after.channels
        case _:
            return 0


def placed(layers: Sequence[Q7Layer]) -> Placed:
    """The buffers of a chain, and where each of its layers reads and writes.

    Layers between the first and the last that move values write at the two ends of the scratch
    buffer in turn, so that it is as large as the two largest neighbours need.
    """
    path = [one.step for one in layers]
    moving = [i for i, step in enumerate(path) if moves(step)]
    between = [_room(path, i) for i in moving[:-1]]
    neighbours = zip(between, [*between[1:], 0], strict=False)
    scratch = max((one + other for one, other in neighbours), default=0)
    now = Place("input") if moving else Place("output")
    reads, writes = [], []
    for i in range(len(path)):
        reads.append(now)
        if i in moving:
            number = moving.index(i)
            now = Place("output")
            if number < len(between):
                now = Place("scratch", scratch - between[number] if number % 2 else 0)
        writes.append(now)
    buffers = Buffers(
        input=_room(path, -1),
        output=_aligned(prod(path[-1].after)),
        scratch=scratch,
        column=_aligned(max(map(column, path))),
    )
    return Placed(buffers, tuple(reads), tuple(writes))


def moves(step: Step) -> bool:
    """Whether a layer writes into another place than it reads."""
    return isinstance(step.layer, ConvSpec | PoolSpec | FcSpec)


def _room(path: Sequence[Step], i: int) -> int:
    """Bytes for what comes out of layer `i`, or for the input of the network when it is -1."""
    size = prod(path[i].after) if i >= 0 else prod(path[0].before)
    readers = path[i + 1 :]
    following = next((step for step in readers if moves(step)), None)
    beyond = following is not None and function(following) == RGB
    return _aligned(size + beyond)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
