"""An ONNX file as one image goes through it: sizes known, constants folded, one input and output.

onnxruntime does the folding (its basic optimizations, which write standard operators alone) and
answers what the file answers. It is an extra, and imported when a file is read.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, external_data_helper, numpy_helper, version_converter

from buildmatrix.errors import InputError
from buildmatrix.imported import caffe, lite
from buildmatrix.imported.dilated import write_pads
from buildmatrix.imported.reading import called

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onnx import GraphProto, ModelProto, ValueInfoProto

    from buildmatrix.reference import F32

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "QLinearMatMul")
OLDEST = 7  # operator set
LARGEST = 2**31 - 1  # bytes of a protobuf message


@dataclass(frozen=True)
class Simplified:
    """A model with every size known, and what the file's own engine answers for an image. `files`:
    names of those beside the file that hold its weights. `last`: the input's channels come last."""

    model: ModelProto
    answer: F32 | None
    files: tuple[str, ...]
    last: bool = False


def simplified(
    path: Path, *, size: tuple[int, ...] | None, output: str, image: F32 | None = None
) -> Simplified:
    """The file with a batch of 1 and, where it leaves its input's size open, this one.

    Raises InputError for a file that is damaged, is quantized, has several inputs, or needs what
    onnxruntime does not have.
    """
    model, files = _loaded(path)
    graph = model.graph
    _check_nodes(model, path)
    _fix_constants(model)
    model = _of_today(model, path)
    graph = model.graph
    _widened(model)
    write_pads(graph)
    entry = _entry(graph, path)
    last = _channels_last(graph, entry.name)
    if last and size:
        size = (*size[1:], size[0])
    _fix_size(entry, size, path)
    _one_output(graph, output, path)
    with TemporaryDirectory(prefix="buildmatrix-onnx-") as folder:
        folded = Path(folder) / "folded.onnx"
        name, shape = entry.name, [d.dim_value for d in entry.type.tensor_type.shape.dim]
        content = model.SerializeToString()
        del model, graph, entry
        given = None
        if image is not None:
            given = {name: (np.moveaxis(image, 0, -1) if last else image).reshape(shape)}
        answer = _run(content, folded, given, path)
        del content
        return Simplified(_sized(onnx.load(folded)), answer, files, last)


def _parsed(path: Path) -> ModelProto:
    try:
        return onnx.load(path, load_external_data=False)
    except DecodeError:
        raise InputError("this is no ONNX file, or only a part of one", where=str(path)) from None
    except FileNotFoundError:
        raise InputError(
            "the file is not there", where=str(path), hint="put it beside model.yaml"
        ) from None


def _external(model: ModelProto) -> tuple[str, ...]:
    """Names of the files that its weights stand in, as it says them."""
    graph = model.graph
    attributes = (attribute for node in graph.node for attribute in node.attribute)
    tensors = [*graph.initializer, *(attribute.t for attribute in attributes)]
    found = (
        entry.value
        for tensor in tensors
        if tensor.data_location == TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    )
    return tuple(sorted(set(found)))


def _loaded(path: Path) -> tuple[ModelProto, tuple[str, ...]]:
    """The model with all its weights, and the names of the files beside it that hold them."""
    if path.suffix == caffe.ENDING:
        return caffe.loaded(path)
    if path.suffix == lite.ENDING:
        return lite.loaded(path), ()
    model = _parsed(path)
    if not model.graph.node:
        raise InputError("this is no ONNX file, or one without nodes", where=str(path))
    files = _external(model)
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as fault:
        text = str(fault).splitlines()[0]
        raise InputError(
            f"its weights cannot be read: {text}",
            where=str(path),
            hint="put the files that hold its weights beside it",
        ) from None
    if sum((path.parent / name).stat().st_size for name in (path.name, *files)) > LARGEST:
        raise InputError("it has more than 2 GB of weights, which is not read", where=str(path))
    return model, files


def _check_nodes(model: ModelProto, path: Path) -> None:
    """Refuses numbers of 8 bits, and operators that are neither ONNX's nor functions of the file:
    before the file is brought to another operator set, whose converter has no node to name."""
    written = {"", "ai.onnx", *(function.domain for function in model.functions)}
    for node in model.graph.node:
        if node.domain not in written:
            raise InputError(
                f"the operator of node {called(node)} (of {node.domain}) is not read",
                where=str(path),
            )
        if node.op_type in QUANTIZED:
            raise InputError(
                f"it is quantized (node {called(node)}), and only files of floats are read",
                where=str(path),
                hint="export the network before it was quantized",
            )


def _fix_constants(model: ModelProto) -> None:
    """Weights that stand among the inputs, as all did before format version 4, are no inputs."""
    given = {tensor.name for tensor in model.graph.initializer}
    for value in [value for value in model.graph.input if value.name in given]:
        model.graph.input.remove(value)
    model.ir_version = max(model.ir_version, 4)


def _of_today(model: ModelProto, path: Path) -> ModelProto:
    """The model in an operator set that onnxruntime has kernels for: from 7, of 2018, on."""
    version = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 1)
    if version >= OLDEST:
        return model
    try:
        return version_converter.convert_version(model, OLDEST)
    except Exception as fault:  # noqa: BLE001  -- its C++ throws a class that it does not export
        text = " ".join(str(fault).split())
        raise InputError(
            f"it is of operator set {version}, and cannot be made one of {OLDEST}: {text}",
            where=str(path),
            hint="export it once more with a newer operator set",
        ) from None


def _widened(model: ModelProto) -> None:
    """Numbers of 16 bits become those of 32, which all that is read is computed in."""
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            wide = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in FLOATS:
                attribute.i = TensorProto.FLOAT
            if attribute.t.data_type == TensorProto.FLOAT16:
                wide = numpy_helper.to_array(attribute.t).astype(np.float32)
                attribute.t.CopyFrom(numpy_helper.from_array(wide))


def _entry(graph: GraphProto, path: Path) -> ValueInfoProto:
    entries = list(graph.input)
    if len(entries) != 1:
        names = ", ".join(f"'{one.name}'" for one in entries) or "none"
        raise InputError(
            f"it has {len(entries)} inputs ({names}), and one image is what a network is given",
            where=str(path),
            hint="export the part of it that reads one input",
        )
    kind = entries[0].type.tensor_type.elem_type
    if kind not in FLOATS:
        number = TensorProto.DataType.Name(kind).lower()
        raise InputError(
            f"its input '{entries[0].name}' is of {number}, not float", where=str(path)
        )
    return entries[0]


def _channels_last(graph: GraphProto, entry: str) -> bool:
    """Whether all that the network does with its input is to put its channels first."""
    readers = [node for node in graph.node if entry in node.input]
    return bool(readers) and all(
        node.op_type == "Transpose"
        and [list(a.ints) for a in node.attribute if a.name == "perm"] == [[0, 3, 1, 2]]
        for node in readers
    )


def _fix_size(entry: ValueInfoProto, size: tuple[int, ...] | None, path: Path) -> None:
    """Gives the input a batch of 1 and its other sizes numbers."""
    dimensions = entry.type.tensor_type.shape.dim
    if len(dimensions) not in (2, 3, 4):
        raise InputError(
            f"its input '{entry.name}' has {len(dimensions)} dimensions; 2, 3 and 4 are read",
            where=str(path),
        )
    sides = [d.dim_value if d.dim_value > 0 else None for d in dimensions[1:]]
    wanted = list(size)[: len(sides)] if size else sides
    if len(sides) == 3 or size is None:
        fits = all(s is None or s == w for s, w in zip(sides, wanted, strict=True))
    else:  # a row of values: channels, or channels and a length
        channels, height, width = size
        wanted = [channels * height * width] if len(sides) == 1 else [channels, height * width]
        fits = all(s is None or s == w for s, w in zip(sides, wanted, strict=True))
    shown = "x".join("?" if side is None else str(side) for side in sides)
    if not fits or None in wanted:
        raise InputError(
            f"the size of its input '{entry.name}' is {shown}",
            where=str(path),
            hint="write `input: {channels: …, height: …, width: …}` that fits it in model.yaml, "
            "or `inv init NAME --from FILE --input 3x224x224` with its figures",
        )
    for dimension, side in zip(dimensions, (1, *wanted), strict=True):
        dimension.Clear()
        dimension.dim_value = int(side or 0)


def _one_output(graph: GraphProto, name: str, path: Path) -> None:
    """Leaves one output; sizes that were noted elsewhere are forgotten, for they follow."""
    outputs = {value.name: value for value in graph.output}
    if name not in outputs and (name or len(outputs) != 1):
        there = ", ".join(outputs)
        brief = f"it has no output '{name}'" if name else f"it has {len(outputs)} outputs"
        raise InputError(
            f"{brief}: {there}", where=str(path), hint="write `output:` with one name, or --output"
        )
    kept = outputs[name] if name else next(iter(outputs.values()))
    kept.type.tensor_type.ClearField("shape")
    for other in [value for value in graph.output if value.name != kept.name]:
        graph.output.remove(other)
    del graph.value_info[:]


def _run(content: bytes, folded: Path, given: dict[str, F32] | None, path: Path) -> F32 | None:
    """Folds a model into the file `folded`; the answer for an image, if there is one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.log_severity_level = 4
    with _explained(path):
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(content, options, providers=providers)
        if given is None:
            return None
        (answer,) = session.run(None, given)
        return np.asarray(answer, np.float32)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """onnxruntime's exceptions have only Exception in common."""
    try:
        yield
    except Exception as fault:
        if not type(fault).__module__.startswith("onnxruntime"):
            raise
        text = " ".join(str(fault).split())
        raise InputError(f"onnxruntime does not take it: {text}", where=str(path)) from None


def _sized(model: ModelProto) -> ModelProto:
    """With the size of every value, inferred on a copy that has no large weights in it."""
    graph = model.graph
    sketch: Any = onnx.ModelProto()
    sketch.ir_version = model.ir_version
    sketch.opset_import.extend(model.opset_import)
    sketch.graph.name = graph.name or "graph"
    sketch.graph.node.extend(graph.node)
    sketch.graph.input.extend(graph.input)
    sketch.graph.output.extend(graph.output)
    named = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if _count(tensor.dims) <= 64:
            sketch.graph.initializer.append(tensor)
        elif tensor.name not in named:
            sketch.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    inferred = onnx.shape_inference.infer_shapes(sketch, data_prop=True).graph
    del graph.value_info[:]
    graph.value_info.extend(inferred.value_info)
    del graph.output[:]
    graph.output.extend(inferred.output)
    return model


def _count(dims: Sequence[int]) -> int:
    return int(np.prod(dims, dtype=np.int64))
