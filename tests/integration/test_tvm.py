"""What TVM's compiler makes of our ONNX files, by the recipe's own script, on this machine; and the
bundle of tvm-host."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

from buildmatrix import reference, schema
from buildmatrix.export import able, export
from buildmatrix.network import NetworkSpec
from tests import rounds, runners
from tests.boards import STATE
from tests.integration import cli
from tests.integration.test_executorch import CASES, CONV, layer
from tests.networks import with_outputs
from tests.stacks import CHOSEN

ROOT = Path(__file__).parent.parent.parent
CELL = "tvm-host"
FORMAT = "onnx-tvm"
CORES = os.cpu_count() or 1
PYTHON = "python3.11"  # of Debian 12, for which the recipe's packages are
LENET = ROOT / "models" / "lenet-5" / "model.yaml"
pytestmark = [
    pytest.mark.docker,
    pytest.mark.built(rounds.ALL),
    pytest.mark.skipif(CELL not in CHOSEN, reason="half a gigabyte: `scripts/test stacks`"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the bundle is for x86-64"),
]
COMPILER = """\
version: 1
toolchain: host-bookworm
include: [{name: compiler, stack: tvm-compiler}]
"""
MORE = {
    "lines": [layer("upsample", "u", factor=3, mode="linear"), CONV],
    "nearest": [layer("upsample", "u", factor=2, mode="nearest"), CONV],
    "to space": [layer("depth-to-space", "u", block=2), CONV],
    "lrn": [CONV, layer("lrn", "n", size=3, alpha=0.5, beta=0.75, bias=1.5)],
    "edge": [layer("pad", "p", pad=(1, 2, 3, 0), mode="edge"), CONV],
    "reflect": [layer("pad", "p", pad=(1, 2, 3, 0), mode="reflect"), CONV],
    "deconv": [layer("deconv", "d", outputs=3, kernel=(3, 4), stride=(2, 1), pad=(1, 0, 0, 1))],
    "deconv, depthwise": [layer("deconv", "d", outputs=4, kernel=3, stride=2, groups=4)],
    "uneven, counted": [
        layer("pool", "p", method="average", kernel=3, stride=2, pad=(1, 0, 0, 1), counts_pad=True),
    ],
    "uneven, not counted": [
        layer("pool", "p", method="average", kernel=3, stride=2, pad=(1, 0, 0, 1)),
    ],
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of Python packages that the recipe `tvm-compiler` makes."""
    project, folder = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("out") / "made"
    (project / "matrix.yaml").write_text(COMPILER)
    cli.run("build", cwd=project, state=STATE, code=0)
    cli.run("get", "compiler", "--out", str(folder), cwd=project, state=STATE, code=0)
    return folder / "lib" / "python"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runners.bundled(CELL, tmp_path_factory.mktemp("tvm") / "bundle")


def errors(packages: Path, folders: list[Path]) -> dict[str, float | str]:
    """The largest relative error of each model folder's batches; or what TVM says, which raises."""
    done = subprocess.run(
        [PYTHON, ROOT / "tests" / "tvm_runs.py", *folders],
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(folders), done.stderr[-2000:]
    found: dict[str, float | str] = {}
    for folder, answers in zip(folders, told, strict=True):
        right = np.fromfile(folder / "expected.f64")
        found[folder.name] = (
            answers
            if isinstance(answers, str)
            else max(reference.max_relative_error(np.array(one), right) for one in answers)
        )
    return found


def test_every_layer_is_computed_right(packages: Path, tmp_path: Path) -> None:
    cases = {**CASES, **MORE}
    for name, layers in cases.items():
        export(with_outputs(*layers), format=FORMAT, destination=tmp_path / name)
    found = errors(packages, [tmp_path / name for name in cases])
    assert {
        name: said for name, said in found.items() if isinstance(said, str) or said > 5e-5
    } == {}


def test_an_even_lrn_is_what_tvm_cannot_read(packages: Path, tmp_path: Path) -> None:
    net = with_outputs(CONV, layer("lrn", "n", size=2, alpha=0.5, beta=0.75, bias=1.5))
    assert able.gap(net, FORMAT).endswith(" has no lrn over 2 channels, an even number: layer n")
    export(net, format="onnx", destination=tmp_path / "even")
    (said,) = errors(packages, [tmp_path / "even"]).values()
    assert "not broadcastable" in str(said)


def test_random_networks_out_of_onnx_files_are_computed_right(
    packages: Path, tmp_path: Path
) -> None:
    folders: list[Path] = []

    def keep(net: NetworkSpec, _: Path) -> None:
        folders.append(tmp_path / str(len(folders)))
        export(net, format=FORMAT, destination=folders[-1])

    assert runners.said(FORMAT, 60, keep) > 50
    found = errors(packages, folders)
    wrong = (said for said in found.values() if isinstance(said, str) or said > runners.ALLOWED)
    assert list(wrong) == []


def test_as_many_threads_as_are_asked_for_compute(runner: Path) -> None:
    """TVM's pool takes as many as there are cores, without a word, unless it is told."""
    for threads in (1, CORES + 1):  # the engine counts them
        (line,) = runners.lines(runner, runner.parent.parent / "model", "--threads", str(threads))
        assert (line["status"], line["threads"]) == ("ok", threads), line["message"]


def test_layers_are_told_by_the_names_of_what_they_became(runner: Path) -> None:
    (line,) = runners.lines(runner, runner.parent.parent / "model", "--layers", "--batch", "4")
    told = {name: ns for name, ns, _ in line["layers"]}
    assert "fused_conv2d_add_relu" in told
    assert told["softmax"] > 0


def test_another_network_s_picture_is_refused(runner: Path, tmp_path: Path) -> None:
    """The network is part of the program; only a picture and an answer are read beside it."""
    net = schema.load(LENET, NetworkSpec)
    export(net, format=FORMAT, destination=tmp_path)
    (line,) = runners.lines(runner, tmp_path)
    assert line["status"] == "error"
    assert line["message"].startswith("the network takes ")
