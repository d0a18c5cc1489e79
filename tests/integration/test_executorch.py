"""Programs that are written here, read and run by ExecuTorch itself: the bundle of executorch-host.

ExecuTorch's package needs PyTorch to be installed, so no unit test has it; its wheel's libraries
need neither, and the bundle holds them.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

from buildmatrix import schema
from buildmatrix.export import export
from buildmatrix.network import NetworkSpec
from tests import rounds, runners
from tests.networks import with_outputs

ROOT = Path(__file__).parent.parent.parent
FORMAT = "executorch"
pytestmark = [
    pytest.mark.docker,
    pytest.mark.built(rounds.ALL),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the bundle is for x86-64"),
]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runners.bundled("executorch-host", tmp_path_factory.mktemp("executorch") / "bundle")


def layer(kind: str, name: str, *inputs: str, **how: Any) -> dict[str, Any]:
    return {"type": kind, "name": name, **({"inputs": inputs} if inputs else {}), **how}


CONV = layer("conv", "c", outputs=4, kernel=3, pad=1)
RELU = layer("relu", "r")
TANH = layer("tanh", "t", "c")
FOUR = layer("concat", "k", "t", "c", "r", "t")
CASES: dict[str, list[dict[str, Any]]] = {
    "sides": [layer("conv", "c", outputs=5, kernel=(3, 2), pad=(2, 1, 0, 1), stride=(2, 1))],
    "dilation": [layer("conv", "c", outputs=5, kernel=3, dilation=2, pad=1)],
    "depthwise": [layer("conv", "c", outputs=8, kernel=3, groups=4, pad=(0, 1, 2, 0))],
    "max": [layer("pool", "p", method="max", kernel=3, stride=2, pad=(1, 1, 0, 0))],
    "global": [CONV, layer("pool", "p", method="average", kernel=6, stride=1)],
    "counted": [
        layer("pool", "p", method="average", kernel=3, stride=1, pad=1, counts_pad=True),
    ],
    "not counted": [layer("pool", "p", method="average", kernel=3, stride=1, pad=1)],
    "relu": [RELU, CONV],
    "clip": [CONV, layer("clip", "k", low=-0.25, high=0.125)],
    "leaky": [CONV, layer("leaky-relu", "k", slope=0.1)],
    "prelu": [layer("fc", "f", outputs=7), layer("prelu", "k")],
    "shift": [CONV, layer("shift", "k")],
    "sigmoid": [CONV, layer("sigmoid", "k")],
    "hard-sigmoid": [CONV, layer("hard-sigmoid", "k")],
    "hard-swish": [CONV, layer("hard-swish", "k")],
    "add": [CONV, RELU, layer("add", "a", "c", "r")],
    "gate": [
        *(CONV, RELU, layer("pool", "g", method="average", kernel=6, stride=1)),
        *(layer("sigmoid", "h"), layer("mul", "m", "h", "r")),
    ],
    "two": [CONV, RELU, layer("concat", "k", "c", "r")],
    "four": [CONV, RELU, TANH, FOUR],
    "five": [CONV, RELU, TANH, layer("concat", "k", "t", "c", "r", "t", "c")],
    "seven": [CONV, RELU, TANH, layer("concat", "k", *"tcrtccr"), layer("sigmoid", "s")],
    "slice": [CONV, layer("slice", "s", first=1, channels=2)],
    "shuffle": [layer("conv", "c", outputs=6, kernel=3), layer("shuffle", "s", groups=3)],
    "pad": [layer("pad", "p", pad=(1, 2, 3, 0), channels=(1, 2), value=0.5), CONV],
    "linear": [layer("upsample", "u", factor=2, mode="linear"), CONV],
    "flatten": [CONV, layer("flatten", "f"), RELU],
    "softmax": [CONV, layer("softmax", "s")],
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_format_can_say_is_computed_right(runner: Path, tmp_path: Path, name: str) -> None:
    net = with_outputs(*CASES[name])
    assert runners.worst(runner, net, FORMAT, tmp_path) < 1e-5


@pytest.mark.parametrize("name", ["face-cnn", "lenet-5", "mobilenet-v1-0.25-128"])
def test_every_shipped_network_is_computed_right(runner: Path, tmp_path: Path, name: str) -> None:
    net = schema.load(ROOT / "models" / name / "model.yaml", NetworkSpec)
    assert runners.worst(runner, net, FORMAT, tmp_path) < 1e-5


def test_random_networks_out_of_onnx_files_are_computed_right(runner: Path) -> None:
    assert runners.agreeing(runner, FORMAT, 60) > 30


def test_a_batch_beyond_the_program_s_is_refused(runner: Path, tmp_path: Path) -> None:
    net = schema.load(ROOT / "models" / "lenet-5" / "model.yaml", NetworkSpec)
    export(net, format=FORMAT, destination=tmp_path)
    fine, beyond = runners.lines(runner, tmp_path, "--batch", "1024,1025")
    assert fine["status"] == "ok"
    assert beyond["message"] == "the program takes 1024 images at most, not 1025"


def test_half_a_program_is_none(runner: Path, tmp_path: Path) -> None:
    """ExecuTorch 1.5.1 computes with it as if it were whole, unless it is asked to verify it."""
    net = schema.load(ROOT / "models" / "lenet-5" / "model.yaml", NetworkSpec)
    export(net, format=FORMAT, destination=tmp_path)
    whole = (tmp_path / "net.pte").read_bytes()
    (tmp_path / "net.pte").write_bytes(whole[: len(whole) // 2])
    (line,) = runners.lines(runner, tmp_path)
    assert line["status"] == "error"
    assert line["message"].startswith("net.pte: ExecuTorch's error ")
