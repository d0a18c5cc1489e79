"""Sizes, costs and identity of a network, and what a person sees when a layer does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildmatrix import cachekey, workload
from buildmatrix.errors import InputError
from buildmatrix.layers import Shape
from buildmatrix.network import (
    NetworkSpec,
    digest,
    fused,
    multiply_adds,
    parameter_shapes,
    parameters,
    shapes,
    steps,
)
from buildmatrix.schema import load, parse

FACE_CNN = Path(__file__).parents[2] / "models" / "face-cnn" / "model.yaml"

LENET = """\
version: 1
name: lenet
summary: Digits
input: {channels: 1, height: 28, width: 28}
seed: 1
tolerance: {float32: 1.0e-4}
layers:
  - {type: conv, name: conv1, outputs: 20, kernel: 5}
  - {type: pool, name: pool1, method: max, kernel: 2, stride: 2}
  - {type: conv, name: conv2, outputs: 50, kernel: 5}
  - {type: pool, name: pool2, method: max, kernel: 2, stride: 2}
  - {type: fc, name: ip1, outputs: 500}
  - {type: relu, name: relu1}
  - {type: fc, name: ip2, outputs: 10}
  - {type: softmax, name: prob}
"""

# Of the file above, as it was before a layer could have `inputs`.
LENET_DIGEST = "c1416ce5b3c5d98cd18d23e4fb8b44238d92c14284afedb105494a42d0916ca3"


def network(folder: Path, text: str) -> NetworkSpec:
    path = folder / "model.yaml"
    path.write_text(text)
    return load(path, NetworkSpec)


def chain(size: int, *layers: dict[str, object]) -> NetworkSpec:
    return NetworkSpec.model_validate(
        {
            "version": 1,
            "name": "net",
            "summary": "",
            "input": {"channels": 1, "height": size, "width": size},
            "seed": 0,
            "tolerance": {"float32": 1e-4},
            "layers": list(layers),
        }
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tolerance: {float32: 1.0e-4}\n", "'tolerance' is missing: largest relative error of"),
        (", width: 28", "'width' is missing in input: columns"),
        (", kernel: 5", "'kernel' is missing in layers.0.conv: of the window"),
        ("seed: 1\n", "'seed' is missing: weights and input are drawn from it"),
    ],
)
def test_a_key_that_is_missing_is_told_with_what_it_is_for(line: str, message: str) -> None:
    with pytest.raises(InputError) as fault:
        parse(LENET.replace(line, "", 1), file="model.yaml").build(NetworkSpec)
    assert message in str(fault.value)


@pytest.mark.parametrize(("without", "bound"), [("none", 1), ("conv", 0)])
def test_a_bound_of_convolutions_is_told_where_there_are_some(without: str, bound: int) -> None:
    lines = [line for line in LENET.splitlines(keepends=True) if f"type: {without}" not in line]
    net = parse("".join(lines), file="model.yaml").build(NetworkSpec)
    assert bool(workload.described(net).bound) == bool(bound)


def test_face_cnn_is_the_study_s_network() -> None:
    net = load(FACE_CNN, NetworkSpec)
    sizes = [shape.height for shape in shapes(net)]
    assert sizes == [82, 82, 41, 36, 36, 12, 8, 8, 1, 1, 1]
    assert parameters(net) == 1_039_744
    assert multiply_adds(net) == 49_371_200  # the study's 49.4 million
    assert {name: weight for name, weight, _ in parameter_shapes(net)}["fc1"] == (128, 6144)


def test_another_network_needs_only_a_file(tmp_path: Path) -> None:
    """LeNet's 431,080 parameters are the published figure of Caffe's MNIST example."""
    net = network(tmp_path, LENET)
    assert shapes(net)[3] == Shape(50, 4, 4)
    assert parameters(net) == 431_080


def test_a_kernel_larger_than_its_input_is_named() -> None:
    net = chain(
        8,
        {"type": "pool", "name": "pool1", "method": "max", "kernel": 2, "stride": 2},
        {"type": "conv", "name": "conv1", "outputs": 3, "kernel": 5},
    )
    with pytest.raises(InputError, match="conv1: a 5x5 kernel does not fit its 1x4x4 input") as e:
        shapes(net)
    assert "at most 4" in e.value.hint


@given(size=st.integers(1, 40), kernel=st.integers(1, 6), stride=st.integers(1, 6))
def test_a_pooling_is_accepted_exactly_when_both_roundings_agree(
    size: int, kernel: int, stride: int
) -> None:
    net = chain(
        size,
        {"type": "pool", "name": "pool1", "method": "max", "kernel": kernel, "stride": stride},
    )
    down = (size - kernel) // stride + 1
    up = -((kernel - size) // stride) + 1
    if kernel <= size and down == up:
        assert shapes(net) == (Shape(1, down, down),)
    else:
        with pytest.raises(InputError, match="pool1"):
            shapes(net)


def test_an_inexact_pooling_says_both_sizes_and_the_way_out() -> None:
    net = chain(83, {"type": "pool", "name": "pool1", "method": "max", "kernel": 2, "stride": 2})
    with pytest.raises(InputError) as e:
        shapes(net)
    assert e.value.brief == (
        "pool1: pooling 2/2 does not divide its 1x83x83 input: "
        "41 when rounded down, 42 when rounded up"
    )
    assert "make that side 82 or 84" in e.value.hint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("type: conv, name: conv2", "type: cnv, name: conv2", "'cnv' is not known"),
        ("kernel: 5}", "kernal: 5}", "did you mean 'kernel'?"),
        ("name: conv2", "name: conv1", "conv1 is taken"),
        ("name: conv1", "name: data", "data is taken"),
        ("outputs: 20", "outputs: 0", "must be more than 0, not 0"),
        ("method: max", "method: mean", "'max'"),
        (
            "{type: relu, name: relu1}",
            "{relu: relu1}",
            "'type' is missing in layers.5; allowed: add,",
        ),
        ("version: 1", "version: 2", "'version' cannot be 2"),
    ],
)
def test_a_fault_in_the_file_is_placed(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in LENET
    with pytest.raises(InputError) as e:
        network(tmp_path, LENET.replace(old, new, 1))
    assert said in str(e.value)
    assert str(e.value.where).startswith(str(tmp_path / "model.yaml") + ":")


def test_stride_pad_and_groups_decide_sizes_and_weights() -> None:
    net = chain(
        8,
        {"type": "conv", "name": "c", "outputs": 4, "kernel": 3, "stride": 2, "pad": 1},
        {"type": "conv", "name": "d", "outputs": 8, "kernel": 3, "pad": 1, "groups": 4},
        {"type": "pool", "name": "p", "method": "average", "kernel": 4, "stride": 1},
    )
    assert shapes(net) == (Shape(4, 4, 4), Shape(8, 4, 4), Shape(8, 1, 1))  # (8 + 2 - 3) / 2 down
    assert parameter_shapes(net) == (("c", (4, 1, 3, 3), 4), ("d", (8, 1, 3, 3), 8))
    assert multiply_adds(net) == 4 * 9 * 16 + 8 * 9 * 16


@pytest.mark.parametrize(("groups", "outputs"), [(2, 4), (4, 6)])
def test_groups_that_no_stack_has_on_a_cpu_are_refused(groups: int, outputs: int) -> None:
    net = chain(
        8,
        {"type": "conv", "name": "c", "outputs": 4, "kernel": 3},
        {"type": "conv", "name": "d", "outputs": outputs, "kernel": 3, "groups": groups},
    )
    with pytest.raises(InputError, match=f"d: {groups} groups do not fit 4 input channels") as e:
        shapes(net)
    assert "use 1, or 4 with a multiple of 4 outputs" in e.value.hint


def test_a_relu_becomes_part_of_the_layer_before_it_only_where_that_can_be() -> None:
    net = chain(
        8,
        {"type": "relu", "name": "r0"},
        {"type": "conv", "name": "c", "outputs": 4, "kernel": 3},
        {"type": "relu", "name": "r1"},
        {"type": "fc", "name": "f", "outputs": 4},
    )
    assert [(s.layer.name, s.relu) for s in fused(net)] == [
        ("r0", False),
        ("c", True),
        ("f", False),
    ]
    assert [s.layer.name for s in steps(net)] == ["r0", "c", "r1", "f"]


def test_a_new_kind_of_setting_leaves_written_networks_what_they_were(tmp_path: Path) -> None:
    """Stored results and built models are found by these digests."""
    net = network(tmp_path, LENET)
    plain = net.model_dump(mode="json", exclude={"summary", "tolerance", "gain"})
    for layer in plain["layers"]:
        for setting in ("stride", "pad", "groups", "dilation") if layer["type"] == "conv" else ():
            del layer[setting]
        for setting in ("pad", "counts_pad") if layer["type"] == "pool" else ():
            del layer[setting]
        del layer["inputs"], layer["node"]
    assert digest(net) == cachekey.digest(plain)
    assert digest(net) == LENET_DIGEST
    assert digest(network(tmp_path, LENET.replace("1.0e-4", "2.0e-4"))) == digest(net)


def test_rewording_the_summary_keeps_the_digest(tmp_path: Path) -> None:
    net = network(tmp_path, LENET)
    assert digest(network(tmp_path, LENET.replace("Digits", "Handwriting"))) == digest(net)
    assert digest(network(tmp_path, LENET.replace("outputs: 20", "outputs: 21"))) != digest(net)
    assert digest(network(tmp_path, LENET.replace("seed: 1", "seed: 2"))) != digest(net)
