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
from buildmatrix.imported import batch, caffe, ends, lite
from buildmatrix.imported.dilated import write_pads
from buildmatrix.imported.reading import UP_TO, called

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onnx import GraphProto, ModelProto

    from buildmatrix.reference import F32

QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "QLinearMatMul")
OWN = "com.microsoft"  # operators of onnxruntime alone
OPTIMIZED = "take the file that it was made of: onnxruntime wrote this one for itself"
OLDEST = 7  # operator set
LARGEST = 2**31 - 1  # bytes of a protobuf message


@dataclass(frozen=True)
class Simplified:
    """A model with every size known, and what the file's own engine answers for an image. `files`:
    names of those beside the file that hold its weights. `names`: of all values that its nodes
    make, as the file has them. `last`: the input's channels come last."""

    model: ModelProto
    answer: F32 | None
    files: tuple[str, ...]
    names: frozenset[str]
    last: bool = False


def simplified(
    path: Path, *, size: tuple[int, ...] | None, output: str, image: F32 | None = None
) -> Simplified:
    """The file with a batch of 1 and, where it leaves its input's size open, this one.

    Raises InputError for a file that is damaged, is quantized, has several inputs, or needs what
    onnxruntime does not have.
    """
    model, files = _loaded(path)
    _fix_constants(model)
    ends.one_output(model.graph, output, path)
    names = frozenset(output for node in model.graph.node for output in node.output)
    _check_nodes(model, path)
    model = _of_today(model, path)
    graph = model.graph
    _widened(model)
    _uncast(graph)
    write_pads(graph)
    entry = ends.entry(graph, path)
    ends.give_batch(graph, entry)
    last = ends.channels_last(graph, entry)
    if last and size:
        size = (*size[1:], size[0])
    whole = b""  # the file for as many images as it is of
    if (count := batch.images(entry)) > 1:
        if image is not None:
            whole = model.SerializeToString()
        batch.read_for_one(graph, count)
    ends.fix_size(entry, size, path)
    with TemporaryDirectory(prefix="buildmatrix-onnx-") as folder:
        folded = Path(folder) / "folded.onnx"
        name, shape = entry.name, [d.dim_value for d in entry.type.tensor_type.shape.dim]
        content = model.SerializeToString()
        del model, graph, entry
        given = None
        if image is not None:
            given = {name: (np.moveaxis(image, 0, -1) if last else image).reshape(shape)}
        answer = _run(content, given, path, folded)
        del content
        if whole and given is not None and answer is not None:
            several = {name: batch.several(given[name], count)}
            batch.check(_run(whole, several, path), answer, count, path)
        return Simplified(_sized(onnx.load(folded)), answer, files, names, last)


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
                hint=OPTIMIZED if node.domain.startswith(OWN) else UP_TO,
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
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in ends.FLOATS:
                attribute.i = TensorProto.FLOAT
            if attribute.t.data_type == TensorProto.FLOAT16:
                wide = numpy_helper.to_array(attribute.t).astype(np.float32)
                attribute.t.CopyFrom(numpy_helper.from_array(wide))


def _uncast(graph: GraphProto) -> None:
    """Without what only made 16 bits of the input's 32: who read that reads the input."""
    kinds = {one.name: one.type.tensor_type.elem_type for one in graph.input}
    floats = {name for name, kind in kinds.items() if kind == TensorProto.FLOAT}
    leaving = {value.name for value in graph.output}
    for node in [one for one in graph.node if one.op_type == "Cast" and one.input[0] in floats]:
        if node.output[0] in leaving or [a.i for a in node.attribute] != [TensorProto.FLOAT]:
            continue
        for reader in graph.node:
            names = [node.input[0] if name == node.output[0] else name for name in reader.input]
            reader.input[:] = names
        graph.node.remove(node)


def _run(
    content: bytes, given: dict[str, F32] | None, path: Path, folded: Path | None = None
) -> F32 | None:
    """The answer of a model to what is given, if anything is; folded into a file where one is
    named."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    if folded is not None:
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
