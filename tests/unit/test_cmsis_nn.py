"""q7: its arithmetic, its buffers, and C that computes the same bits as NumPy's whole numbers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from buildmatrix import reference, schema
from buildmatrix.errors import InputError
from buildmatrix.export import able, export, prepared, q7, quantize
from buildmatrix.export.cmsis_places import function, placed
from buildmatrix.export.cmsis_source import interleaved
from buildmatrix.export.q7 import Q7Layer, Q7Network, quantized
from buildmatrix.export.q7_pass import passed
from buildmatrix.imported import described, held_out
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.layers import PoolSpec
from buildmatrix.network import NetworkSpec, parameter_shapes, steps
from tests import cmsis
from tests.stacks import EVERY

if TYPE_CHECKING:
    from buildmatrix.export.quantize import I8

MODELS = Path(__file__).parents[2] / "models"
WRITTEN = ("cifar-10", "face-cnn", "lenet-5")


def network(*layers: dict[str, Any], size: tuple[int, int, int] = (3, 6, 6)) -> NetworkSpec:
    named = [{"name": f"l{number}", **layer} for number, layer in enumerate(layers)]
    channels, height, width = size
    return NetworkSpec.model_validate(
        {
            **{"version": 1, "name": "n", "summary": "", "seed": 1},
            "input": {"channels": channels, "height": height, "width": width},
            **{"tolerance": {"float32": 1e-4}, "layers": named},
        }
    )


def shipped(name: str) -> NetworkSpec:
    return schema.load(MODELS / name / "model.yaml", NetworkSpec)


def drawn(net: NetworkSpec, seed: int) -> Q7Network:
    """The network with any numbers and shifts: all eight bits, and answers that saturate."""
    numbers = np.random.default_rng(seed)
    shapes = {name: (shape, biases) for name, shape, biases in parameter_shapes(net)}
    layers = []
    for step in steps(net):
        shape, biases = shapes.get(step.layer.name, ((), 0))
        if not biases:
            layers.append(Q7Layer(step, 0))
            continue
        weight, bias = (
            numbers.integers(-128, 128, size).astype(np.int8) for size in (shape, biases)
        )
        shifts = (int(numbers.integers(0, 9)), int(numbers.integers(0, 13)))
        layers.append(Q7Layer(step, 0, weight, bias, *shifts))
    return Q7Network(0, tuple(layers))


def images(net: NetworkSpec, seed: int, count: int = 3) -> I8:
    size = (count, net.input.channels, net.input.height, net.input.width)
    return np.random.default_rng(seed + 1).integers(-128, 128, size).astype(np.int8)


def agree(net: NetworkSpec, seed: int) -> None:
    whole, shown = drawn(net, seed), images(net, seed)
    expected = np.stack([passed(whole, image.astype(np.float32)) for image in shown])
    with TemporaryDirectory() as folder:
        assert np.array_equal(cmsis.answers(whole, shown, Path(folder)), expected)


def test_an_average_is_cut_towards_zero_along_rows_and_then_down() -> None:
    """-1 and 0 are 0 in each row; all four at once would be -1."""
    net = network({"type": "pool", "method": "average", "kernel": 2, "stride": 2}, size=(1, 2, 2))
    whole = Q7Network(0, (Q7Layer(steps(net)[0], 0),))
    assert passed(whole, np.array([[[-1, 0], [-3, 0]]], np.float32)).tolist() == [0]
    assert passed(whole, np.array([[[-1, -2], [-4, -3]]], np.float32)).tolist() == [-2]


def test_softmax_is_of_powers_of_two() -> None:
    """The example of its documentation: 127 stands for all, and 8 less is next to nothing."""
    net = network({"type": "softmax"}, size=(3, 1, 1))
    whole = Q7Network(0, (Q7Layer(steps(net)[0], 0),))
    shares = {
        (127, 0, -128): [127, 0, 0],
        (5, 5, 5): [85, 85, 85],
        (1, 0, -1): [102, 51, 25],
    }
    for values, expected in shares.items():
        pixels = np.array(values, np.float32).reshape(3, 1, 1)
        assert passed(whole, pixels).tolist() == expected


def test_a_sum_is_rounded_shifted_and_saturated() -> None:
    net = network({"type": "fc", "outputs": 3}, size=(1, 1, 1))
    weight, bias = np.array([[1], [2], [127]], np.int8), np.array([1, -1, 0], np.int8)
    whole = Q7Network(0, (Q7Layer(steps(net)[0], 0, weight, bias, 2, 1),))
    assert passed(whole, np.full((1, 1, 1), 3, np.float32)).tolist() == [4, 1, 127]
    assert passed(whole, np.full((1, 1, 1), -4, np.float32)).tolist() == [0, -6, -128]


def test_weights_are_reordered_as_the_documentation_of_the_function_draws_it() -> None:
    """Six rows of seven: a11 is 11. Source: arm_fully_connected_q7_opt.c, its table of what is
    stored, whose third row of two blocks follows from the first two."""
    matrix = np.array([[10 * row + column for column in range(1, 8)] for row in range(1, 7)])
    first = [11, 21, 13, 23, 31, 41, 33, 43, 12, 22, 14, 24, 32, 42, 34, 44]
    rest = [15, 25, 35, 45, 16, 26, 36, 46, 17, 27, 37, 47]
    rows = [*range(51, 58), *range(61, 68)]
    assert interleaved(matrix.astype(np.int8)).tolist() == [*first, *rest, *rows]


def test_the_buffers_are_those_of_arm_s_example() -> None:
    """parameter.h and nn.cpp of its network for a Cortex-M7: scratch 40960; column 6400, which
    counts the third convolution's outputs, and its function wants half of that."""
    net = shipped("cifar-10")
    buffers = placed(quantized(net, reference.weights(net)).layers).buffers
    assert buffers._asdict() == {"input": 3076, "output": 12, "scratch": 40960, "column": 3200}


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([{"type": "tanh"}], "tanh"),
        ([{"type": "conv", "outputs": 3, "kernel": 3, "groups": 3}], "convolution with groups"),
        ([{"type": "conv", "outputs": 3, "kernel": [3, 1]}], "differ between sides"),
        (
            [{"type": "pool", "method": "max", "kernel": 2, "stride": 2, "pad": 1}],
            "padding of a pooling before its image",
        ),
        ([{"type": "softmax"}], "softmax of several pixels"),
        (
            [{"type": "relu"}, {"type": "add", "inputs": ["data", "l0"]}],
            "add",
        ),
        ([{"type": "relu"}], "the output is 3x6x6"),
    ],
)
def test_what_its_functions_lack_is_said(layers: list[dict[str, Any]], words: str) -> None:
    assert words in able.gap(network(*layers), "cmsis-nn")


def test_sums_beyond_32_bits_are_refused() -> None:
    """A bias that is far larger than all products."""
    net = network({"type": "fc", "outputs": 2}, size=(1, 1, 1))
    (learnt,) = reference.weights(net)
    far = learnt._replace(bias=np.full_like(learnt.bias, 1e9))
    with pytest.raises(InputError, match="sums of layer l0 may need more than 32 bits"):
        quantized(net, (far,))


@pytest.mark.parametrize(
    ("pad", "kernel", "side", "name"),
    [
        (1, 3, 6, "fast"),
        (0, 3, 6, "fast"),
        ([1, 1, 2, 2], 3, 6, "basic"),  # the last of the windows that count as whole is none
        ([0, 0, 1, 1], 2, 6, "basic"),
        (2, 5, 1, "basic"),  # two rows of padding, one row of output
        (2, 5, 2, "fast"),
    ],
)
def test_the_fast_convolution_is_called_where_it_stays_within_its_image(
    pad: int | list[int], kernel: int, side: int, name: str
) -> None:
    net = network(
        {"type": "conv", "outputs": 2, "kernel": kernel, "pad": pad}, size=(4, side, side)
    )
    assert function(steps(net)[0]) == f"arm_convolve_HWC_q7_{name}"


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITTEN)
def test_the_c_of_a_shipped_network_computes_the_same_bits(name: str, tmp_path: Path) -> None:
    export(shipped(name), format="cmsis-nn", destination=tmp_path)
    shown = (tmp_path / "input.q7").read_bytes()
    done = subprocess.run(
        [cmsis.program(tmp_path)], input=shown, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == (tmp_path / "expected.q7").read_bytes()
    assert len(set(done.stdout)) > 2


@pytest.mark.slow
def test_eight_bits_are_near_what_floats_say() -> None:
    """Values after each layer but softmax, which is of another base: within some steps."""
    net = network(
        {"type": "conv", "outputs": 8, "kernel": 3, "pad": 1},
        *({"type": "relu"}, {"type": "pool", "method": "average", "kernel": 2, "stride": 2}),
        {"type": "fc", "outputs": 5},
        size=(3, 8, 8),
    )
    parameters, image, expected = prepared(net)
    whole = quantized(net, parameters)
    answer = passed(whole, image) * 2.0 ** -whole.layers[-1].decimals
    assert np.abs(answer - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.slow
def test_trained_digits_are_known_in_eight_bits(tmp_path: Path) -> None:
    """All that were held out, bit for bit; as many right as in float32 less one in a hundred."""
    folder = MODELS / "lenet-5-digits"
    net = described(schema.load(folder / "model.yaml", FileNetworkSpec), folder)
    export(net, format="cmsis-nn", destination=tmp_path)
    shown = (tmp_path / "held-out.q7").read_bytes()
    done = subprocess.run(
        [cmsis.program(tmp_path)], input=shown, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == (tmp_path / "held-out-expected.q7").read_bytes()
    found = np.frombuffer(done.stdout, np.int8).reshape(-1, 10).argmax(axis=1)
    _, labels = held_out(net)
    facts = json.loads((tmp_path / "net.json").read_text())
    assert facts["buffers"]["column"] >= 2 * 400
    assert int((found == np.array(labels)).sum()) >= 350


def layers_of(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A chain over square images, its poolings with what they leave over at their end."""
    kinds = st.sampled_from(["conv", "conv", "relu", "max", "average"])
    layers: list[dict[str, Any]] = []
    for kind in draw(st.lists(kinds, min_size=1, max_size=5)):
        if kind == "relu":
            layers.append({"type": "relu"})
            continue
        window = {"kernel": draw(st.integers(1, 4)), "stride": draw(st.sampled_from([1, 1, 2, 3]))}
        if kind == "conv":
            start, more = draw(st.integers(0, 2)), draw(st.sampled_from([0, 0, 1, 2]))
            sides = [start, start, start + more, start + more]
            outputs = draw(st.sampled_from([1, 2, 3, 4, 8]))
            layers.append({"type": "conv", "outputs": outputs, "pad": sides, **window})
        else:
            layers.append({"type": "pool", "method": kind, **window})
    return layers


@st.composite
def chains(draw: st.DrawFn) -> NetworkSpec:
    channels, side = draw(st.sampled_from([1, 2, 3, 4, 8])), draw(st.integers(4, 12))
    layers = layers_of(draw)
    ends = draw(st.sampled_from([["fc"], ["fc", "relu"], ["fc", "fc", "softmax"]]))
    layers += [
        {"type": "fc", "outputs": draw(st.integers(1, 10))} if end == "fc" else {"type": end}
        for end in ends
    ]
    size = side
    for layer in layers:
        if layer["type"] == "pool":
            rest = -(size - layer["kernel"]) % layer["stride"]
            layer["pad"] = [0, 0, rest, rest]
            size = (size + rest - layer["kernel"]) // layer["stride"] + 1
        elif layer["type"] == "conv":
            padded = size + layer["pad"][0] + layer["pad"][2]
            size = (padded - layer["kernel"]) // layer["stride"] + 1
        assume(size > 0)
    net = network(*layers, size=(channels, side, side))
    try:
        assume(not able.gap(net, "cmsis-nn"))
    except InputError:  # a window larger than its image
        assume(False)
    return net


@pytest.mark.slow
@settings(max_examples=100 if EVERY else 40)  # each is compiled; all of them in the nightly lane
@given(chains(), st.integers(0, 2**32))
def test_any_chain_computes_the_same_bits(net: NetworkSpec, seed: int) -> None:
    agree(net, seed)


def test_a_network_that_moves_nothing_copies_its_input() -> None:
    net = network({"type": "relu"}, {"type": "softmax"}, size=(4, 1, 1))
    agree(net, 5)


def test_what_is_calibrated_is_what_pictures_show() -> None:
    net = network({"type": "conv", "outputs": 2, "kernel": 3}, {"type": "relu"})
    seen = quantize.ranges(net, reference.weights(net))
    whole = quantized(net, reference.weights(net))
    assert whole.decimals == q7.decimals(seen["data"].largest) == 7
    conv, relu = whole.layers
    assert conv.decimals == relu.decimals == q7.decimals(seen["l0"].largest)
    assert not isinstance(conv.step.layer, PoolSpec)
