"""MNN's engine, which calls C++ that is declared here: the bundle of mnn-host."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix import schema
from buildmatrix.export import export
from buildmatrix.network import NetworkSpec
from tests import rounds, runners
from tests.mnn_layers import FORMAT, OTHERWISE, RIGHT, network

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent.parent
CONVERT = ROOT / "recipes" / "mnn" / "convert.py"
MOST_THREADS = 32
pytestmark = [
    pytest.mark.docker,
    pytest.mark.nightly,
    pytest.mark.built(rounds.ALL),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the bundle is for x86-64"),
]


def converted(folder: Path) -> Path:
    """What MNN's converter, called as the recipe calls it, makes of the ONNX file there."""
    made = folder / "net.mnn"
    argv = [sys.executable, str(CONVERT), str(folder / "net.onnx"), str(made)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return made


# MNN's tiles reach from one image into the next.
agreeing = partial(runners.agreeing, convert=converted, apart=1e-6)
worst = partial(runners.worst, convert=converted, apart=1e-6)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runners.bundled("mnn-host", tmp_path_factory.mktemp("mnn") / "bundle")


@pytest.fixture
def lenet(tmp_path: Path) -> Path:
    net = schema.load(ROOT / "models" / "lenet-5" / "model.yaml", NetworkSpec)
    export(net, format=FORMAT, destination=tmp_path)
    converted(tmp_path)
    return tmp_path


def test_the_bundle_has_what_was_converted_and_not_what_it_was_converted_from(
    runner: Path, tmp_path: Path
) -> None:
    model = runner.parent.parent / "model"
    assert sorted(file.name for file in model.iterdir()) == [
        *("expected.f64", "input.f32", "net.mnn"),
    ]
    net = schema.load(ROOT / "models" / "face-cnn" / "model.yaml", NetworkSpec)
    export(net, format=FORMAT, destination=tmp_path)
    assert converted(tmp_path).read_bytes() == (model / "net.mnn").read_bytes()


def test_random_networks_out_of_onnx_files_are_computed_right(runner: Path) -> None:
    assert agreeing(runner, FORMAT, 40) == 40


@pytest.mark.parametrize("name", ["face-cnn", "lenet-5", "mobilenet-v1-0.25-128", "cifar-10"])
def test_every_shipped_network_is_computed_right(runner: Path, tmp_path: Path, name: str) -> None:
    net = schema.load(ROOT / "models" / name / "model.yaml", NetworkSpec)
    assert worst(runner, net, FORMAT, tmp_path) < 1e-5


@pytest.mark.parametrize("layer", RIGHT)
def test_a_layer_that_is_said_is_right(
    runner: Path, tmp_path: Path, layer: Mapping[str, Any]
) -> None:
    assert worst(runner, network(layer), FORMAT, tmp_path) < 1e-4


@pytest.mark.parametrize("layer", [layer for layer, _ in OTHERWISE])
def test_a_layer_that_is_refused_is_wrong(
    runner: Path, tmp_path: Path, layer: Mapping[str, Any]
) -> None:
    assert worst(runner, network(layer), "onnx", tmp_path) > 0.01


def test_more_threads_than_mnn_makes_are_refused(runner: Path, lenet: Path) -> None:
    (line,) = runners.lines(runner, lenet, "--threads", str(MOST_THREADS + 1))
    assert line["status"] == "error"
    words = f"MNN uses {MOST_THREADS} thread(s), not {MOST_THREADS + 1}"
    assert line["message"] == words


def test_layers_are_told_with_the_kind_of_each(runner: Path, lenet: Path) -> None:
    (line,) = runners.lines(runner, lenet, "--layers", "--batch", "64")
    told = [name for name, _, _ in line["layers"]]
    assert "conv1 Convolution" in told
    assert told[-1] == "prob Softmax"
    assert sum(ns for _, ns, _ in line["layers"]) > 0


def test_half_a_file_is_none(runner: Path, lenet: Path) -> None:
    file = lenet / "net.mnn"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (line,) = runners.lines(runner, lenet)
    assert line["status"] == "error"
    assert line["message"].startswith("MNN cannot read ")
