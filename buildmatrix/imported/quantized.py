"""What is told of a quantized TensorFlow Lite file without computing it: it passes as it is.

Its layers are not read, because what it computes is what TensorFlow Lite's own kernels make of it:
LiteRT says which answer is right (`litert`), and its stacks alone take it.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from buildmatrix.errors import InputError
from buildmatrix.imported import lite_graph
from buildmatrix.network import InputSpec, QuantizedNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.imported.lite_graph import LiteGraph, Operation, Value
    from buildmatrix.imported.spec import FileNetworkSpec

ENDING = ".tflite"
LOWEST = {"int8": -128, "uint8": 0}
SPAN = 255  # steps from the lowest number of 8 bits to the highest
NUMBERS = "int8"  # what a runner says that it computes in, with or without a sign
STATEFUL = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
LEARNT = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
RANKS = (2, 3, 4)


class Ends(NamedTuple):
    """The one input, and the output that is asked for: numbers of values."""

    entry: int
    leaving: int


def opened(path: Path) -> LiteGraph | None:
    """The graph of a quantized file; None for a file of another format, or of floats, and for one
    that cannot be read: its own reader says why."""
    if path.suffix != ENDING or not path.is_file():
        return None
    try:
        graph = lite_graph.read(path.read_bytes(), str(path))
    except InputError:
        return None
    return graph if _computing(graph) is not None else None


def described(
    spec: FileNetworkSpec, folder: Path, graph: LiteGraph, files: Mapping[str, str]
) -> QuantizedNetwork:
    """The network of a file that `opened` took. Raises InputError for one that no stack can be
    measured with: with several inputs, open sizes, or a state."""
    path = folder / spec.file
    computing = _computing(graph)
    assert computing is not None
    _check(spec, graph, path)
    ends = found_ends(graph, spec.output, path)
    entry = graph.values[ends.entry]
    low, high = _range(graph, entry)
    return QuantizedNetwork(
        version=spec.version,
        name=spec.name,
        summary=spec.summary,
        input=_input(spec, entry, path),
        seed=spec.seed,
        tolerance=spec.tolerance,
        folder=folder,
        files=files,
        values=spec.values,
        held_out=spec.held_out,
        output=spec.output,
        at=f"{computing.kind} '{computing.name}'",
        step=_step(graph, ends.leaving),
        low=low,
        high=high,
        weights=sum(_count(graph, number) for one in _weighty(graph) for number in one.inputs[1:3]),
        products=_products(graph),
    )


def found_ends(graph: LiteGraph, output: str, path: Path) -> Ends:
    """Input and output by name. Raises InputError where a name is wanted, or is none."""
    if len(graph.inputs) != 1:
        names = ", ".join(f"'{graph.values[number].name}'" for number in graph.inputs) or "none"
        brief = f"it has {len(graph.inputs)} inputs ({names}), and one image is what it is given"
        raise InputError(brief, where=str(path), hint="convert the part of it that reads one input")
    outputs = {graph.values[number].name: number for number in graph.outputs}
    if output not in outputs and (output or len(outputs) != 1):
        brief = f"it has no output '{output}'" if output else f"it has {len(outputs)} outputs"
        hint = "write `output:` with one name, or --output"
        raise InputError(f"{brief}: {', '.join(outputs)}", where=str(path), hint=hint)
    return Ends(graph.inputs[0], outputs[output] if output else graph.outputs[0])


def _computing(graph: LiteGraph) -> Operation | None:
    """The first operator that makes numbers of 8 bits out of what it is given."""
    for one in graph.operations:
        if any(_in_steps(graph.values[number]) for number in one.outputs):
            return one
    return None


def _in_steps(value: Value) -> bool:
    return value.number in LOWEST and value.content is None and len(value.scales) == 1


def _check(spec: FileNetworkSpec, graph: LiteGraph, path: Path) -> None:
    state = next((one for one in graph.operations if one.kind in STATEFUL), None)
    if state is not None:
        raise InputError(
            f"it keeps a state from one pass to the next ({state.kind} '{state.name}'), and an "
            "image must have one answer",
            where=str(path),
            hint="convert it without its state, which then is an input",
        )
    if spec.calibration:
        brief = f"`calibration` is given, and {spec.file} is quantized already"
        raise InputError(brief, where=str(path.parent / "model.yaml"), hint="leave it out")
    if NUMBERS not in spec.tolerance:
        raise InputError(
            f"{spec.file} is quantized, and its `tolerance` names no {NUMBERS}",
            where=str(path.parent / "model.yaml"),
            hint="`tolerance: {int8: 2}`, in steps of its output; "
            "`inv init NAME --from FILE` proposes one",
        )


def _input(spec: FileNetworkSpec, entry: Value, path: Path) -> InputSpec:
    """The size of an image: a row has one channel and no height but one."""
    batch, *sides = entry.sizes
    shown = "x".join(str(side or "?") for side in entry.sizes)
    if len(entry.sizes) not in RANKS or batch > 1 or 0 in sides:
        brief = f"the size of its input '{entry.name}' is {shown}, and only a batch may be open"
        raise InputError(brief, where=str(path), hint="convert it with the size of one image")
    height, width, channels = (*[1] * (2 - len(sides)), *sides, *[1] * (len(sides) < 3))[-3:]
    size = InputSpec(channels=channels, height=height, width=width)
    if spec.input not in (None, size):
        brief = f"its input '{entry.name}' is {shown}, which `input:` says otherwise"
        raise InputError(brief, where=str(path), hint="leave `input:` out: the file says it")
    return size


def _range(graph: LiteGraph, entry: Value) -> tuple[float, float]:
    """Lowest and highest value that the input can say, or what quantizes it first; 0 and 1 where
    neither is told."""
    first = entry
    if not _in_steps(entry):
        quantized = (one for one in graph.operations if one.kind == "QUANTIZE")
        values = (graph.values[number] for one in quantized for number in one.outputs)
        first = next(filter(_in_steps, values), entry)
    if not _in_steps(first):
        return 0.0, 1.0
    lowest = LOWEST[first.number] - (first.zeros[0] if first.zeros else 0)
    return lowest * first.scales[0], (lowest + SPAN) * first.scales[0]


def _step(graph: LiteGraph, leaving: int) -> float:
    """Of the output, or of what is made floats to be it; 0 where it is computed in floats."""
    value = graph.values[leaving]
    if _in_steps(value):
        return value.scales[0]
    made = next((one for one in graph.operations if leaving in one.outputs), None)
    if made is None or made.kind != "DEQUANTIZE":
        return 0.0
    before = graph.values[made.inputs[0]]
    return before.scales[0] if _in_steps(before) else 0.0


def _weighty(graph: LiteGraph) -> list[Operation]:
    return [one for one in graph.operations if one.kind in LEARNT]


def _count(graph: LiteGraph, number: int) -> int:
    content = graph.values[number].content if number >= 0 else None
    return 0 if content is None else content.size


def _products(graph: LiteGraph) -> int | None:
    """Multiply-adds of one image; None where a size is open, or an operator has no weights."""
    total = 0
    for one in _weighty(graph):
        weight = graph.values[one.inputs[0 if one.kind == "TRANSPOSE_CONV" else 1]].content
        made = graph.values[one.outputs[0]].sizes[1:]
        if weight is None or 0 in made or one.kind == "TRANSPOSE_CONV":
            return None
        each = weight.size // weight.shape[-1 if one.kind.startswith("DEPTHWISE") else 0]
        total += prod(made) * each
    return total
