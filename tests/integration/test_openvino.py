"""OpenVINO's engine on networks that no cell is of: the bundle of openvino-host."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from buildmatrix import schema
from buildmatrix.export import export
from buildmatrix.network import NetworkSpec
from tests import rounds, runners

ROOT = Path(__file__).parent.parent.parent
FORMAT = "onnx"
CORES = os.cpu_count() or 1
pytestmark = [
    pytest.mark.docker,
    pytest.mark.built(rounds.ALL),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the bundle is for x86-64"),
]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runners.bundled("openvino-host", tmp_path_factory.mktemp("openvino") / "bundle")


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lenet")
    net = schema.load(ROOT / "models" / "lenet-5" / "model.yaml", NetworkSpec)
    export(net, format=FORMAT, destination=folder)
    return folder


def test_random_networks_out_of_onnx_files_are_computed_right(runner: Path) -> None:
    assert runners.agreeing(runner, FORMAT, 40) == 40


def test_more_threads_than_there_are_cores_are_refused(runner: Path, lenet: Path) -> None:
    """OpenVINO 2026.4.1 takes as many as there are, and says so only when it is asked."""
    (line,) = runners.lines(runner, lenet, "--threads", str(CORES + 1))
    assert line["status"] == "error"
    assert line["message"].startswith("OpenVINO uses ")
    assert line["message"].endswith(f" thread(s), not {CORES + 1}")


def test_layers_are_told_with_the_kernels_that_compute_them(runner: Path, lenet: Path) -> None:
    (line,) = runners.lines(runner, lenet, "--layers", "--batch", "64")
    told = [name for name, _, _ in line["layers"]]
    assert told[0].startswith("conv1")
    assert told[-1].startswith("prob ")
    assert sum(ns for _, ns, _ in line["layers"]) > 0


def test_half_a_file_is_told_in_openvino_s_words(runner: Path, lenet: Path, tmp_path: Path) -> None:
    for file in lenet.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = (lenet / "net.onnx").read_bytes()
    (tmp_path / "net.onnx").write_bytes(whole[: len(whole) // 2])
    (line,) = runners.lines(runner, tmp_path)
    assert line["status"] == "error"
    assert line["message"]
