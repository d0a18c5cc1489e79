"""LiteRT's engine for the harness on the library itself: the x86-64 one of the test extra's wheel.

What the aarch64 library answers is shown by the cells litert-*.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from buildmatrix import recipe
from buildmatrix.export import export
from buildmatrix.network import NetworkSpec
from buildmatrix.schema import load

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
HARNESS = ROOT / "buildmatrix" / "harness"
RECIPE = ROOT / "recipes" / "litert"
WHEEL = Path(find_spec("ai_edge_litert").submodule_search_locations[0])  # type: ignore[union-attr, index]
OWN = "own"

# The wheel of another release exports functions of other arguments by the same names.
PINNED = recipe.load_all(ROOT / "recipes")["litert"].spec.sources[0].alternates[0]
SAME = f"-{version('ai-edge-litert')}-" in getattr(PINNED, "file", "")
pytestmark = [
    pytest.mark.slow,  # compiles C++
    pytest.mark.skipif(platform.machine() != "x86_64", reason="a library for x86-64"),
    pytest.mark.skipif(not SAME, reason="a library of another release is installed"),
]


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("runners")
    for kernels in ("xnnpack", OWN):
        subprocess.run(
            [
                *("g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"),
                *('-DNUMBER_FORMAT="float32"', f"-DOWN_KERNELS={int(kernels == OWN)}"),
                *(f"-I{HARNESS}", f"-I{RECIPE}", "-o", folder / kernels),
                *(HARNESS / "harness.cpp", RECIPE / "runner" / "engine.cpp"),
                *(f"-L{WHEEL}", "-lLiteRt", "-lpthread", f"-Wl,-rpath,{WHEEL}"),
            ],
            check=True,
            timeout=300,
        )
    return {kernels: folder / kernels for kernels in ("xnnpack", OWN)}


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("lenet"), "lenet-5", "tflite")


def written(folder: Path, name: str, format: str, layer: str = "") -> Path:
    """A model of ours in that format, `layer` put into it before its first pooling."""
    text = (ROOT / "models" / name / "model.yaml").read_text()
    if layer:
        text = text.replace("  - {type: pool", f"  - {layer}\n  - {{type: pool", 1)
    (folder / "model.yaml").write_text(text)
    export(load(folder / "model.yaml", NetworkSpec), format=format, destination=folder)
    return folder


def run(runner: Path, model: Path, *arguments: str) -> list[Any]:
    """Each batch's line."""
    done = subprocess.run(
        [runner, "--model", model, "--passes", "2", "--warmup", "0", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def error(line: Any, model: Path) -> float:
    """How far an answer is from the reference, relative to the largest value; every image's."""
    right = np.fromfile(model / "expected.f64")
    given = np.array(line["output"]).reshape(-1, right.size)
    return float(np.abs(given - right).max() / np.abs(right).max())


@pytest.mark.parametrize("kernels", ["xnnpack", OWN])
@pytest.mark.parametrize(
    ("name", "format", "tolerance"),
    [
        ("lenet-5", "tflite", 1e-4),
        ("mobilenet-v1-0.25-128", "tflite", 1e-4),  # an image of three channels
        ("face-cnn", "tflite-int8-symmetric", 0.11),
    ],
)
def test_every_batch_gets_the_right_answer(
    runners: Mapping[str, Path],
    tmp_path: Path,
    name: str,
    format: str,
    kernels: str,
    tolerance: float,
) -> None:
    model = written(tmp_path, name, format)
    lines = run(runners[kernels], model, "--batch", "4,1,8")
    assert [(line["batch"], line["status"]) for line in lines] == [(4, "ok"), (1, "ok"), (8, "ok")]
    assert max(error(line, model) for line in lines) < tolerance
    assert all(line["batch_max_abs_diff"] == 0 and line["repeat_identical"] for line in lines)


def test_xnnpack_uses_as_many_threads_as_are_asked_for(
    runners: Mapping[str, Path], lenet: Path
) -> None:
    (line,) = run(runners["xnnpack"], lenet, "--threads", "3")
    assert (line["status"], line["threads"]) == ("ok", 3)


def test_litert_s_own_kernels_use_one_thread_whatever_they_are_told(
    runners: Mapping[str, Path], lenet: Path
) -> None:
    """LiteRT 2.3.0 gives `num_threads` to XNNPACK alone, and says nothing."""
    (line,) = run(runners[OWN], lenet, "--threads", "2")
    assert line["status"] == "error"
    assert line["message"] == "LiteRT on its own kernels uses 1 thread(s), not 2"


def test_layers_are_told_as_litert_calls_them(runners: Mapping[str, Path], lenet: Path) -> None:
    (line,) = run(runners[OWN], lenet, "--layers")
    pools = ["CONV_2D", "AVERAGE_POOL_2D"] * 2
    names = [*pools, "RESHAPE", *["FULLY_CONNECTED"] * 3, "SOFTMAX"]
    assert [name for name, _, _ in line["layers"]] == [f"{i} {n}" for i, n in enumerate(names)]
    # Several: those passes are others than the timed ones, and a busy machine stretches some.
    tries = [run(runners["xnnpack"], lenet, "--layers", "--batch", "64")[0] for _ in range(5)]
    told = [name for name, _, _ in tries[0]["layers"]]
    assert told[0] == "0 Convolution (NHWC, F32) IGEMM"
    assert [name for name in told if "Softmax" in name] == told[-1:]
    sums = [sum(ns for _, ns, _ in line["layers"]) / sum(line["samples_ns"]) for line in tries]
    assert 0 < min(sums) < 2


def test_what_xnnpack_does_not_take_is_told_where_it_runs(
    runners: Mapping[str, Path], tmp_path: Path
) -> None:
    lrn = "{type: lrn, name: norm, size: 5, alpha: 0.5, beta: 0.75, bias: 1.0}"
    model = written(tmp_path, "lenet-5", "tflite", lrn)
    (line,) = run(runners["xnnpack"], model, "--layers", "--threads", "2")
    assert error(line, model) < 1e-4
    told = [name for name, _, _ in line["layers"]]
    assert told[1] == "1 LOCAL_RESPONSE_NORMALIZATION"
    assert told[2].startswith("2 Average Pooling")
    assert len(set(told)) == len(told)


def test_no_library_of_an_accelerator_is_looked_for(
    runners: Mapping[str, Path], lenet: Path
) -> None:
    """By itself LiteRT opens GPU libraries by name, wherever the loader finds one."""
    done = subprocess.run(
        [runners["xnnpack"], "--model", lenet, "--passes", "1"],
        env={**os.environ, "LD_DEBUG": "libs"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "find library=libLiteRt.so" in done.stderr
    assert "Accelerator" not in done.stderr


@pytest.mark.parametrize("content", [b"", b"no flatbuffer, but as long as one", None])
def test_a_file_that_is_none_is_told(
    runners: Mapping[str, Path], tmp_path: Path, lenet: Path, content: bytes | None
) -> None:
    for file in lenet.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = (lenet / "net.tflite").read_bytes()
    (tmp_path / "net.tflite").write_bytes(whole[: len(whole) // 2] if content is None else content)
    (line,) = run(runners["xnnpack"], tmp_path)
    assert line["status"] == "error"
    assert line["message"].startswith("LiteRtCreateModelFromFile: LiteRT's status ")
