"""A library's own calls on the shared harness, compiled natively: right, wrong, and too many."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from buildmatrix import workload

HARNESS = Path(__file__).parents[2] / "buildmatrix" / "harness"
LIBRARY = Path(__file__).parents[2] / "buildmatrix" / "start" / "library"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    for name, content in workload.files(workload.Calls("dot", "", {})).items():
        (folder / name).write_bytes(content)
    cxx = ["g++", "-std=c++11", "-Wall", "-Werror", '-DNUMBER_FORMAT="float32"', f"-I{HARNESS}"]
    for name in ("harness", "bench"):
        source = HARNESS / f"{name}.cpp"
        subprocess.run([*cxx, "-c", source, "-o", folder / f"{name}.o"], check=True)
    return folder


def measured(folder: Path, main: str, *flags: str) -> dict[str, Any]:
    """What the runner prints for a benchmark file of the given text."""
    (folder / "bench.c").write_text(main)
    sources: list[Path] = [folder / "bench.c", LIBRARY / "src" / "dot.c"]
    made = [folder / "harness.o", folder / "bench.o"]
    places = [f"-I{HARNESS}", f"-I{LIBRARY / 'src'}"]
    for source in sources:
        made.append(folder / f"{source.stem}-c.o")
        subprocess.run(
            ["gcc", "-Wall", *places, "-c", str(source), "-o", str(made[-1])], check=True
        )
    program = str(folder / "runner")
    subprocess.run(["g++", *map(str, made), "-lm", "-o", program], check=True)
    argv = [program, "--model", str(folder), "--passes", "2", "--warmup", "0", *flags]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return line


MAIN = (LIBRARY / "recipes" / "dot" / "bench.c").read_text()


def test_a_right_answer_is_one_for_each_call_of_the_batch(folder: Path) -> None:
    line = measured(folder, MAIN, "--batch", "3")
    assert (line["status"], line["number_format"]) == ("ok", "float32")
    assert line["output"] == [pytest.approx(1, abs=1e-5)]
    assert len(line["samples_ns"]) == 2


def test_a_wrong_answer_says_by_how_much(folder: Path) -> None:
    half = MAIN.replace("result = dot(a, b, SIZE)", "result = dot(a, b, SIZE / 2)")
    assert measured(folder, half)["output"] == [pytest.approx(1.5, abs=0.01)]


def test_a_result_that_is_no_number_is_no_answer(folder: Path) -> None:
    nan = MAIN.replace("result = dot(a, b, SIZE)", "result = 0; result /= result")
    assert measured(folder, nan)["output"] == [None]


def test_more_threads_than_the_library_can_have_are_refused(folder: Path) -> None:
    line = measured(folder, MAIN, "--threads", "2")
    assert (line["status"], "measure it with 1 thread" in line["message"]) == ("error", True)
