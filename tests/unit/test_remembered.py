"""Layers out of a file are read once; a record that is not what was written counts as not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import numpy_helper

from buildmatrix import network, schema, workload
from buildmatrix.errors import InputError
from buildmatrix.imported import described, remembered
from buildmatrix.imported.spec import FileNetworkSpec
from tests import onnx_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from buildmatrix.network import ImportedNetwork


class Readings:
    """How often a file was really read, and the folder that models and records lie in."""

    def __init__(self, place: Path) -> None:
        self.count = 0
        self.folder = onnx_files.write(place / "mine", onnx_files.small())
        self.records = place / "networks"

    def read(self, spec: FileNetworkSpec, folder: Path) -> ImportedNetwork:
        self.count += 1
        return described(spec, folder)

    def ask(self, reader: str = "r") -> ImportedNetwork:
        spec = schema.load(self.folder / "model.yaml", FileNetworkSpec)
        return remembered.recalled(spec, self.folder, reader=reader, records=self.records)

    @property
    def record(self) -> Path:
        (path,) = self.records.iterdir()
        return path


@pytest.fixture
def readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Readings:
    counted = Readings(tmp_path)
    monkeypatch.setattr(remembered, "described", counted.read)
    return counted


def test_a_file_is_read_once_and_the_same_network_comes_back(readings: Readings) -> None:
    first, second = readings.ask(), readings.ask()
    assert first == second
    assert network.digest(first) == network.digest(second)
    assert workload.version(first) == workload.version(second)
    assert readings.count == 1


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:0],
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b'"stride": 1', b'"stride": 2', 1),
        lambda data: data[:0] + b"{}",
        lambda data: data[:0] + b"[" * 20000,
    ],
)
def test_a_damaged_record_counts_as_not_there(
    readings: Readings, harm: Callable[[bytes], bytes]
) -> None:
    first = readings.ask()
    readings.record.write_bytes(harm(readings.record.read_bytes()))
    assert readings.ask() == first
    assert readings.count == 2
    assert readings.ask() == first
    assert readings.count == 2


def test_another_file_another_setting_and_another_reader_are_read(readings: Readings) -> None:
    readings.ask()
    other = onnx_files.small()
    changed = numpy_helper.from_array(onnx_files.drawn(8, 2, 3, 3, seed=9), "c.w")
    other.graph.initializer[0].CopyFrom(changed)
    onnx_files.write(readings.folder, other)
    assert readings.ask() == readings.ask("another")
    assert readings.count == 3
    with (readings.folder / "model.yaml").open("a") as file:
        file.write("seed: 7\n")
    assert readings.ask().seed == 7
    assert readings.count == 4


def test_a_file_that_is_gone_is_said_though_it_was_read_before(readings: Readings) -> None:
    readings.ask()
    (readings.folder / "net.onnx").unlink()
    with pytest.raises(InputError, match="the file is not there"):
        readings.ask()


def test_a_place_that_cannot_be_written_to_only_costs_the_reading(readings: Readings) -> None:
    readings.records.write_text("a file where the folder would be")
    assert readings.ask() == readings.ask()
    assert readings.count == 2


def test_denormal_weights_are_counted_and_said(tmp_path: Path) -> None:
    model = onnx_files.small()
    tensor = next(one for one in model.graph.initializer if one.name == "f.w")
    values = numpy_helper.to_array(tensor).copy()
    values[0, :4] = [1e-40, -1e-42, 0.0, np.finfo(np.float32).tiny]
    tensor.CopyFrom(numpy_helper.from_array(values, "f.w"))
    folder = onnx_files.write(tmp_path / "mine", model)
    net = described(schema.load(folder / "model.yaml", FileNetworkSpec), folder)
    assert net.denormals == 2
    assert "parameters (2 of them denormal), " in workload.described(net).sentence
