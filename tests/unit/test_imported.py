"""A network out of somebody's ONNX file: its layers, its answer, and what is said of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from onnxruntime import InferenceSession

from buildmatrix import network, reference, schema
from buildmatrix.changed import changes_of
from buildmatrix.errors import InputError
from buildmatrix.export import able, export, prepared
from buildmatrix.imported import calibration, described
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.layers import ConvSpec
from buildmatrix.pipeline import project
from tests import consumers, onnx_files
from tests.onnx_files import drawn, node
from tests.unit import projects

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

    from buildmatrix.network import ImportedNetwork


def read(folder: Path) -> ImportedNetwork:
    path = folder / "model.yaml"
    return described(schema.load(path, FileNetworkSpec), folder)


def imported(tmp_path: Path, model: ModelProto, more: str = "") -> ImportedNetwork:
    folder = onnx_files.write(tmp_path / "mine", model)
    with (folder / "model.yaml").open("a") as file:
        file.write(more)
    return read(folder)


def refused(tmp_path: Path, model: ModelProto, more: str = "") -> InputError:
    with pytest.raises(InputError) as e:
        prepared(imported(tmp_path, model, more))
    assert "net.onnx" in str(e.value.where)
    return e.value


@pytest.fixture
def small(tmp_path: Path) -> ImportedNetwork:
    return imported(tmp_path, onnx_files.small())


@pytest.mark.slow
def test_a_file_becomes_layers_with_its_own_weights_and_golden_answer(
    small: ImportedNetwork,
) -> None:
    """Batch normalization is in the convolution, flattening in the fully connected layer, and
    'N' is the batch."""
    assert [layer.type for layer in small.layers] == [
        *("conv", "relu", "conv", "hard-swish", "pool", "conv", "hard-sigmoid", "mul", "add"),
        *("pool", "fc", "softmax"),
    ]
    assert network.parameters(small) == 8 * 2 * 9 + 8 + 8 * 9 + 8 + 64 + 8 + 5 * 32 + 5
    parameters, image, expected = prepared(small)
    session = InferenceSession(str(small.file))
    (answer,) = session.run(None, {"image": image[None]})
    assert expected.sum() == pytest.approx(1)
    assert reference.max_relative_error(answer, expected) < 1e-5
    assert np.array_equal(parameters[-1].bias, drawn(5))


def test_export_writes_the_files_answer_beside_the_model(
    small: ImportedNetwork, tmp_path: Path
) -> None:
    export(small, format="onnx", destination=tmp_path / "out")
    expected = np.fromfile(tmp_path / "out" / "expected.f64")
    images = np.stack([reference.image(small), 1 - reference.image(small)])
    outputs = consumers.onnx_runtime(tmp_path / "out", images)
    assert reference.max_relative_error(outputs[0], expected) < 1e-5
    assert reference.max_relative_error(outputs[1], expected) > 1e-3


def test_a_chain_of_plain_layers_is_written_for_every_stack(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "image w b", "c", pads=[1, 1, 1, 1]),
        node("Relu", "c", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", "p shape", "flat"),
        node("MatMul", "flat f", "f0"),
        node("Add", "f0 fb", "f1"),
        node("Softmax", "f1", "prob"),
    ]
    weights = {"w": drawn(4, 2, 3, 3), "b": drawn(4), "f": drawn(64, 3), "fb": drawn(3)}
    net = imported(
        tmp_path, onnx_files.model(nodes, {**weights, "shape": np.array([-1, 64])}, opset=11)
    )
    assert [layer.type for layer in net.layers] == ["conv", "relu", "pool", "fc", "softmax"]
    assert {format for format in able.RULES if able.gap(net, format)} == {able.GIVEN}


def test_a_file_whose_channels_come_last_is_read_channels_first(tmp_path: Path) -> None:
    """What TensorFlow's converter writes: the first and the last node only put channels elsewhere,
    and the weights of the classifier are in that order."""
    nodes = [
        node("Transpose", "image", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w b", "c", strides=[2, 2]),
        node("Transpose", "c", "back", perm=[0, 2, 3, 1]),
        node("Reshape", "back shape", "flat"),
        node("Gemm", "flat f fb", "prob"),
    ]
    weights = {"w": drawn(4, 3, 3, 3), "b": drawn(4), "f": drawn(4 * 6, 5), "fb": drawn(5)}
    model = onnx_files.model(
        nodes, {**weights, "shape": np.array([-1, 24])}, size=("N", "h", "w", 3)
    )
    image = drawn(5, 7, 3)
    (tmp_path / "mine").mkdir()
    np.save(tmp_path / "mine" / "i.npy", image)
    net = imported(tmp_path, model, "input: {channels: 3, height: 5, width: 7}\nvalues: i.npy\n")
    assert network.input_shape(net) == (3, 5, 7)
    _, ours, expected = prepared(net)
    (answer,) = InferenceSession(str(net.file)).run(None, {"image": image[None]})
    assert np.array_equal(ours, image.transpose(2, 0, 1))
    assert reference.max_relative_error(answer, expected) < 1e-5


def test_what_a_stack_cannot_say_is_named_with_its_node(small: ImportedNetwork) -> None:
    assert able.gap(small, "caffe") == (
        "the format caffe has no windows or pads that differ between sides: layer d (Conv 'd')"
    )
    assert able.gap(small, "onnx") == able.gap(small, "ncnn") == able.gap(small, "tflite") == ""


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("Sin", "image", "prob")], "the operator of node Sin 'prob' is not read"),
        (
            [node("Softmax", "image", "prob", axis=3)],
            "softmax over another axis than the channels' of node Softmax 'prob' is not read",
        ),
        (
            [node("ReduceMax", "image", "t", keepdims=0), node("Clip", "image t", "prob")],
            "a largest over other axes than height and width of node ReduceMax 't' is not read",
        ),
        ([node("Split", "image", "prob", axis=2)], "another axis than the channels' of node Split"),
        ([node("Slice", "image from to axes", "prob")], "another axis than the channels' of node"),
        (
            [node("PRelu", "image wide", "prob")],
            "slopes other than one for each channel of node PRelu 'prob'",
        ),
        ([node("Max", "image image", "prob")], "a value and one number of node Max 'prob' is not"),
        ([node("Transpose", "image", "prob", perm=[0, 2, 3, 1])], "not what its last node makes"),
        ([node("Transpose", "image", "prob", perm=[0, 2, 1, 3])], "another order of values"),
        ([node("Mul", "image image", "m"), node("Div", "image m", "prob")], "node Div 'prob'"),
        (
            [node("ConvTranspose", "image w", "prob", dilations=[2, 2])],
            "node ConvTranspose 'prob' is not read",
        ),
        (
            [node("Unsqueeze", "image axes", "u"), node("Relu", "u", "prob")],
            "a value of 1x2x1x8x8 at node Unsqueeze 'u' is not read",
        ),
        ([node("Concat", "low4 image", "prob", axis=1)], "a constant other than of one number"),
        ([node("NoSuch", "image", "prob")], "onnxruntime does not take it"),
    ],
)
def test_what_is_not_read_is_one_line_with_operator_and_node(
    tmp_path: Path, nodes: list[onnx.NodeProto], said: str
) -> None:
    weights = {"low": np.float32(1), "w": drawn(2, 3, 3, 3), "axes": np.array([2])}
    weights |= {"low4": drawn(1, 2, 8, 8), "wide": drawn(8)}
    weights |= {"from": np.array([1]), "to": np.array([5])}
    used = {n: v for n, v in weights.items() if any(n in one.input for one in nodes)}
    fault = refused(tmp_path, onnx_files.model(nodes, used))
    assert said in fault.brief
    assert "\n" not in fault.brief


def test_parts_shuffles_slopes_pads_and_spreading_windows_become_layers(tmp_path: Path) -> None:
    """What ShuffleNet, detectors and networks of other frameworks have beside plain layers."""
    nodes = [
        onnx.helper.make_node("Split", ["image", "halves"], ["s0", "s1"], "s", axis=1),
        node("Slice", "image from to axes", "cut"),
        node("Concat", "s1 s0 cut image cut", "cat", axis=1),
        node("Reshape", "cat groups", "g"),
        node("Transpose", "g", "t", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "t whole", "shuffled"),
        node("PRelu", "shuffled slopes", "p"),
        node("Pad", "p sides", "mirrored", mode="reflect"),
        node("Pad", "mirrored sides ten", "tens"),
        node("Max", "tens two", "m"),
        node(
            "ConvTranspose", "m w b", "d", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
        ),
        node("BatchNormalization", "d scale shift mean var", "n"),
        node("ReduceMax", "n", "r", axes=[2, 3], keepdims=0),
        node("Gemm", "r f fb", "prob"),
    ]
    numbers = {
        "halves": np.array([1, 1]),
        "from": np.array([-1]),
        "to": np.array([2**62]),
        "axes": np.array([1]),
        "groups": np.array([1, 3, 2, 8, 8]),
        "whole": np.array([1, 6, 8, 8]),
        "slopes": drawn(6, 1, 1),
        "sides": np.array([0, 0, 1, 2, 0, 0, 0, 1]),
        "ten": np.float32(10),
        "two": np.float32(0.25),
        "w": drawn(6, 4, 3, 3),
        "b": drawn(4),
        "scale": np.float32(1) + drawn(4) / 4,
        "shift": drawn(4, seed=1),
        "mean": drawn(4, seed=2),
        "var": np.float32(1) + drawn(4, seed=3) ** 2,
        "f": drawn(4, 5),
        "fb": drawn(5),
    }
    net = imported(tmp_path, onnx_files.model(nodes, numbers, opset=13))
    assert [layer.type for layer in net.layers] == [
        *("slice", "slice", "slice", "concat", "shuffle", "prelu", "pad", "pad", "clip"),
        *("deconv", "pool", "fc"),
    ]
    assert network.shapes(net)[3:10] == (
        *((6, 8, 8),) * 3,
        *((6, 9, 11), (6, 10, 14), (6, 10, 14)),
        (4, 20, 28),
    )
    _, image, expected = prepared(net)
    (answer,) = InferenceSession(str(net.file)).run(None, {"image": image[None]})
    assert reference.max_relative_error(answer, expected) < 1e-5
    assert able.gap(net, "ncnn") == able.gap(net, "onnx") == ""
    assert able.gap(net, "tflite") == (
        "the format tflite has no deconv of a batch of any size: layer d (ConvTranspose 'd')"
    )


def test_shuffles_that_follow_each_other_become_layers(tmp_path: Path) -> None:
    """onnxruntime makes one Reshape of the first one's end and the second one's beginning."""
    nodes = [
        node("Reshape", "image two", "g"),
        node("Transpose", "g", "t", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "t whole", "once"),
        node("Reshape", "once three", "h"),
        node("Transpose", "h", "u", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "u whole", "twice"),
        node("Flatten", "twice", "flat"),
        node("Gemm", "flat f fb", "prob", transB=1),
    ]
    numbers = {
        "two": np.array([1, 2, 6, 4, 4]),
        "three": np.array([1, 3, 4, 4, 4]),
        "whole": np.array([1, 12, 4, 4]),
        "f": drawn(5, 12 * 16),
        "fb": drawn(5),
    }
    net = imported(tmp_path, onnx_files.model(nodes, numbers, size=("N", 12, 4, 4)))
    assert [layer.type for layer in net.layers] == ["shuffle", "shuffle", "fc"]
    _, image, expected = prepared(net)
    (answer,) = InferenceSession(str(net.file)).run(None, {"image": image[None]})
    assert reference.max_relative_error(answer, expected) < 1e-4


@pytest.mark.parametrize(("groups", "said"), [(1, ""), (2, "of 2 groups over 4"), (4, "")])
def test_arm_nn_takes_convolutions_of_all_channels_or_of_each(
    tmp_path: Path, groups: int, said: str
) -> None:
    conv = node("Conv", "image w b", "prob", group=groups)
    numbers = {"w": drawn(4, 4 // groups, 3, 3), "b": drawn(4)}
    net = imported(tmp_path, onnx_files.model([conv], numbers, size=("N", 4, 3, 3)))
    found = able.gap(net, "tflite-armnn")
    assert (said in found) if said else not found
    assert not able.gap(net, "tflite")


def test_a_log_softmax_is_two_layers(tmp_path: Path) -> None:
    """As PyTorch's own example for handwritten digits ends."""
    nodes = [
        node("Flatten", "image", "flat"),
        node("Gemm", "flat f fb", "g", transB=1),
        node("LogSoftmax", "g", "prob", axis=1),
    ]
    net = imported(tmp_path, onnx_files.model(nodes, {"f": drawn(5, 128), "fb": drawn(5)}))
    assert [layer.type for layer in net.layers] == ["fc", "softmax", "log"]
    _, image, expected = prepared(net)
    (answer,) = InferenceSession(str(net.file)).run(None, {"image": image[None]})
    assert reference.max_relative_error(answer, expected) < 1e-4
    assert not able.gap(net, "tflite")
    assert able.gap(net, "caffe").startswith("the format caffe has no log: layer prob")


@pytest.mark.parametrize("kind", ["Add", "Sum"])
def test_a_value_added_to_itself_is_a_product(tmp_path: Path, kind: str) -> None:
    """Not all stacks make a sum of it."""
    more = " c image" if kind == "Sum" else ""
    nodes = [
        node("Conv", "image w b", "c", pads=[1] * 4),
        node(kind, f"c c{more}", "s"),
        node("Relu", "s", "prob"),
    ]
    net = imported(tmp_path, onnx_files.model(nodes, {"w": drawn(2, 2, 3, 3), "b": drawn(2)}))
    sums = [layer.inputs for layer in net.layers if layer.type == "add"]
    assert len(sums) == (kind == "Sum")
    assert all(len(set(inputs)) == 2 for inputs in sums)
    _, image, expected = prepared(net)
    (answer,) = InferenceSession(str(net.file)).run(None, {"image": image[None]})
    assert reference.max_relative_error(answer, expected) < 1e-4


GELUS = {
    "PyTorch's": [
        *(node("Div", "c root", "d"), node("Erf", "d", "e"), node("Add", "e one", "a")),
        *(node("Mul", "c a", "m"), node("Mul", "m half", "prob")),
    ],
    "torch.export's": [
        *(node("Mul", "c half", "m"), node("Mul", "c inverse", "d"), node("Erf", "d", "e")),
        *(node("Add", "one e", "a"), node("Mul", "m a", "prob")),
    ],
}


@pytest.mark.parametrize("nodes", GELUS.values(), ids=GELUS)
def test_a_gelu_taken_apart_is_one_layer(tmp_path: Path, nodes: list[onnx.NodeProto]) -> None:
    numbers = {
        **{"w": drawn(3, 2, 3, 3), "b": drawn(3), "one": np.float32(1), "half": np.float32(0.5)},
        **{"root": np.float32(np.sqrt(2)), "inverse": np.float32(np.sqrt(0.5))},
    }
    used = {n: v for n, v in numbers.items() if n in "wb" or any(n in one.input for one in nodes)}
    model = onnx_files.model([node("Conv", "image w b", "c"), *nodes], used)
    net = imported(tmp_path, model)
    assert [layer.type for layer in net.layers] == ["conv", "gelu"]
    prepared(net)  # onnxruntime answers as the reference does
    assert (
        able.gap(net, "executorch") == "the format executorch has no gelu: layer prob (Gelu 'prob')"
    )


def test_an_old_operator_set_is_brought_to_one_that_has_kernels(tmp_path: Path) -> None:
    """onnxruntime 1.32.0 has none for the AveragePool of the sets before 7."""
    pool = node("AveragePool", "image", "prob", kernel_shape=[2, 2], strides=[2, 2])
    net = imported(tmp_path, onnx_files.model([pool], {}, opset=6))
    assert prepared(net)[2].shape == (2 * 4 * 4,)


@pytest.mark.parametrize("kind", ["AveragePool", "MaxPool"])
def test_a_pooling_of_single_values_is_no_layer(tmp_path: Path, kind: str) -> None:
    """torchvision 0.28.0's alexnet has one at 3x224x224: an adaptive pooling of 6x6 to 6x6."""
    pool = node(kind, "image", "pooled", kernel_shape=[1, 1])
    mean = node("GlobalAveragePool", "pooled", "prob")
    net = imported(tmp_path, onnx_files.model([pool, mean], {}))
    assert [layer.name for layer in net.layers] == ["prob"]
    assert able.gap(net, "executorch") == ""
    assert prepared(net)[2].shape == (2,)


@pytest.mark.parametrize(
    ("auto", "side"), [("SAME_UPPER", 3), ("SAME_UPPER", 2), ("SAME_LOWER", 2)]
)
def test_automatic_pads_of_a_dilated_convolution_are_read(
    tmp_path: Path, auto: str, side: int
) -> None:
    """onnxruntime refuses to run the node; what it is asked is the same with its pads written."""
    conv = node("Conv", "image w", "prob", auto_pad=auto, dilations=[3, 1])
    net = imported(tmp_path, onnx_files.model([conv], {"w": drawn(4, 2, side, side)}))
    (layer,) = net.layers
    assert isinstance(layer, ConvSpec)
    total = (side - 1) * 3
    top, _, bottom, _ = layer.window.pads
    assert (top, bottom) == ((total // 2, total - total // 2)[:: 1 if auto == "SAME_UPPER" else -1])
    assert prepared(net)[2].shape == (4 * 8 * 8,)


def test_an_operator_of_another_domain_is_named(tmp_path: Path) -> None:
    """As in files of scikit-learn's converter, which have no operator set of ONNX's own at all."""
    forest = node("LinearClassifier", "image", "prob", domain="ai.onnx.ml")
    model = onnx_files.model([forest], {})
    model.opset_import[0].domain = "ai.onnx.ml"
    fault = refused(tmp_path, model)
    assert fault.brief == (
        "the operator of node LinearClassifier 'prob' (of ai.onnx.ml) is not read"
    )


def test_a_quantized_file_is_refused_by_the_node(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "image s z", "q"),
        node("DequantizeLinear", "q s z", "prob"),
    ]
    numbers = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
    fault = refused(tmp_path, onnx_files.model(nodes, numbers))
    assert fault.brief.startswith("it is quantized (node QuantizeLinear 'q')")


def test_an_open_size_is_asked_for_and_taken(tmp_path: Path) -> None:
    model = onnx_files.model([node("Relu", "image", "prob")], {}, size=("N", 3, "h", "w"))
    fault = refused(tmp_path, model)
    assert fault.brief == "the size of its input 'image' is 3x?x?"
    assert "write `input: {channels: …, height: …, width: …}`" in fault.hint
    net = imported(tmp_path, model, "input: {channels: 3, height: 4, width: 6}\n")
    assert network.shapes(net) == ((3, 4, 6),)
    fault = refused(tmp_path, model, "input: {channels: 1, height: 4, width: 6}\n")
    assert "3x?x?" in fault.brief


def test_several_inputs_and_outputs_are_named(tmp_path: Path) -> None:
    model = onnx_files.model([node("Relu", "image", "r"), node("Tanh", "r", "prob")], {})
    model.graph.output.append(onnx.helper.make_tensor_value_info("r", TensorProto.FLOAT, None))
    fault = refused(tmp_path, model)
    assert fault.brief == "it has 2 outputs: prob, r"
    net = imported(tmp_path, model, "output: r\n")
    assert [layer.type for layer in net.layers] == ["relu"]
    entry = onnx.helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 2, 8, 8])
    model.graph.input.append(entry)
    assert "it has 2 inputs ('image', 'mask')" in refused(tmp_path, model).brief


@pytest.mark.slow
def test_weights_in_another_file_and_weights_of_16_bits_are_read(tmp_path: Path) -> None:
    folder = onnx_files.write(
        tmp_path / "mine",
        onnx_files.small(),
        save_as_external_data=True,
        location="net.bin",
        size_threshold=0,
    )
    net = read(folder)
    assert [*net.files] == ["net.onnx", "net.bin"]
    prepared(net)
    (folder / "net.bin").unlink()
    with pytest.raises(InputError, match="its weights cannot be read"):
        read(folder)
    wide = onnx_files.small()
    for tensor in wide.graph.initializer:
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    for value in (*wide.graph.input, *wide.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    prepared(imported(tmp_path / "half", wide))


@pytest.mark.parametrize("content", [b"", b"no protobuf at all", b"\x08\x08"])
def test_a_file_that_is_none_is_said(tmp_path: Path, content: bytes) -> None:
    folder = onnx_files.write(tmp_path / "mine", onnx_files.small())
    (folder / "net.onnx").write_bytes(content)
    with pytest.raises(InputError, match="this is no ONNX file"):
        read(folder)
    (folder / "net.onnx").unlink()
    with pytest.raises(InputError, match="the file is not there"):
        read(folder)


@pytest.mark.parametrize("name", ["../net.onnx", "/net.onnx", "net.pt"])
def test_the_file_lies_beside_model_yaml_and_is_of_a_kind_that_is_read(name: str) -> None:
    given: dict[str, Any] = {"version": 1, "name": "n", "summary": "", "tolerance": {"int8": 1.0}}
    with pytest.raises(ValueError, match="net"):
        FileNetworkSpec.model_validate({**given, "from": name})


def test_the_image_may_be_a_file_of_numbers(tmp_path: Path) -> None:
    folder = onnx_files.write(tmp_path / "mine", onnx_files.small())
    image = np.linspace(-1, 1, 128).reshape(1, 2, 8, 8)
    np.save(folder / "image.npy", image)
    with (folder / "model.yaml").open("a") as file:
        file.write("values: image.npy\n")
    net = read(folder)
    assert np.array_equal(prepared(net)[1], image[0].astype(np.float32))
    np.save(folder / "image.npy", image[:, :, :4])
    with pytest.raises(InputError, match="it changed while it was read"):
        prepared(net)
    with pytest.raises(InputError, match=r"float64 values of 1x2x4x8 are no image of 2x8x8"):
        prepared(read(folder))


def test_images_to_calibrate_on_may_be_a_file_of_numbers(tmp_path: Path) -> None:
    """Here of bytes, with the channels last; what is read of them is in the model's key."""
    images = np.arange(3 * 8 * 8 * 2, dtype=np.uint16).reshape(3, 8, 8, 2)
    folder = onnx_files.write(tmp_path / "mine", onnx_files.small())
    np.save(folder / "some.npy", images)
    with (folder / "model.yaml").open("a") as file:
        file.write("calibration: some.npy\n")
    net = read(folder)
    assert np.array_equal(calibration(net), images.transpose(0, 3, 1, 2).astype(np.float32))
    assert "some.npy" in net.files
    np.save(folder / "some.npy", images[:, :, :4])
    with pytest.raises(InputError, match="uint16 values of 3x8x4x2 are no images of 2x8x8"):
        calibration(net)


def test_the_plan_drops_the_cells_of_a_stack_that_lacks_an_operator_and_says_why(
    tmp_path: Path,
) -> None:
    root = projects.write(tmp_path)
    onnx_files.write(root / "models" / "mine", onnx_files.small())
    (root / "matrix.yaml").write_text(projects.MATRIX + "bench: {model: mine}\n")
    before = project.load(root / "matrix.yaml").graph
    work = before.by_id["model:mine.caffe"]
    assert work.blocked.endswith("that differ between sides: layer d (Conv 'd')")
    other = onnx_files.small()
    other.graph.initializer[0].CopyFrom(numpy_helper.from_array(drawn(8, 2, 3, 3, seed=9), "c.w"))
    onnx_files.write(root / "models" / "mine", other)
    after = project.load(root / "matrix.yaml").graph
    changes = changes_of(after, work.material, after.by_id["model:mine.caffe"].material)
    assert [change.words for change in changes] == [
        "changed: imported.net.onnx: its content is another",
        "changed: network: its content is another",
    ]


def test_a_dropped_cell_names_the_stacks_that_take_the_model_and_compiles_nothing(
    tmp_path: Path,
) -> None:
    root = projects.write(tmp_path)
    onnx_files.write(root / "models" / "mine", onnx_files.small())
    folder = root / "recipes" / "net"
    (root / "recipes" / "other").mkdir()
    for path in folder.iterdir():
        text = path.read_text().replace("name: net\nsummary", "name: other\nsummary")
        text = text.replace("model_format: caffe", "model_format: onnx")
        (root / "recipes" / "other" / path.name).write_text(text)
    one = projects.MATRIX.replace("stack: [net]", "stack: [net, other]")
    (root / "matrix.yaml").write_text(one + "bench: {model: mine}\n")
    words = project.load(root / "matrix.yaml").graph.by_id["model:mine.caffe"].blocked
    assert words.startswith("the format caffe has no windows or pads that differ between sides")
    assert words.endswith("(Conv 'd'); stacks of the matrix that take this model: other")
    (root / "matrix.yaml").write_text(projects.MATRIX + "bench: {model: mine}\n")
    words = project.load(root / "matrix.yaml").graph.by_id["model:mine.caffe"].blocked
    assert words.startswith("no stack of the matrix takes this model: the format caffe has no")


def test_another_weight_is_another_network_and_another_folder_is_none(tmp_path: Path) -> None:
    one = imported(tmp_path / "a", onnx_files.small())
    model = onnx_files.small()
    assert network.digest(one) == network.digest(imported(tmp_path / "b", model))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(drawn(8, 2, 3, 3, seed=9), "c.w"))
    assert network.digest(one) != network.digest(imported(tmp_path / "c", model))
