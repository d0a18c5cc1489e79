"""What goes into a network and what comes out of it, in the forms in which files have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxruntime import InferenceSession

from buildmatrix import network, reference
from buildmatrix.errors import InputError
from buildmatrix.export import prepared
from buildmatrix.pipeline import starting
from tests import onnx_files
from tests.onnx_files import drawn, node
from tests.unit.test_imported import imported, refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from onnx import NodeProto

    from buildmatrix.network import ImportedNetwork

CONV = {"w": drawn(4, 2, 3, 3), "b": drawn(4)}
MEAN = node("GlobalAveragePool", "c", "prob")


def answer(net: ImportedNetwork, image: Any) -> Any:
    """What the file itself answers for an image in its own form."""
    (found,) = InferenceSession(str(net.file)).run(None, {"image": image})
    return found


def test_a_value_inside_may_be_the_output_and_takes_what_is_behind_it_away(tmp_path: Path) -> None:
    """Also an input that only what is behind it reads, and operators that are not read."""
    nodes = [
        node("Conv", "image w b", "c"),
        node("Sin", "c", "s"),
        node("Mul", "s mask", "m"),
        node("QuantizeLinear", "m one", "prob"),
    ]
    model = onnx_files.model(nodes, {**CONV, "one": np.float32(1)})
    entry = onnx.helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 4, 6, 6])
    model.graph.input.append(entry)
    assert "it is quantized" in refused(tmp_path / "whole", model).brief
    fault = refused(tmp_path / "sine", model, "output: s\n")
    assert fault.brief == "the operator of node Sin 's' is not read"
    assert fault.hint.startswith("`--output NAME`")
    net = imported(tmp_path / "part", model, "output: c\n")
    assert [layer.type for layer in net.layers] == ["conv"]
    assert prepared(net)[2].shape == (4 * 6 * 6,)
    assert "it has no output 'd': prob" in refused(tmp_path / "none", model, "output: d\n").brief


def test_all_operators_that_are_not_read_are_named_before_any_setting(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMean", "image", "m", axes=[1]),
        node("Sin", "m", "s"),
        node("Cos", "s", "c"),
        node("Sin", "c", "prob"),
    ]
    fault = refused(tmp_path, onnx_files.model(nodes, {}))
    assert fault.brief == "the operator of node Sin 's' is not read, nor are Cos"


def test_an_output_whose_channels_come_last_is_read_channels_first(tmp_path: Path) -> None:
    """As files of TensorFlow end that make a picture; what is done to each value on the way, and
    to the channels of each pixel, is too."""
    nodes = [
        node("Conv", "image w b", "c"),
        node("Transpose", "c", "last", perm=[0, 2, 3, 1]),
        node("Relu", "last", "r"),
        node("Transpose", "r", "first", perm=[0, 3, 1, 2]),
        node("Conv", "first v", "d"),
        node("Transpose", "d", "again", perm=[0, 2, 3, 1]),
        node("Softmax", "again", "prob", axis=3),
    ]
    net = imported(tmp_path, onnx_files.model(nodes, {**CONV, "v": drawn(3, 4, 1, 1)}))
    assert [layer.type for layer in net.layers] == ["conv", "relu", "conv", "softmax"]
    _, image, expected = prepared(net)
    theirs = answer(net, image[None])
    assert theirs.shape == (1, 6, 6, 3)
    assert reference.max_relative_error(theirs.transpose(0, 3, 1, 2), expected) < 1e-5


@pytest.mark.parametrize(
    ("size", "nodes", "more", "shape"),
    [
        (("N", 128), [node("Reshape", "image two", "x")], "", (2, 8, 8)),
        (("N", 2, 64), [node("Reshape", "image two", "x")], "", (2, 8, 8)),
        (
            ("N", 9, 7),
            [node("Unsqueeze", "image end", "u"), node("Transpose", "u", "x", perm=[0, 3, 1, 2])],
            "",
            (1, 9, 7),
        ),
        (
            ("N", "h", 7),
            [node("Unsqueeze", "image end", "u"), node("Transpose", "u", "x", perm=[0, 3, 1, 2])],
            "input: {channels: 1, height: 9, width: 7}\n",
            (1, 9, 7),
        ),
        (("N", 9, 7, 1), [node("Reshape", "image one", "x")], "", (1, 9, 7)),
    ],
)
def test_what_a_network_first_makes_an_image_of_is_its_image(
    tmp_path: Path,
    size: tuple[int | str, ...],
    nodes: list[NodeProto],
    more: str,
    shape: tuple[int, int, int],
) -> None:
    """Networks on spectra have no channel at their input, or one behind all others."""
    numbers: Mapping[str, Any] = {
        "end": np.array([-1]),
        "one": np.array([-1, 1, 9, 7]),
        "two": np.array([-1, 2, 8, 8]),
        "w": drawn(4, shape[0], 3, 3),
        "b": drawn(4),
    }
    model = onnx_files.model([*nodes, node("Conv", "x w b", "c"), MEAN], numbers, size=size)
    net = imported(tmp_path, model, more)
    assert network.input_shape(net) == shape
    assert [layer.type for layer in net.layers] == ["conv", "pool"]
    _, image, expected = prepared(net)
    sides = [side if isinstance(side, int) else 9 for side in size[1:]]
    assert reference.max_relative_error(answer(net, image.reshape(1, *sides)), expected) < 1e-5


def test_an_image_made_of_half_the_bits_before_its_channels_come_first(tmp_path: Path) -> None:
    """What float16 converters write that leave a file's ends as they are."""
    nodes = [
        node("Cast", "image", "half", to=TensorProto.FLOAT16),
        node("Transpose", "half", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w b", "c"),
        node("Cast", "c", "prob", to=TensorProto.FLOAT),
    ]
    numbers = {name: values.astype(np.float16) for name, values in CONV.items()}
    net = imported(tmp_path, onnx_files.model(nodes, numbers, size=("N", 5, 7, 2)))
    assert network.input_shape(net) == (2, 5, 7)
    assert [layer.type for layer in net.layers] == ["conv"]
    _, image, expected = prepared(net)
    theirs = answer(net, image.transpose(1, 2, 0)[None])
    assert np.abs(theirs.ravel() - expected).max() < 1e-2 * np.abs(expected).max()


@pytest.mark.parametrize("second", ["d", "r"])
def test_a_value_less_another_is_their_sum_with_one_sign_turned(
    tmp_path: Path, second: str
) -> None:
    """In the weights that make it, or by a layer where a Relu does."""
    nodes = [
        node("Conv", "image w b", "c"),
        node("Conv", "image v b", "d"),
        node("Relu", "d", "r"),
        node("Sub", f"c {second}", "prob"),
    ]
    net = imported(tmp_path, onnx_files.model(nodes, {**CONV, "v": drawn(4, 2, 3, 3, seed=1)}))
    turned = ["relu", "conv"] if second == "r" else []
    assert [layer.type for layer in net.layers] == ["conv", "conv", *turned, "add"]
    _, image, expected = prepared(net)
    assert reference.max_relative_error(answer(net, image[None]), expected) < 1e-4


@pytest.mark.parametrize("opset", [11, 17])
def test_an_image_without_a_batch_is_read_where_the_network_adds_one(
    tmp_path: Path, opset: int
) -> None:
    add = node("Unsqueeze", "image axes", "x")
    if opset == 11:
        add = node("Unsqueeze", "image", "x", axes=[0])
    numbers = {**CONV, **({"axes": np.array([0])} if opset == 17 else {})}
    nodes = [add, node("Conv", "x w b", "c"), MEAN]
    net = imported(tmp_path, onnx_files.model(nodes, numbers, size=(2, 8, 8), opset=opset))
    assert network.input_shape(net) == (2, 8, 8)
    _, image, expected = prepared(net)
    assert reference.max_relative_error(answer(net, image), expected) < 1e-4


def test_channels_of_one_number_beside_a_value_are_a_pad(tmp_path: Path) -> None:
    nodes = [
        node("Concat", "before image behind", "x", axis=1),
        node("Conv", "x w b", "c"),
        MEAN,
    ]
    filled = {"before": np.full((1, 1, 8, 8), 3), "behind": np.full((1, 2, 8, 8), 3)}
    numbers = {name: values.astype(np.float32) for name, values in filled.items()}
    net = imported(
        tmp_path, onnx_files.model(nodes, {**numbers, "w": drawn(4, 5, 3, 3), "b": drawn(4)})
    )
    assert [layer.type for layer in net.layers] == ["pad", "conv", "pool"]
    _, image, expected = prepared(net)
    assert reference.max_relative_error(answer(net, image[None]), expected) < 1e-5


@pytest.mark.parametrize("between", ["", "Relu"])
def test_an_image_cut_into_four_and_rows_of_lengths_become_layers(
    tmp_path: Path, between: str
) -> None:
    """YOLOX: onnxruntime makes the first two nodes of the slices at its entry. The order of the
    channels goes into the convolution that picks them, unless something is between the two."""
    nodes = [
        node("SpaceToDepth", "image", "s", blocksize=2),
        *([node(between, "s", "r")] if between else []),
        node("Gather", f"{'r' if between else 's'} order", "g", axis=1),
        node("Conv", "g w", "c"),
        node("MaxPool", "c", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", "c length", "one"),
        node("Reshape", "p length", "two"),
        node("Concat", "one two", "cat", axis=2),
        node("Transpose", "cat", "prob", perm=[0, 2, 1]),
    ]
    numbers = {
        "order": np.array([3, 0, 1, 2, 7, -2, 5, 4]),
        "w": drawn(6, 8, 1, 1),
        "length": np.array([1, 6, -1]),
    }
    net = imported(tmp_path, onnx_files.model(nodes, numbers))
    kinds = [layer.type for layer in net.layers]
    assert kinds[: kinds.index("pool")] == ["conv", *(["relu", "conv"] if between else []), "conv"]
    _, image, expected = prepared(net)
    theirs = answer(net, image[None])
    assert theirs.shape == (1, 20, 6)
    assert reference.max_relative_error(theirs, expected) < 1e-4


def test_a_single_length_is_turned_into_rows_too(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "image w b", "c"),
        node("Reshape", "c length", "one"),
        node("Transpose", "one", "prob", perm=[0, 2, 1]),
    ]
    net = imported(tmp_path, onnx_files.model(nodes, {**CONV, "length": np.array([1, 4, -1])}))
    _, image, expected = prepared(net)
    assert reference.max_relative_error(answer(net, image[None]), expected) < 1e-5


def test_an_answer_that_tells_nothing_is_no_golden_one(tmp_path: Path) -> None:
    """What a runner that computes nothing leaves would be right."""
    dead = {"w": -np.ones((4, 2, 3, 3), np.float32), "b": np.zeros(4, np.float32)}
    nodes = [node("Conv", "image w b", "c"), node("Relu", "c", "prob")]
    fault = refused(tmp_path / "zeros", onnx_files.model(nodes, dead))
    assert fault.brief.startswith("its answer to the image is zeros alone")
    broken = {"k": np.array([np.nan], np.float32)}
    fault = refused(tmp_path / "none", onnx_files.model([node("Mul", "image k", "prob")], broken))
    assert fault.brief.startswith("its answer to the image is not finite")
    fault = refused(
        tmp_path / "constant", onnx_files.model([node("Identity", "k", "prob")], broken)
    )
    assert fault.brief == "its output 'prob' does not depend on its input"


def test_a_project_is_begun_with_a_seed_that_tells_something(tmp_path: Path) -> None:
    """Only every other image has a value above this bound at this place, or so."""
    nodes = [node("Conv", "image w b", "c"), node("Relu", "c", "prob")]
    images = [reference.image(small(tmp_path, seed)) for seed in range(3)]
    place = int(np.argmax(images[2] - np.maximum(images[0], images[1])))
    weight = np.zeros((1, 2, 8, 8), np.float32)
    weight.reshape(-1)[place] = 1
    bound = max(float(one.reshape(-1)[place]) for one in images[:2])
    numbers = {"w": weight, "b": np.array([-bound], np.float32)}
    file = tmp_path / "mine.onnx"
    onnx.save(onnx_files.model(nodes, numbers, size=(1, 2, 8, 8)), file)
    written = starting.network(file, None, "")
    (text,) = [text for path, text in written.items() if path.name == "model.yaml"]
    assert b"\nseed: 2 # " in text


def small(tmp_path: Path, seed: int) -> ImportedNetwork:
    model = onnx_files.model([node("Relu", "image", "prob")], {})
    return imported(tmp_path / str(seed), model, f"seed: {seed}\n")


def test_a_file_that_onnxruntime_wrote_for_itself_says_what_to_take(tmp_path: Path) -> None:
    fused = node("FusedConv", "image w b", "prob", domain="com.microsoft")
    model = onnx_files.model([fused], CONV)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    fault = refused(tmp_path, model)
    assert fault.brief == "the operator of node FusedConv 'prob' (of com.microsoft) is not read"
    assert fault.hint.startswith("take the file that it was made of")


def test_several_inputs_are_said_before_an_output_is_asked_for(tmp_path: Path) -> None:
    model = onnx_files.model([node("Add", "image mask", "a"), node("Relu", "a", "prob")], {})
    model.graph.output.append(onnx.helper.make_tensor_value_info("a", TensorProto.FLOAT, None))
    entry = onnx.helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 2, 8, 8])
    model.graph.input.append(entry)
    assert "it has 2 inputs ('image', 'mask')" in refused(tmp_path, model).brief


FLAT = [
    node("Conv", "image w b", "c"),
    node("Reshape", "c sizes", "f"),
    node("Gemm", "f g", "prob", transB=1),
]


@pytest.mark.parametrize("sizes", [[3, 144], [3, -1], [-1, 144]], ids=str)
def test_a_file_for_three_images_is_read_for_one(tmp_path: Path, sizes: list[int]) -> None:
    numbers = {**CONV, "sizes": np.array(sizes), "g": drawn(5, 144)}
    net = imported(tmp_path, onnx_files.model(FLAT, numbers, size=(3, 2, 8, 8)))
    assert [layer.type for layer in net.layers] == ["conv", "fc"]
    _, image, expected = prepared(net)
    three = np.stack([image, 1 - image, image / 2])
    assert reference.max_relative_error(answer(net, three)[0], expected) < 1e-5


def test_a_first_size_that_is_no_number_of_images_is_refused(tmp_path: Path) -> None:
    """The rest of what it is given is no matter to the file."""
    nodes = [node("Conv", "image w b", "c"), node("Slice", "c zero one zero", "prob")]
    numbers = {**CONV, "zero": np.array([0]), "one": np.array([1])}
    net = imported(tmp_path, onnx_files.model(nodes, numbers, size=(3, 2, 8, 8)))
    with pytest.raises(InputError, match="does not answer to each of 3 images by itself"):
        prepared(net)


def test_an_image_that_a_reshape_gives_a_batch_is_given_with_one(tmp_path: Path) -> None:
    nodes = [node("Reshape", "image sizes", "u"), node("Conv", "u w b", "prob")]
    numbers = {**CONV, "sizes": np.array([1, 2, 8, 8])}
    net = imported(tmp_path, onnx_files.model(nodes, numbers, size=(2, 8, 8)))
    _, image, expected = prepared(net)
    assert reference.max_relative_error(answer(net, image), expected) < 1e-5
