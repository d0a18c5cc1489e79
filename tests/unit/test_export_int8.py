"""Quantized models, run by the stacks' own libraries: near the golden answer, and told from a wrong
one.

`python -m tests.unit.test_export_int8` prints what int8 costs in accuracy.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from buildmatrix import reference
from buildmatrix.export import FORMATS, ncnn, onnx_quantized, quantize, tflite
from buildmatrix.reference import max_relative_error
from tests import consumers
from tests.onnx_files import written_models
from tests.unit.test_export_agreement import MODELS, network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from buildmatrix.network import NetworkSpec
    from buildmatrix.reference import F32, F64, Parameters

    Writer = Callable[..., Mapping[str, bytes]]

pytestmark = pytest.mark.slow  # computes in whole numbers by hand

WRITERS: dict[str, Writer] = {
    "tflite": tflite.write,
    "ncnn": ncnn.write,
    "onnx_quantized": onnx_quantized.write,
}

READERS = [
    ("tflite-int8-symmetric", consumers.lite),
    ("tflite-int8-symmetric", consumers.lite_xnnpack),
    ("tflite-int8-asymmetric", consumers.lite),
    ("tflite-int8-asymmetric", consumers.lite_xnnpack),
    ("tflite-int8-symmetric-per-tensor", consumers.lite),
    ("tflite-int8-symmetric-per-tensor", consumers.lite_xnnpack),
    ("tflite-int8-asymmetric-per-tensor", consumers.lite),
    ("tflite-int8-asymmetric-per-tensor", consumers.lite_xnnpack),
    ("onnx-int8", consumers.onnx_runtime),
    ("onnx-int8-per-tensor", consumers.onnx_runtime),
    ("ncnn-int8", consumers.ncnn_as_installed),
]
each_reader = pytest.mark.parametrize(("format", "reader"), READERS)

RANGES = quantize.ranges
EVALUATION = 64  # pictures that calibration has not seen


class Accuracy(NamedTuple):
    """Against the float64 reference. `golden`: of the one image that a board is judged by."""

    golden: float
    median: float
    same_class: int  # of EVALUATION


@cache
def judged(name: str) -> tuple[F32, list[F64]]:
    """The golden image and the evaluation's pictures, with their answers."""
    net = network(name)
    pictures = reference.pictures(net, EVALUATION, first=quantize.PICTURES)
    images = np.stack([reference.image(net), *pictures])
    return images, [reference.forward(net, reference.weights(net), image) for image in images]


@cache
def calibrated(name: str) -> Mapping[str, quantize.Range]:
    net = network(name)
    return RANGES(net, reference.weights(net))


@pytest.fixture(autouse=True)
def _calibrated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for weights with a fault: it is the stack that has it, not the calibration."""
    monkeypatch.setattr(quantize, "ranges", lambda net, _: calibrated(net.name))


def accuracy(net: NetworkSpec, format: str, reader: consumers.Reader, folder: Path) -> Accuracy:
    written(net, reference.weights(net), format, folder)
    images, want = judged(net.name)
    got = reader(folder, images)
    errors = [max_relative_error(g, w) for g, w in zip(got, want, strict=True)]
    same = sum(int(g.argmax() == w.argmax()) for g, w in zip(got[1:], want[1:], strict=True))
    return Accuracy(errors[0], float(np.median(errors[1:])), same)


def written(
    net: NetworkSpec, parameters: tuple[Parameters, ...], format: str, folder: Path
) -> None:
    how = FORMATS[format]
    for name, content in WRITERS[how.module](net, parameters, *how.settings).items():
        (folder / name).write_bytes(content)


@each_reader
def test_int8_is_within_its_tolerance_and_names_the_same_class(
    format: str, reader: consumers.Reader, tmp_path: Path
) -> None:
    net = network("face-cnn")
    found = accuracy(net, format, reader, tmp_path)
    assert 0.01 < found.golden < net.tolerance["int8"]  # an exact answer is no int8 answer
    assert found.median < net.tolerance["int8"]
    assert found.same_class >= 0.9 * EVALUATION


@each_reader
def test_a_missing_bias_is_told_from_a_quantized_answer(
    format: str, reader: consumers.Reader, tmp_path: Path
) -> None:
    """In whichever layer, with room to spare."""
    net = network("face-cnn")
    parameters = reference.weights(net)
    (image, *_), (want, *_) = judged("face-cnn")
    for i, p in enumerate(parameters):
        without = p._replace(bias=np.zeros_like(p.bias))
        written(net, (*parameters[:i], without, *parameters[i + 1 :]), format, tmp_path)
        (got,) = reader(tmp_path, image[None])
        assert max_relative_error(got, want) > 1.1 * net.tolerance["int8"], p.layer


def test_the_ends_are_floats_and_symmetric_has_no_zero_points(tmp_path: Path) -> None:
    net = network("face-cnn")
    zeros = {}
    for scheme in ("symmetric", "asymmetric"):
        written(net, reference.weights(net), f"tflite-int8-{scheme}", tmp_path)
        interpreter = Interpreter(str(tmp_path / "net.tflite"))
        ends = (*interpreter.get_input_details(), *interpreter.get_output_details())
        assert [end["dtype"] for end in ends] == [np.float32, np.float32]
        small = [t for t in interpreter.get_tensor_details() if t["dtype"] == np.int8]
        zeros[scheme] = {int(z) for t in small for z in t["quantization_parameters"]["zero_points"]}
    assert zeros["symmetric"] == {0}
    assert -128 in zeros["asymmetric"]  # behind a ReLU all 256 steps are used


def test_ranges_hold_zero_and_a_relu_cuts_them() -> None:
    net = network("lenet-5")
    seen = RANGES(net, reference.weights(net))
    assert seen["conv1"].low == 0 < seen["conv1"].high  # its ReLU is part of it
    assert seen["fc3"].low < 0 < seen["fc3"].high
    assert quantize.asymmetric(seen["conv1"]).zero == -128
    scale, zero = quantize.asymmetric(seen["fc3"])
    assert scale * (-128 - zero) == pytest.approx(seen["fc3"].low, abs=scale)
    assert scale * (127 - zero) == pytest.approx(seen["fc3"].high, abs=scale)


def main() -> None:
    for name in written_models(MODELS, "tflite-int8-symmetric"):
        for format, reader in READERS:
            with TemporaryDirectory() as folder:
                found = accuracy(network(name), format, reader, Path(folder))
            said = f"{found.golden:.3f} {found.median:.3f} {found.same_class}/{EVALUATION}"
            sys.stdout.write(f"{name:<24} {format:<24} {reader.__name__:<20} {said}\n")


if __name__ == "__main__":
    main()
