"""Every exported model, read by a stack's own library, gives the golden answer.

`python -m tests.unit.test_export_agreement` prints the errors.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pytest

from buildmatrix import reference
from buildmatrix.export import export
from buildmatrix.network import NetworkSpec
from buildmatrix.reference import max_relative_error
from buildmatrix.schema import load
from tests import consumers
from tests.onnx_files import written_models

if TYPE_CHECKING:
    from buildmatrix.network import NumberFormat

pytestmark = pytest.mark.slow  # other libraries read and run the networks

MODELS = Path(__file__).parents[2] / "models"

# MXNet's and TensorFlow's are read by the runners built on them: they have no library that
# can be installed beside the rest.
READERS: dict[str, tuple[str, consumers.Reader, NumberFormat]] = {
    "onnxruntime": ("onnx", consumers.onnx_runtime, "float32"),
    "OpenCV": ("onnx-opencv", consumers.opencv, "float32"),
    "OpenCV, Caffe's files": ("caffe", consumers.opencv_caffe, "float32"),
    "tflite": ("tflite", consumers.lite, "float32"),
    "tflite with XNNPACK": ("tflite", consumers.lite_xnnpack, "float32"),
    "onnxruntime, half weights": (
        "onnx-float16-weights",
        consumers.onnx_runtime,
        "float16-weights",
    ),
    "tflite, half weights": ("tflite-float16-weights", consumers.lite, "float16-weights"),
    "tflite with XNNPACK, half weights": (
        "tflite-float16-weights",
        consumers.lite_xnnpack,
        "float16-weights",
    ),
    "ncnn": ("ncnn", consumers.ncnn_float32, "float32"),
    "ncnn, half precision": ("ncnn", consumers.ncnn_as_installed, "float16"),
    "ncnn, bfloat16": ("ncnn", consumers.ncnn_bfloat16, "bfloat16"),
}


def network(name: str) -> NetworkSpec:
    return load(MODELS / name / "model.yaml", NetworkSpec)


def errors(net: NetworkSpec, reader: str, folder: Path) -> list[float]:
    """Of three images in one batch, which the reader must not mix up: two are noise of ours."""
    format, consumer, _ = READERS[reader]
    export(net, format=format, destination=folder)
    image = reference.image(net)
    images = np.stack([image, image[:, ::-1].copy(), 1 - image])
    parameters = reference.weights(net)
    outputs = consumer(folder, images)
    assert len(outputs) == len(images)
    return [
        max_relative_error(output, reference.forward(net, parameters, one))
        for output, one in zip(outputs, images, strict=True)
    ]


PAIRS = [(n, reader) for reader in READERS for n in written_models(MODELS, READERS[reader][0])]


@pytest.mark.parametrize(("name", "reader"), PAIRS)
def test_a_stack_reads_the_model_and_gives_the_golden_answer(
    name: str, reader: str, tmp_path: Path
) -> None:
    net = network(name)
    assert max(errors(net, reader, tmp_path)) < net.tolerance[READERS[reader][2]]


def main() -> None:
    for name, reader in sorted(PAIRS):
        with TemporaryDirectory() as folder:
            worst = max(errors(network(name), reader, Path(folder)))
        sys.stdout.write(f"{name:<24} {reader:<24} {worst:.1e}\n")


if __name__ == "__main__":
    main()
