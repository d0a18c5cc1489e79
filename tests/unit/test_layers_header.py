"""layers.h and plain.h, compiled natively: what engines of stacks without a model format read."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from buildmatrix import export, network, reference, schema

pytestmark = pytest.mark.slow  # compiles C++

ROOT = Path(__file__).parents[2]
HARNESS = ROOT / "buildmatrix" / "harness"

# Prints what it has read, then runs each pooling, ReLU and softmax layer of it on 1, 2, 3, ...
PROGRAM = r"""
#include <cstdio>
#include <numeric>
#include "layers.h"
#include "plain.h"

static void show(const std::vector<float>& values) {
  for (float value : values) std::printf(" %.9g", double(value));
  std::printf("\n");
}

int main(int, char** argv) try {
  const Network network = read_network(argv[1]);
  const Shape& in = network.input;
  std::printf("input %zu %zu %zu\n", in.channels, in.height, in.width);
  for (const Layer& layer : network.layers) {
    const Shape& out = layer.output;
    std::printf("%s %d: %zux%zux%zu kernel %zu stride %zu pad %zu groups %zu\n",
                layer.name.c_str(), int(layer.kind), out.channels, out.height, out.width,
                layer.kernel, layer.stride, layer.pad, layer.groups);
    if (!layer.biases.empty()) {
      show(layer.weights);
      show(layer.biases);
      continue;
    }
    std::vector<float> from(layer.input.size()), to(out.size());
    std::iota(from.begin(), from.end(), 1.0f);
    const std::size_t before = layer.input.height * layer.input.width;
    const std::size_t after = out.height * out.width;
    for (std::size_t c = 0; c < out.channels; ++c) {
      if (layer.kind == Kind::max_pool || layer.kind == Kind::average_pool) {
        plain::pool(layer, &from[c * before], &to[c * after]);
      }
    }
    if (layer.kind == Kind::relu) {
      for (float& value : from) value -= 3;
      plain::relu(from.size(), from.data(), to.data());
    }
    if (layer.kind == Kind::softmax) plain::softmax(out, from.data(), to.data());
    show(to);
  }
} catch (const std::exception& error) {
  std::printf("%s\n", error.what());
  return 1;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers")
    (folder / "main.cpp").write_text(PROGRAM)
    argv = ["g++", "-std=c++11", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined"]
    argv += ["-fno-sanitize-recover", "-I", str(HARNESS), str(folder / "main.cpp")]
    argv += ["-o", str(folder / "main")]
    built = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return folder / "main"


def read(program: Path, folder: Path, text: str, numbers: Any = ()) -> list[str]:
    (folder / "net.txt").write_text(text)
    (folder / "net.f32").write_bytes(np.asarray(numbers, dtype="<f4").tobytes())
    return run(program, folder)


def run(program: Path, folder: Path) -> list[str]:
    done = subprocess.run(
        [str(program), str(folder)], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
    return done.stdout.replace(f"{folder}/", "").splitlines()


def test_shapes_weights_and_biases_in_the_order_of_the_file(program: Path, tmp_path: Path) -> None:
    text = "input 2 5 4\nconv c 4 1 3 2 1 2\nrelu r\nfc f 2 24\nsoftmax s\n"
    numbers = np.arange(4 * 9 + 4 + 2 * 24 + 2)
    lines = read(program, tmp_path, text, numbers)
    assert lines[:2] == ["input 2 5 4", "c 0: 4x3x2 kernel 3 stride 2 pad 1 groups 2"]
    assert lines[2].split() == [str(n) for n in range(36)]
    assert lines[3].split() == ["36", "37", "38", "39"]
    assert lines[4] == "r 1: 4x3x2 kernel 1 stride 1 pad 0 groups 1"
    assert lines[6] == "f 4: 2x1x1 kernel 1 stride 1 pad 0 groups 1"
    assert lines[7].split()[0] == "40"
    assert lines[8].split() == ["88", "89"]
    assert lines[9] == "s 5: 2x1x1 kernel 1 stride 1 pad 0 groups 1"


def test_the_plain_layers_compute_what_they_are_called(program: Path, tmp_path: Path) -> None:
    lines = read(program, tmp_path, "input 2 2 4\npool m max 2 2\n")
    assert lines[1:] == ["m 2: 2x1x2 kernel 2 stride 2 pad 0 groups 1", " 6 8 14 16"]
    lines = read(program, tmp_path, "input 1 3 3\npool a average 2 1\n")
    assert lines[1:] == ["a 3: 1x2x2 kernel 2 stride 1 pad 0 groups 1", " 3 4 6 7"]
    assert read(program, tmp_path, "input 1 1 5\nrelu r\n")[2] == " 0 0 0 1 2"
    softmax = read(program, tmp_path, "input 2 1 2\nsoftmax s\n")[2]
    low, high = 1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))
    assert [float(v) for v in softmax.split()] == pytest.approx([low, low, high, high])


def test_the_exporter_and_the_reader_agree(program: Path, tmp_path: Path) -> None:
    net = schema.load(ROOT / "models" / "face-cnn" / "model.yaml", network.NetworkSpec)
    export.export(net, format="raw", destination=tmp_path)
    lines = run(program, tmp_path)
    shown = [line.split(": ")[1].split(" kernel")[0] for line in lines if ": " in line]
    assert shown == [str(shape) for shape in network.shapes(net)]
    learnt = reference.weights(net)
    biases = [line for line in lines if len(line.split()) == 848]
    assert np.array_equal(np.array(biases[-2].split(), dtype=np.float32), learnt[-1].bias)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "net.txt: no layer"),
        ("input 1 2 2\n", "net.txt: no layer"),
        ("relu r\n", "net.txt:1: the input is the first line, and only that"),
        ("input 1 2 2\nrelu r\ninput 1 2 2\n", "net.txt:3: the input is the first line"),
        ("input 1 2\n", "net.txt:1: WIDTH is missing"),
        ("input 1 2 2 2\n", "net.txt:1: '2' is too much"),
        ("input 0 2 2\n", "net.txt:1: CHANNELS cannot be '0'"),
        ("input 1 -2 2\n", "net.txt:1: HEIGHT cannot be '-2'"),
        ("input 1 2 9999999999\n", "net.txt:1: WIDTH cannot be '9999999999'"),
        ("input 1 2 2\nlrn l\n", "net.txt:2: no layer 'lrn'"),
        ("input 1 2 2\nrelu\n", "net.txt:2: a name is missing"),
        ("input 1 2 2\nrelu r 3\n", "net.txt:2: '3' is too much"),
        ("input 1 2 2\npool p min 2 2\n", "net.txt:2: no pooling 'min'"),
        ("input 1 2 2\npool p max 3 1\n", "net.txt:2: p: the kernel is larger than its input"),
        ("input 3 2 2\nconv c 4 1 1 1 0 2\n", "net.txt:2: c: its groups do not fit 3 input"),
        ("input 4 2 2\nconv c 3 2 1 1 0 2\n", "net.txt:2: c: its groups do not fit 4 input"),
        ("input 1 2 2\nfc f 2 5\n", "net.txt:2: f: it gets 4 inputs"),
        ("input 1 2 2\nfc f 2 4\n", "net.f32: not as long as the layers of net.txt are"),
    ],
)
def test_a_fault_is_told_with_its_line(
    program: Path, tmp_path: Path, text: str, message: str
) -> None:
    assert read(program, tmp_path, text, [1, 2, 3])[0].startswith(message)


def test_numbers_that_are_left_over_are_a_fault(program: Path, tmp_path: Path) -> None:
    lines = read(program, tmp_path, "input 1 1 1\nfc f 1 1\n", [1, 2, 3])
    assert lines == ["net.f32: not as long as the layers of net.txt are"]


def test_a_missing_file_is_named(program: Path, tmp_path: Path) -> None:
    assert run(program, tmp_path) == ["net.txt: cannot be read"]
    (tmp_path / "net.txt").write_text("input 1 1 1\nrelu r\n")
    assert run(program, tmp_path) == ["net.f32: cannot be read"]
