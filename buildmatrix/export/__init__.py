"""Writes a network, its weights, its input and the golden output in a stack's own format.

One module per family of formats, imported when it is asked for: their libraries are heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING

from buildmatrix.errors import UsageError
from buildmatrix.export import able
from buildmatrix.network import OUTPUT, ImportedNetwork, PrunedNetwork, origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.network import NetworkSpec
    from buildmatrix.reference import F32, F64, Parameters

INPUT_FILE = "input.f32"  # one image, little-endian float32; the harness replicates it
EXPECTED_FILE = "expected.f64"  # golden output of that image, little-endian float64
PICTURES_FILE = "held-out.f32"  # pictures that a trained network is judged by, as INPUT_FILE is


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is written: by `write(net, parameters, *settings)` of a module of this package,
    which gives the content of each file; by `write(net, parameters, image)` where `of_image`."""

    module: str
    settings: tuple[str, ...] = ()
    with_help_of: tuple[str, ...] = ()  # modules of this package that `module` imports
    by_name: bool = False  # whether the stacks that read it ask for the output by its name
    of_image: bool = False  # whether it has a form of its own for the input, which `write` is given

    @property
    def sources(self) -> tuple[str, ...]:
        """Files of the package buildmatrix that decide the bytes, besides what all share."""
        modules = (self.module, *self.with_help_of)
        return (*SHARED, *(f"export/{name}.py" for name in modules))


SHARED = (
    "layers.py",
    "sizes.py",
    "network.py",
    "reference.py",
    "caffe_schema.py",
    "messages.py",
    "channels.py",
    "pruning.py",
    "export/__init__.py",
    "export/able.py",
    "export/layout.py",
    "export/rules.py",
)
LITE = ("flat", "half", "quantize", "tflite_operators")
ONNX = ("half",)
WHOLE = ("half", "onnx", "quantize")
NCNN = ("quantize", "ncnn_layers")

FORMATS: Mapping[str, Format] = {
    "caffe": Format("caffe"),
    "tensorflow": Format("tensorflow", by_name=True),
    "tflite": Format("tflite", with_help_of=LITE),
    "tflite-armnn": Format("tflite", with_help_of=LITE),  # what Arm NN takes of it
    "tflite-float16-weights": Format("tflite", ("", "float16"), LITE),
    "tflite-int8-symmetric": Format("tflite", ("symmetric",), LITE),
    "tflite-int8-asymmetric": Format("tflite", ("asymmetric",), LITE),
    "tflite-int8-symmetric-per-tensor": Format("tflite", ("symmetric", "per-tensor"), LITE),
    "tflite-int8-asymmetric-per-tensor": Format("tflite", ("asymmetric", "per-tensor"), LITE),
    "tflite-int8-as-given": Format("tflite_given", with_help_of=("flat",)),
    "mxnet": Format("mxnet", ("64",), ("mxnet_operators",)),
    "mxnet-as-shipped": Format("mxnet", with_help_of=("mxnet_operators",)),
    "onnx": Format("onnx", with_help_of=ONNX),
    "onnx-float16-weights": Format("onnx", ("", "float16"), ONNX),
    "onnx-int8": Format("onnx_quantized", with_help_of=WHOLE),
    "onnx-int8-per-tensor": Format("onnx_quantized", ("per-tensor",), WHOLE),
    "onnx-opencv": Format("onnx", ("opencv",), ONNX),  # what OpenCV understands of it
    "onnx-openvino": Format("onnx", with_help_of=ONNX),  # what OpenVINO does
    "onnx-openvino-float16-weights": Format("onnx", ("", "float16"), ONNX),
    "onnx-openvino-int8": Format("onnx_quantized", with_help_of=WHOLE),
    "onnx-openvino-int8-per-tensor": Format("onnx_quantized", ("per-tensor",), WHOLE),
    "onnx-tvm": Format("onnx", with_help_of=ONNX),  # what TVM does
    "onnx-mnn": Format("onnx", with_help_of=ONNX),  # what MNN does
    "ncnn": Format("ncnn", with_help_of=NCNN, by_name=True),
    "ncnn-int8": Format("ncnn", ("int8",), NCNN, by_name=True),
    "executorch": Format(
        "executorch", with_help_of=("executorch_program", "tables", "xnnpack_graph")
    ),
    "raw": Format("raw"),
    "cmsis-nn": Format(
        "cmsis_nn",
        with_help_of=("cmsis_places", "cmsis_source", "q7", "q7_pass", "quantize"),
        of_image=True,
    ),
}


def prepared(net: NetworkSpec) -> tuple[tuple[Parameters, ...], F32, F64]:
    """Weights, one image, and the golden answer: drawn from the seed, or out of a network's file.

    Raises InputError for a file that is not what it was, or whose own engine answers otherwise.
    """
    if isinstance(net, PrunedNetwork):
        return _left(net)
    if isinstance(net, ImportedNetwork):
        from buildmatrix.imported import golden

        return golden(net)
    from buildmatrix import reference

    parameters = reference.weights(net)
    image = reference.image(net)
    return parameters, image, reference.forward(net, parameters, image)


def _left(net: PrunedNetwork) -> tuple[tuple[Parameters, ...], F32, F64]:
    """Of a variant: what is left of the whole network's weights, and its own answer."""
    from buildmatrix import pruning, reference

    learnt, image, _ = prepared(net.whole)
    parameters = pruning.parameters(net, learnt)
    return parameters, image, reference.forward(net, parameters, image)


def _ending(
    net: NetworkSpec, parameters: tuple[Parameters, ...]
) -> tuple[NetworkSpec, tuple[Parameters, ...]]:
    """The network with its last layer under the name that engines ask for."""
    last = net.layers[-1].name
    if last == OUTPUT:
        return net, parameters
    taken = {layer.name for layer in net.layers}
    spare = next(f"{OUTPUT}_{number}" for number in count(2) if f"{OUTPUT}_{number}" not in taken)
    names = {OUTPUT: spare, last: OUTPUT}
    layers = tuple(
        layer.model_copy(
            update={
                "name": names.get(layer.name, layer.name),
                "inputs": tuple(names.get(name, name) for name in layer.inputs),
            }
        )
        for layer in net.layers
    )
    learnt = tuple(one._replace(layer=names.get(one.layer, one.layer)) for one in parameters)
    return net.model_copy(update={"layers": layers}), learnt


def export(net: NetworkSpec, *, format: str, destination: Path) -> tuple[str, ...]:
    """Write the model as `format` into the folder `destination`; the names of the files written.

    The same network gives the same bytes. Raises UsageError for a format that is not in FORMATS,
    and InputError for a network whose sizes do not fit.
    """
    if format not in FORMATS:
        raise UsageError(
            f"no model format '{format}'", hint=f"use one of: {', '.join(sorted(FORMATS))}"
        )
    able.check(net, format)
    parameters, image, expected = prepared(net)
    how = FORMATS[format]
    if how.by_name:
        net, parameters = _ending(net, parameters)
    writer = import_module(f"{__name__}.{how.module}")
    more = (image,) if how.of_image else how.settings
    files: dict[str, bytes] = {
        **writer.write(net, parameters, *more),
        INPUT_FILE: image.astype("<f4").tobytes(),
        EXPECTED_FILE: expected.astype("<f8").tobytes(),
        **_pictures(net),
    }
    destination.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (destination / name).write_bytes(content)
    return tuple(files)


def _pictures(net: NetworkSpec) -> dict[str, bytes]:
    """Those that the network, or what it was made out of, has not learnt from."""
    trained = origin(net)
    if not isinstance(trained, ImportedNetwork) or not trained.held_out:
        return {}
    from buildmatrix.imported import held_out

    pictures, _ = held_out(trained)
    return {PICTURES_FILE: pictures.astype("<f4").tobytes()}
