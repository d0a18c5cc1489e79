"""The golden answer: the same bytes everywhere, the right arithmetic, and a bound that tells."""

from __future__ import annotations

import hashlib
import math
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildmatrix import reference
from buildmatrix.layers import ConvSpec, FcSpec, PoolSpec, ReluSpec, SoftmaxSpec
from buildmatrix.network import NetworkSpec
from buildmatrix.reference import F64, Parameters, forward, max_relative_error
from buildmatrix.schema import load
from tests.onnx_files import written_models

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = Path(__file__).parents[2] / "models"
FACE_CNN = MODELS / "face-cnn" / "model.yaml"
NETWORKS = written_models(MODELS, "raw")  # of plain windows


@pytest.fixture(scope="module")
def net() -> NetworkSpec:
    return load(FACE_CNN, NetworkSpec)


@pytest.fixture(scope="module")
def expected(net: NetworkSpec) -> F64:
    return forward(net, reference.weights(net), reference.image(net))


def sha256(*arrays: reference.F32) -> str:
    return hashlib.sha256(b"".join(a.astype("<f4").tobytes() for a in arrays)).hexdigest()


def test_weights_and_input_are_the_same_bytes_everywhere(net: NetworkSpec) -> None:
    """A change here makes every stored answer and every published comparison another one."""
    parts = [part for p in reference.weights(net) for part in (p.weight, p.bias)]
    assert sha256(*parts) == ("34dd828ae7b9486c8de48e16ebd223b2a86c7956ed0c106a15ea86f42a3c32bd")
    assert sha256(reference.image(net)) == (
        "aed41112cc9155ab462ab07df09703f635f68a1fc77dd3a6e6be8cf738bab783"
    )


def test_the_softmax_is_not_saturated_and_the_outputs_differ(expected: F64) -> None:
    assert expected.shape == (848,)
    assert expected.sum() == pytest.approx(1, rel=1e-12)
    assert expected.max() < 0.1
    assert expected.min() > 1e-6
    assert len(set(expected.astype(np.float32))) > 840


def small_net(channels: int, size: int, kernel: int) -> NetworkSpec:
    side = size - kernel + 1
    return NetworkSpec.model_validate(
        {
            "version": 1,
            "name": "small",
            "summary": "",
            "input": {"channels": channels, "height": size, "width": size},
            "seed": size,
            "tolerance": {"float32": 1e-4},
            "layers": [
                {"type": "conv", "name": "c", "outputs": 2, "kernel": kernel},
                {"type": "relu", "name": "r"},
                {"type": "pool", "name": "p", "method": "max", "kernel": side, "stride": 1},
                {"type": "fc", "name": "f", "outputs": 3},
                {"type": "softmax", "name": "s"},
            ],
        }
    )


def by_hand(x: list[float], channels: int, size: int, kernel: int, net: NetworkSpec) -> list[float]:
    """The same chain with plain loops over flat lists, as a textbook writes it."""
    conv, full = ([p.weight.ravel().tolist(), p.bias.tolist()] for p in reference.weights(net))
    side = size - kernel + 1
    pooled = []
    for o in range(2):
        best = 0.0  # of the ReLU
        for y, z in product(range(side), repeat=2):
            total = conv[1][o]
            for c, a, b in product(range(channels), range(kernel), range(kernel)):
                w = conv[0][((o * channels + c) * kernel + a) * kernel + b]
                total += w * x[(c * size + y + a) * size + z + b]
            best = max(best, total)
        pooled.append(best)
    logits = [full[1][o] + sum(full[0][o * 2 + i] * pooled[i] for i in range(2)) for o in range(3)]
    powers = [math.exp(v) for v in logits]
    return [p / sum(powers) for p in powers]


@settings(max_examples=25, deadline=None)
@given(channels=st.integers(1, 3), size=st.integers(3, 6), kernel=st.integers(1, 3))
def test_forward_agrees_with_plain_loops(channels: int, size: int, kernel: int) -> None:
    net = small_net(channels, size, kernel)
    image = reference.image(net)
    want = by_hand(image.ravel().tolist(), channels, size, kernel, net)
    assert forward(net, reference.weights(net), image) == pytest.approx(want, rel=1e-12)


def test_windows_of_some_rows_at_a_time_are_those_of_all(
    net: NetworkSpec, expected: F64, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large image they would take gigabytes."""
    monkeypatch.setattr(reference, "WINDOWS", 10_000)
    parted = forward(net, reference.weights(net), reference.image(net))
    assert np.allclose(parted, expected, rtol=1e-9, atol=0)


@pytest.fixture(scope="module", params=NETWORKS)
def each(request: pytest.FixtureRequest) -> NetworkSpec:
    return load(MODELS / request.param / "model.yaml", NetworkSpec)


@pytest.mark.slow
def test_float32_arithmetic_is_well_within_the_tolerance(each: NetworkSpec) -> None:
    """A right stack passes with a factor of ten to spare."""
    narrow = forward_in_float32(each, reference.weights(each))
    expected = forward(each, reference.weights(each), reference.image(each))
    assert 0 < max_relative_error(narrow, expected) < each.tolerance["float32"] / 10


def forward_in_float32(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> reference.F32:
    """Sums in float32, one by one: the least exact order."""
    learnt = {p.layer: p for p in parameters}
    x = reference.image(net)
    for layer in net.layers:
        match layer:
            case ConvSpec(name=name):
                x = convolve_in_float32(layer, x, learnt[name])
            case FcSpec(name=name):
                p = learnt[name]
                x = (p.bias + np.add.accumulate(p.weight * x.ravel(), axis=1)[:, -1])[:, None, None]
            case PoolSpec(kernel=int(k), stride=int(stride), method=method):
                parts = [plane(x, a, b, k, stride) for a, b in product(range(k), repeat=2)]
                x = np.max(parts, axis=0) if method == "max" else mean_in_float32(parts)
            case ReluSpec():
                x = np.maximum(x, np.float32(0))
            case SoftmaxSpec():
                powers = np.exp(x - x.max())
                x = powers / powers.sum()
            case _:
                raise AssertionError(f"none of our models has a layer {layer.type}")
    assert x.dtype == np.float32
    return x.ravel()


def plane(x: reference.F32, a: int, b: int, kernel: int, stride: int) -> reference.F32:
    """What stands at place (a, b) of the kernel wherever it is put."""
    height, width = x.shape[1:]
    return x[:, a : height - kernel + a + 1 : stride, b : width - kernel + b + 1 : stride]


def mean_in_float32(parts: list[reference.F32]) -> reference.F32:
    total = np.zeros_like(parts[0])
    for part in parts:
        total += part
    return total / np.float32(len(parts))


def convolve_in_float32(layer: ConvSpec, x: reference.F32, p: Parameters) -> reference.F32:
    assert isinstance(layer.stride, int)
    outputs, channels, kernel, _ = p.weight.shape
    sides = (layer.pad, layer.pad)
    x = np.pad(x, ((0, 0), sides, sides))
    inputs = x.reshape(layer.groups, channels, *x.shape[1:])
    group = np.arange(outputs) * layer.groups // outputs
    total = np.float32(0)
    for c, a, b in product(range(channels), range(kernel), range(kernel)):
        part = plane(inputs[:, c], a, b, kernel, layer.stride)[group]
        total = total + p.weight[:, c, a, b, None, None] * part
    return np.asarray(total + p.bias[:, None, None], np.float32)


def as_float16(p: Parameters) -> Parameters:
    return p._replace(weight=p.weight.astype(np.float16).astype(np.float32))


def without_bias(p: Parameters) -> Parameters:
    return p._replace(bias=np.zeros_like(p.bias))


def transposed(p: Parameters) -> Parameters:
    """A kernel with rows and columns exchanged; a 1x1 kernel has none to exchange."""
    square = p.weight.ndim == 4 and p.weight.shape[-1] > 1
    return p._replace(weight=p.weight.swapaxes(2, 3)) if square else p


@pytest.mark.slow
@pytest.mark.parametrize("fault", [as_float16, without_bias, transposed])
def test_a_wrong_answer_is_beyond_the_tolerance(
    each: NetworkSpec, fault: Callable[[Parameters], Parameters]
) -> None:
    """One faulty layer is enough, whichever it is."""
    assert min(faults(each, fault)) > each.tolerance["float32"]


def faults(net: NetworkSpec, fault: Callable[[Parameters], Parameters]) -> list[float]:
    """The error that each single faulty layer makes."""
    parameters = reference.weights(net)
    expected = forward(net, parameters, reference.image(net))
    found = []
    for i, p in enumerate(parameters):
        faulty = fault(p)
        if faulty is not p:
            changed = (*parameters[:i], faulty, *parameters[i + 1 :])
            wrong = forward(net, changed, reference.image(net))
            found.append(max_relative_error(wrong, expected))
    return found


@pytest.mark.slow
def test_padding_on_one_side_only_is_beyond_the_tolerance() -> None:
    """What TensorFlow's SAME does with a stride: the zeros go to the end."""
    net = load(MODELS / "mobilenet-v1-0.25-128" / "model.yaml", NetworkSpec)
    parameters, image = reference.weights(net), reference.image(net)
    expected = forward(net, parameters, image)
    shifted = np.pad(image, ((0, 0), (0, 1), (0, 1)))[:, 1:, 1:]  # conv0 sees it one further
    assert max_relative_error(forward(net, parameters, shifted), expected) > 1000 * 1e-4


def test_the_error_is_relative_to_each_expected_value() -> None:
    assert max_relative_error([0.5, 0.1], [0.5, 0.2]) == pytest.approx(0.5)
    assert max_relative_error([0.5, 0.2], [0.5, 0.2]) == 0


def test_a_vanishing_value_counts_as_a_thousandth_of_the_largest() -> None:
    assert max_relative_error([1.0, 2e-9], [1.0, 1e-9]) == pytest.approx(1e-6)


@pytest.mark.parametrize("output", [[1.0], [1.0, math.nan], [1.0, math.inf], [1.0, None], []])
def test_an_answer_that_is_none_is_infinitely_wrong(output: list[float]) -> None:
    assert max_relative_error(output, [1.0, 2.0]) == math.inf


def test_nothing_expected_is_never_met() -> None:
    assert max_relative_error([], []) == math.inf
    assert max_relative_error([0.0], [0.0]) == 0
    assert max_relative_error([1.0], [0.0]) == math.inf
