"""What LiteRT answers for a quantized file on the machine that builds: the answer that is right.

By its reference kernels, which compute the same on every machine; those that it runs by itself
round otherwise here and there, as a board's may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from buildmatrix import reference
from buildmatrix.errors import InputError

if TYPE_CHECKING:
    from buildmatrix.network import QuantizedNetwork
    from buildmatrix.reference import F32, F64

# Names of OpResolverType: reference kernels, its own, its own with XNNPACK.
Kernels = Literal["BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"]
REFERENCE: Kernels = "BUILTIN_REF"
OTHERS: tuple[Kernels, ...] = ("BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO")
SEEDS = 8  # images that are drawn
FAULTS = (ValueError, RuntimeError)  # what its C++ ends in


def answer(net: QuantizedNetwork, image: F32, kernels: Kernels) -> F64:
    """What the file answers for an image, (channels, height, width), as a row of floats.

    Raises InputError for a file that LiteRT does not take, or that keeps a state.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    content = net.file.read_bytes()
    try:
        interpreter = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType[kernels],
        )
        entry = interpreter.get_input_details()[0]
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], _given(image, entry))
        first = _passed(interpreter, net.output)
        again = first if kernels == REFERENCE else _passed(interpreter, net.output)
    except FAULTS as fault:
        text = " ".join(str(fault).split())
        raise InputError(f"LiteRT does not take it: {text}", where=str(net.file)) from None
    if not np.array_equal(first, again):
        brief = "LiteRT answers the same image differently in its second pass: it keeps a state"
        raise InputError(brief, where=str(net.file))
    return first


def drawn(net: QuantizedNetwork, seeded: F32) -> F32:
    """An image out of values in [0, 1): each of the numbers that the input can say is as likely."""
    numbers = np.floor(seeded.astype(np.float64) * 256)
    return (net.low + numbers * ((net.high - net.low) / 255)).astype(np.float32)


class Survey(NamedTuple):
    """Of images that were drawn: the seed of one to judge by, how far LiteRT's kernels differ in
    its answer and in the worst of all, and whether that has values between its least and most."""

    seed: int
    apart: float
    worst: float
    telling: bool


def surveyed(net: QuantizedNetwork) -> Survey:
    """The first image whose answer tells something and on which LiteRT's kernels agree best."""
    right, differ = [], []
    for seed in range(SEEDS):
        image = drawn(net, reference.image(net.model_copy(update={"seed": seed})))
        right.append(answer(net, image, REFERENCE))
        differ.append(max(apart(net, right[-1], answer(net, image, one)) for one in OTHERS))
    least, most = np.min(right), np.max(right)
    telling = [bool(((one > least) & (one < most)).any()) for one in right]
    seed = min(range(SEEDS), key=lambda n: (not telling[n], differ[n]))
    return Survey(seed, differ[seed], max(differ), telling[seed])


def apart(net: QuantizedNetwork, one: F64, other: F64) -> float:
    """How far two answers differ: in steps of the output, or relative where it has none."""
    if net.step:
        return float(np.abs(one - other).max() / net.step)
    return reference.max_relative_error(other, one)


def _given(image: F32, entry: dict[str, Any]) -> Any:
    """The image channels last, in the numbers of the input: as QUANTIZE rounds."""
    values = np.moveaxis(image, 0, -1).reshape(entry["shape"])
    if entry["dtype"] == np.float32:
        return np.ascontiguousarray(values)
    scale, zero = entry["quantization"]
    steps = values / np.float32(scale)
    numbers = np.sign(steps) * np.floor(np.abs(steps) + 0.5) + zero
    kind = np.iinfo(entry["dtype"])
    return np.ascontiguousarray(np.clip(numbers, kind.min, kind.max).astype(entry["dtype"]))


def _passed(interpreter: Any, output: str) -> F64:
    interpreter.invoke()
    outputs = interpreter.get_output_details()
    leaving = next((one for one in outputs if one["name"] == output), outputs[0])
    numbers = interpreter.get_tensor(leaving["index"]).astype(np.float64).ravel()
    if leaving["dtype"] == np.float32:
        return np.asarray(numbers)
    scale, zero = leaving["quantization"]
    return np.asarray((numbers - zero) * scale)
