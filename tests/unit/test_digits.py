"""What the number formats get right: a trained network, and digits that it has never seen.

`python -m tests.unit.test_digits` prints the tables of docs/models.md.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from buildmatrix import imported, reference, schema
from buildmatrix.export import export, prepared
from buildmatrix.imported import described
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.network import ImportedNetwork, NetworkSpec, VariantSpec, multiply_adds
from buildmatrix.pruning import pruned
from buildmatrix.reference import max_relative_error
from tests import consumers
from tests.unit.test_export_int8 import READERS as INT8

if TYPE_CHECKING:
    from buildmatrix.reference import F32

pytestmark = pytest.mark.slow  # other libraries read and run the networks

FOLDER = Path(__file__).parents[2] / "models" / "lenet-5-digits"
READERS: list[tuple[str, consumers.Reader]] = [
    ("onnx", consumers.onnx_runtime),
    ("tflite", consumers.lite),
    ("tflite", consumers.lite_xnnpack),
    ("ncnn", consumers.ncnn_float32),
    ("ncnn", consumers.ncnn_as_installed),
    ("ncnn", consumers.ncnn_bfloat16),
    ("onnx-float16-weights", consumers.onnx_runtime),
    ("tflite-float16-weights", consumers.lite),
    ("tflite-float16-weights", consumers.lite_xnnpack),
    *INT8,
]
KEEPS = (0.9, 0.8, 0.7, 0.5)


class Judged(NamedTuple):
    """`error`: largest relative one of the golden image. `right`: of the digits held out."""

    error: float
    right: int


@cache
def whole() -> ImportedNetwork:
    return described(schema.load(FOLDER / "model.yaml", FileNetworkSpec), FOLDER)


@cache
def held_out() -> tuple[F32, list[int]]:
    """Pictures, and what they show."""
    pictures, labels = imported.held_out(whole())
    return pictures, list(labels)


def judged(net: NetworkSpec, format: str, reader: consumers.Reader, folder: Path) -> Judged:
    export(net, format=format, destination=folder)
    _, image, expected = prepared(net)
    pictures, labels = held_out()
    golden, *answers = reader(folder, np.concatenate([image[None], pictures]))
    right = sum(int(a.argmax() == b) for a, b in zip(answers, labels, strict=True))
    return Judged(max_relative_error(golden, expected), right)


def variant(keep: float) -> NetworkSpec:
    prune = {"keep": keep, "by": "l1"}
    written = {"version": 1, "name": "less", "summary": "", "of": "lenet-5-digits", "prune": prune}
    return pruned(VariantSpec.model_validate(written), whole())


def test_the_reference_knows_the_digits() -> None:
    learnt, *_ = prepared(whole())
    pictures, labels = held_out()
    answers = [reference.forward(whole(), learnt, one).argmax() for one in pictures[:60]]
    assert sum(int(a == b) for a, b in zip(answers, labels, strict=False)) >= 58


@pytest.mark.parametrize(("format", "reader"), READERS)
def test_no_number_format_forgets_the_digits(
    format: str, reader: consumers.Reader, tmp_path: Path
) -> None:
    """float32 gets 357 of 360 right; what a format costs is at most three more."""
    assert judged(whole(), format, reader, tmp_path).right >= 354


def test_calibration_on_digits_is_what_int8_is_written_with(tmp_path: Path) -> None:
    """And not on noise: then the file would have other scales."""
    export(whole(), format="tflite-int8-symmetric", destination=tmp_path / "own")
    drawn = whole().model_copy(update={"calibration": ""})
    export(drawn, format="tflite-int8-symmetric", destination=tmp_path / "drawn")
    one, other = ((tmp_path / name / "net.tflite").read_bytes() for name in ("own", "drawn"))
    assert one != other


def main() -> None:
    count = len(held_out()[1])
    for format, reader in READERS:
        with TemporaryDirectory() as folder:
            error, right = judged(whole(), format, reader, Path(folder))
        words = f"{format:<24} {reader.__name__:<20} {error:8.1e} {right}/{count}"
        sys.stdout.write(f"{words} {right / count:.1%}\n")
    for keep in KEEPS:
        net = variant(keep)
        with TemporaryDirectory() as folder:
            _, right = judged(net, "onnx", consumers.onnx_runtime, Path(folder))
        share = multiply_adds(net) / multiply_adds(whole())
        sys.stdout.write(f"keep {keep} {multiply_adds(net):>10,} {share:.0%} {right}/{count}\n")


if __name__ == "__main__":
    main()
