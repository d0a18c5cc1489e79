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
from buildmatrix.network import NetworkSpec
from buildmatrix.reference import F64, Parameters, forward, max_relative_error
from buildmatrix.schema import load

if TYPE_CHECKING:
    from collections.abc import Callable

FACE_CNN = Path(__file__).parents[2] / "models" / "face-cnn" / "model.yaml"


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


def test_float32_arithmetic_is_well_within_the_tolerance(net: NetworkSpec, expected: F64) -> None:
    """A right stack passes with a factor of ten to spare."""
    narrow = forward_in_float32(net, reference.weights(net))
    assert 0 < max_relative_error(narrow, expected) < net.tolerance["float32"] / 10


def forward_in_float32(net: NetworkSpec, parameters: tuple[Parameters, ...]) -> reference.F32:
    """Sums in float32, one by one: the least exact order."""
    learnt = {p.layer: p for p in parameters}
    x = reference.image(net)
    for layer in net.layers:
        if layer.type == "conv":
            x = convolve_in_float32(x, learnt[layer.name])
        elif layer.type == "fc":
            p = learnt[layer.name]
            x = (p.bias + np.add.accumulate(p.weight * x.ravel(), axis=1)[:, -1])[:, None, None]
        elif layer.type == "pool":
            c, h, w = x.shape
            k = layer.kernel
            x = x.reshape(c, h // k, k, w // k, k).max(axis=(2, 4))
        elif layer.type == "relu":
            x = np.maximum(x, np.float32(0))
        else:
            powers = np.exp(x - x.max())
            x = powers / powers.sum()
    assert x.dtype == np.float32
    return x.ravel()


def convolve_in_float32(x: reference.F32, p: Parameters) -> reference.F32:
    outputs, channels, kernel, _ = p.weight.shape
    side = x.shape[1] - kernel + 1
    total = np.zeros((outputs, side, side), np.float32)
    for c, a, b in product(range(channels), range(kernel), range(kernel)):
        total += p.weight[:, c, a, b, None, None] * x[c, a : a + side, b : b + side]
    return total + p.bias[:, None, None]


def as_float16(p: Parameters) -> Parameters:
    return p._replace(weight=p.weight.astype(np.float16).astype(np.float32))


def without_bias(p: Parameters) -> Parameters:
    return p._replace(bias=np.zeros_like(p.bias))


def transposed(p: Parameters) -> Parameters:
    return p._replace(weight=p.weight.swapaxes(2, 3)) if p.weight.ndim == 4 else p


@pytest.mark.parametrize("fault", [as_float16, without_bias, transposed])
def test_a_wrong_answer_is_beyond_the_tolerance(
    net: NetworkSpec, expected: F64, fault: Callable[[Parameters], Parameters]
) -> None:
    """One faulty layer is enough, whichever it is (transposing changes convolutions only)."""
    parameters = reference.weights(net)
    for i, p in enumerate(parameters):
        faulty = fault(p)
        if faulty is not p:
            wrong = forward(
                net, (*parameters[:i], faulty, *parameters[i + 1 :]), reference.image(net)
            )
            assert max_relative_error(wrong, expected) > net.tolerance["float32"]


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
