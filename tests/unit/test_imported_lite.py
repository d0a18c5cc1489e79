"""TensorFlow Lite's files as models: what they compute is kept, and what is not read is named."""

from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as lite_schema
from hypothesis import given
from hypothesis import strategies as st
from tflite import ActivationFunctionType as Act
from tflite import BuiltinOperator, MirrorPadMode, Padding, TensorType

from buildmatrix import reference, schema
from buildmatrix.errors import BuildmatrixError, InputError
from buildmatrix.export import able, export
from buildmatrix.export.flat import IDENTIFIER, TYPES, Graph, Operator, Tensor
from buildmatrix.imported import described, golden, lite
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.network import ImportedNetwork, NetworkSpec
from tests import consumers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODELS = Path(__file__).parents[2] / "models"
RANDOM = np.random.default_rng(5)
IMAGE = (1, 6, 8, 4)  # channels last
ALLOWED = 1e-4  # outputs near zero beside large ones lose most of float32's digits


def drawn(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def ints(*values: Any) -> Any:
    return np.array(values[0] if len(values) == 1 else values, np.int32)


def file(*operators: Operator, constants: Mapping[str, Any] | None = None, **values: Any) -> bytes:
    """A file of these operators, from `x` to what the last one makes; values by their sizes."""
    graph = Graph()
    for name, shape in {"x": IMAGE, **values}.items():
        graph.add(Tensor(name, shape=shape))
    for name, content in (constants or {}).items():
        graph.add(Tensor(name, content))
    graph.operators += operators
    return graph.serialized("net", inputs=["x"], outputs=[operators[-1].output])


def write(folder: Path, content: bytes) -> None:
    (folder / "net.tflite").write_bytes(content)


def read(folder: Path, **more: Any) -> ImportedNetwork:
    form = {"version": 1, "name": "net", "summary": "", "from": "net.tflite"}
    spec = FileNetworkSpec.model_validate({**form, "tolerance": {"float32": 1e-4}, **more})
    return described(spec, folder)


def error(folder: Path, content: bytes) -> float:
    """The largest one between the golden answer and that of TensorFlow Lite itself."""
    write(folder, content)
    _, image, expected = golden(read(folder))
    (answer,) = consumers.lite(folder, image.reshape(1, *image.shape[-3:]))
    first = np.moveaxis(answer, -1, 0) if answer.ndim == 3 else answer
    return float(reference.max_relative_error(first.ravel(), expected.ravel()))


def window(**more: Any) -> dict[str, Any]:
    return {"Padding": Padding.SAME, "StrideH": 2, "StrideW": 1, **more}


def convolution(rows: int, columns: int, act: int, padding: int, **more: Any) -> bytes:
    how = window(FusedActivationFunction=act) | {"Padding": padding} | more
    made = Operator("CONV_2D", ("x", "w", "b"), "y", ("Conv2DOptions", how))
    return file(made, y=(1, 3, 8, 5), constants={"w": drawn(5, rows, columns, 4), "b": drawn(5)})


@pytest.mark.parametrize("act", [Act.NONE, Act.RELU, Act.RELU6, Act.RELU_N1_TO_1])
def test_a_convolution_with_what_is_fused_into_it(tmp_path: Path, act: int) -> None:
    assert error(tmp_path, convolution(3, 2, act, Padding.SAME)) < ALLOWED


def test_a_convolution_that_is_dilated_and_one_of_groups(tmp_path: Path) -> None:
    dilated = {"StrideH": 1, "DilationHFactor": 2, "DilationWFactor": 3}
    assert error(tmp_path, convolution(2, 2, Act.NONE, Padding.VALID, **dilated)) < ALLOWED
    how = ("Conv2DOptions", window())
    one = Operator("CONV_2D", ("x", "w", "b"), "y", how)
    grouped = file(one, y=(1, 3, 8, 6), constants={"w": drawn(6, 3, 3, 2), "b": drawn(6)})
    assert error(tmp_path, grouped) < ALLOWED


def test_a_depthwise_convolution_makes_several_of_each_channel(tmp_path: Path) -> None:
    how = ("DepthwiseConv2DOptions", window(StrideW=2, DepthMultiplier=3))
    one = Operator("DEPTHWISE_CONV_2D", ("x", "w", "b"), "y", how)
    made = file(one, y=(1, 3, 4, 12), constants={"w": drawn(1, 3, 3, 12), "b": drawn(12)})
    assert error(tmp_path, made) < ALLOWED


@pytest.mark.parametrize("padding", [Padding.SAME, Padding.VALID])
def test_a_transposed_convolution(tmp_path: Path, padding: int) -> None:
    how = window(StrideW=2) | {"Padding": padding}
    one = Operator("TRANSPOSE_CONV", ("to", "w", "x"), "y", ("TransposeConvOptions", how))
    size = (1, 12, 16, 3) if padding == Padding.SAME else (1, 13, 17, 3)
    constants = {"to": ints(size), "w": drawn(3, 3, 3, 4)}
    assert error(tmp_path, file(one, y=size, constants=constants)) < ALLOWED


@pytest.mark.parametrize("code", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
@pytest.mark.parametrize("padding", [Padding.SAME, Padding.VALID])
def test_a_pooling_counts_no_padding(tmp_path: Path, code: str, padding: int) -> None:
    how = window(StrideW=2, FilterHeight=3, FilterWidth=2) | {"Padding": padding}
    one = Operator(code, ("x",), "y", ("Pool2DOptions", how))
    size = (1, 3, 4, 4) if padding == Padding.SAME else (1, 2, 4, 4)
    assert error(tmp_path, file(one, y=size)) < ALLOWED


@pytest.mark.parametrize("code", ["ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("shape", [(), (4,), (1, 1, 1, 4)])
def test_a_constant_for_all_or_for_each_channel(
    tmp_path: Path, code: str, shape: tuple[int, ...]
) -> None:
    if code in ("MAXIMUM", "MINIMUM") and shape:
        return  # only with one number: ONNX Runtime's answer is not asked for others
    options = (f"{code.capitalize()}Options", {"FusedActivationFunction": Act.NONE})
    form = ("MaximumMinimumOptions", {}) if code in ("MAXIMUM", "MINIMUM") else options
    one = Operator(code, ("x", "k"), "y", form)
    constant = np.abs(drawn(*shape)) + np.float32(0.25)
    assert error(tmp_path, file(one, y=IMAGE, constants={"k": constant})) < ALLOWED


FUNCTIONS: Mapping[str, tuple[str, dict[str, Any]] | None] = {
    "LOGISTIC": None,
    "TANH": None,
    "RELU": None,
    "RELU6": None,
    "RELU_N1_TO_1": None,
    "HARD_SWISH": ("HardSwishOptions", {}),
    "GELU": ("GeluOptions", {"Approximate": False}),
    "LEAKY_RELU": ("LeakyReluOptions", {"Alpha": 0.3}),
    "SOFTMAX": ("SoftmaxOptions", {"Beta": 1.0}),
    "LOG_SOFTMAX": ("LogSoftmaxOptions", {}),
    "LOCAL_RESPONSE_NORMALIZATION": (
        "LocalResponseNormalizationOptions",
        {"Radius": 1, "Bias": 2.0, "Alpha": 0.25, "Beta": 0.75},
    ),
}


@pytest.mark.parametrize("code", FUNCTIONS)
def test_a_function_of_each_value_or_pixel(tmp_path: Path, code: str) -> None:
    one = Operator(code, ("x",), "y", FUNCTIONS[code])
    assert error(tmp_path, file(one, y=IMAGE)) < ALLOWED


def test_slopes_of_channels(tmp_path: Path) -> None:
    one = Operator("PRELU", ("x", "k"), "y")
    assert error(tmp_path, file(one, y=IMAGE, constants={"k": drawn(1, 1, 4)})) < ALLOWED


def test_what_is_padded_with_a_number_or_mirrored(tmp_path: Path) -> None:
    sides = {"k": ints([[0, 0], [1, 2], [3, 0], [0, 0]])}
    size = (1, 9, 11, 4)
    plain = Operator("PAD", ("x", "k"), "y", ("PadOptions", {}))
    assert error(tmp_path, file(plain, y=size, constants=sides)) < ALLOWED
    filled = Operator("PADV2", ("x", "k", "n"), "y", ("PadV2Options", {}))
    number = {"n": np.array(-1.5, np.float32)}
    assert error(tmp_path, file(filled, y=size, constants={**sides, **number})) < ALLOWED
    how = ("MirrorPadOptions", {"Mode": MirrorPadMode.REFLECT})
    assert (
        error(tmp_path, file(Operator("MIRROR_PAD", ("x", "k"), "y", how), y=size, constants=sides))
        < ALLOWED
    )


@pytest.mark.parametrize("rows", [0, 2])
def test_channels_are_added_before_the_first_and_behind_the_last(tmp_path: Path, rows: int) -> None:
    """The shortcut of a residual block that makes more channels, as BlazeFace has it."""
    sides = ints([[0, 0], [rows, 0], [0, 0], [1, 3]])
    one = Operator("PADV2", ("x", "k", "n"), "p", ("PadV2Options", {}))
    relu = Operator("TANH", ("p",), "y")
    constants = {"k": sides, "n": np.array(0.5, np.float32)}
    size = (1, 6 + rows, 8, 8)
    assert error(tmp_path, file(one, relu, p=size, y=size, constants=constants)) < ALLOWED
    assert [layer.type for layer in read(tmp_path).layers] == ["pad", "tanh"]


def test_pixels_out_of_channels(tmp_path: Path) -> None:
    one = Operator("DEPTH_TO_SPACE", ("x",), "y", ("DepthToSpaceOptions", {"BlockSize": 2}))
    assert error(tmp_path, file(one, y=(1, 12, 16, 1))) < ALLOWED
    assert [layer.type for layer in read(tmp_path).layers] == ["depth-to-space"]


@pytest.mark.parametrize(
    ("code", "table", "halves"),
    [
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", False),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", True),
        ("RESIZE_BILINEAR", "ResizeBilinearOptions", True),
    ],
)
def test_a_whole_number_of_values_for_each(
    tmp_path: Path, code: str, table: str, halves: bool
) -> None:
    how = (table, {"AlignCorners": False, "HalfPixelCenters": halves})
    one = Operator(code, ("x", "k"), "y", how)
    made = file(one, y=(1, 18, 24, 4), constants={"k": ints(18, 24)})
    assert error(tmp_path, made) < ALLOWED


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("code", ["MEAN", "REDUCE_MAX"])
def test_a_pixel_of_the_whole_image(tmp_path: Path, code: str, keep: bool) -> None:
    one = Operator(code, ("x", "k"), "y", ("ReducerOptions", {"KeepDims": keep}))
    size = (1, 1, 1, 4) if keep else (1, 4)
    assert error(tmp_path, file(one, y=size, constants={"k": ints(1, -2)})) < ALLOWED


POOL = window(StrideH=2, StrideW=2, FilterHeight=2, FilterWidth=2)
FULL = Operator("FULLY_CONNECTED", ("r", "w", "b"), "y", ("FullyConnectedOptions", {}))


@pytest.mark.parametrize("first", [False, True])
def test_a_row_in_the_file_s_order_of_values_or_channels_first(tmp_path: Path, first: bool) -> None:
    """A Flatten of PyTorch's, converted, puts the channels first before it makes a row."""
    to = {"to": ints(1, 192), "order": ints(0, 3, 1, 2)}
    turn = [Operator("TRANSPOSE", ("x", "order"), "t", ("TransposeOptions", {}))] if first else []
    row = Operator("RESHAPE", ("t" if first else "x", "to"), "r", ("ReshapeOptions", {}))
    constants = {**to, "w": drawn(3, 192), "b": drawn(3)}
    made = file(*turn, row, FULL, t=(1, 4, 6, 8), r=(1, 192), y=(1, 3), constants=constants)
    assert error(tmp_path, made) < ALLOWED


def test_rows_of_each_pixel_s_channels_are_put_one_after_the_other(tmp_path: Path) -> None:
    """As the heads of a detector end: its boxes, those of the finer image first."""
    pooled = Operator("MAX_POOL_2D", ("x",), "p", ("Pool2DOptions", POOL))
    many = Operator("RESHAPE", ("x", "to"), "r", ("ReshapeOptions", {}))
    few = Operator("RESHAPE", ("p", "to"), "s", ("ReshapeOptions", {}))
    none = {"FusedActivationFunction": Act.NONE, "Axis": 1}
    both = Operator("CONCATENATION", ("r", "s"), "y", ("ConcatenationOptions", none))
    sizes = {"p": (1, 3, 4, 4), "r": (1, 96, 2), "s": (1, 24, 2), "y": (1, 120, 2)}
    made = file(pooled, many, few, both, constants={"to": ints(1, -1, 2)}, **sizes)
    assert error(tmp_path, made) < ALLOWED
    seen = [layer.type for layer in read(tmp_path).layers]
    assert seen == ["pool", "flatten", "shuffle", "flatten", "shuffle", "concat"]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (("SOFTMAX", ("r",)), "softmax over another axis than the channels'"),
        (("ADD", ("r", "r")), r"Add 'y' reads 'r:\d', whose channels were parted"),
    ],
)
def test_what_reads_rows_as_if_they_were_an_image_is_refused(
    tmp_path: Path, one: tuple[str, tuple[str, ...]], said: str
) -> None:
    many = Operator("RESHAPE", ("x", "to"), "r", ("ReshapeOptions", {}))
    code, inputs = one
    last = Operator(code, inputs, "y", FUNCTIONS.get(code, ("AddOptions", {})))
    constants = {"to": ints(1, 96, 2)}
    write(tmp_path, file(many, last, r=(1, 96, 2), y=(1, 96, 2), constants=constants))
    with pytest.raises(InputError, match=said):
        read(tmp_path)


def test_rows_that_become_one_are_read_by_a_fully_connected_layer(tmp_path: Path) -> None:
    """As the file has the values: pixel by pixel, and a function of each between."""
    many = Operator("RESHAPE", ("x", "to"), "m", ("ReshapeOptions", {}))
    each = Operator("LOGISTIC", ("m",), "e")
    row = Operator("RESHAPE", ("e", "one"), "r", ("ReshapeOptions", {}))
    constants = {"to": ints(1, 96, 2), "one": ints(1, 192), "w": drawn(3, 192), "b": drawn(3)}
    sizes = {"m": (1, 96, 2), "e": (1, 96, 2), "r": (1, 192), "y": (1, 3)}
    assert error(tmp_path, file(many, each, row, FULL, constants=constants, **sizes)) < ALLOWED


def test_a_fully_connected_layer_reads_an_image_as_it_lies(tmp_path: Path) -> None:
    one = Operator("FULLY_CONNECTED", ("x", "w", "b"), "y", ("FullyConnectedOptions", {}))
    made = file(one, y=(1, 3), constants={"w": drawn(3, 192), "b": drawn(3)})
    assert error(tmp_path, made) < ALLOWED


def parts(code: str, inputs: Sequence[str], options: Any, **constants: Any) -> bytes:
    none = {"FusedActivationFunction": Act.NONE, "Axis": 3}
    cut = Operator(code, tuple(inputs), "p", options)
    back = Operator("CONCATENATION", ("p", "x"), "y", ("ConcatenationOptions", none))
    return file(cut, back, p=(1, 6, 8, 2), y=(1, 6, 8, 6), constants=constants)


def test_parts_of_channels_and_values_put_together(tmp_path: Path) -> None:
    begin, size = ints(0, 0, 0, 1), ints(-1, -1, -1, 2)
    sliced = parts("SLICE", ["x", "b", "s"], ("SliceOptions", {}), b=begin, s=size)
    assert error(tmp_path, sliced) < ALLOWED
    how = ("StridedSliceOptions", {"BeginMask": 7, "EndMask": 7})
    bounds = {"b": ints(0, 0, 0, 2), "e": ints(0, 0, 0, 4), "s": ints(1, 1, 1, 1)}
    assert error(tmp_path, parts("STRIDED_SLICE", ["x", "b", "e", "s"], how, **bounds)) < ALLOWED


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def several(content: bytes, outputs: Sequence[str]) -> bytes:
    """The file, its first operator making all of these values."""
    model = lite_schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    names = [one.name.decode() for one in graph.tensors]
    graph.operators[0].outputs = [names.index(name) for name in outputs]
    return packed(model)


def test_an_operator_whose_number_is_in_the_new_field_alone(tmp_path: Path) -> None:
    model = lite_schema.ModelT.InitFromPackedBuf(PLAIN, 0)
    (code,) = model.operatorCodes
    code.deprecatedBuiltinCode, code.builtinCode = 127, BuiltinOperator.RELU_0_TO_1
    assert error(tmp_path, packed(model)) < ALLOWED
    assert [layer.type for layer in read(tmp_path).layers] == ["clip"]


@pytest.mark.parametrize(
    ("code", "inputs", "table", "sizes"),
    [
        ("SPLIT", ("axis", "x"), "SplitOptions", (2, 2)),
        ("SPLIT_V", ("x", "sizes", "axis"), "SplitVOptions", (1, 3)),
    ],
)
def test_one_value_in_parts(
    tmp_path: Path, code: str, inputs: tuple[str, ...], table: str, sizes: tuple[int, int]
) -> None:
    cut = Operator(code, inputs, "p", (table, {"NumSplits": 2}))
    none = {"FusedActivationFunction": Act.NONE, "Axis": 3}
    back = Operator("CONCATENATION", ("q", "p"), "y", ("ConcatenationOptions", none))
    shapes = {name: (1, 6, 8, size) for name, size in zip("pq", sizes, strict=True)}
    constants = {"axis": np.array(3, np.int32), "sizes": ints(sizes)}
    made = file(cut, back, y=IMAGE, constants=constants, **shapes)
    assert error(tmp_path, several(made, ["p", "q"])) < ALLOWED


def test_axes_of_one_value_go_and_come(tmp_path: Path) -> None:
    mean = Operator("MEAN", ("x", "k"), "m", ("ReducerOptions", {"KeepDims": True}))
    gone = Operator("SQUEEZE", ("m",), "r", ("SqueezeOptions", {}))
    constants = {"k": ints(1, 2), "w": drawn(3, 4), "b": drawn(3)}
    sizes = {"m": (1, 1, 1, 4), "r": (1, 4), "y": (1, 3)}
    assert error(tmp_path, file(mean, gone, FULL, constants=constants, **sizes)) < ALLOWED
    row = Operator("MEAN", ("x", "k"), "m", ("ReducerOptions", {"KeepDims": False}))
    come = Operator("EXPAND_DIMS", ("m", "place"), "e", ("ExpandDimsOptions", {}))
    back = Operator("RESHAPE", ("e", "to"), "y", ("ReshapeOptions", {}))
    more = {"k": ints(1, 2), "place": np.array(1, np.int32), "to": ints(1, 4)}
    made = file(row, come, back, constants=more, m=(1, 4), e=(1, 1, 4), y=(1, 4))
    assert error(tmp_path, made) < ALLOWED


def test_weights_of_half_the_bits_are_made_floats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TYPES, "float16", TensorType.FLOAT16)  # we write none
    graph = Graph()
    for name, shape in {"x": IMAGE, "w": (5, 1, 1, 4), "y": (1, 6, 8, 5)}.items():
        graph.add(Tensor(name, shape=shape))
    graph.add(Tensor("half", drawn(5, 1, 1, 4).astype(np.float16)))
    graph.add(Tensor("b", drawn(5)))
    graph.operators += [
        Operator("DEQUANTIZE", ("half",), "w", ("DequantizeOptions", {})),
        Operator("CONV_2D", ("x", "w", "b"), "y", ("Conv2DOptions", window(StrideH=1))),
    ]
    assert error(tmp_path, graph.serialized("net", inputs=["x"], outputs=["y"])) < ALLOWED


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet-5", "face-cnn", "mobilenet-v1-0.25-128"])
def test_what_is_written_for_tensorflow_lite_is_read_as_the_network_that_it_was(
    name: str, tmp_path: Path
) -> None:
    one = schema.load(MODELS / name / "model.yaml", NetworkSpec)
    assert not able.gap(one, "tflite")
    export(one, format="tflite", destination=tmp_path)
    size = (one.input.channels, one.input.height, one.input.width)
    np.save(tmp_path / "image.npy", np.fromfile(tmp_path / "input.f32", "<f4").reshape(size))
    net = read(tmp_path, values="image.npy", input=one.input.model_dump())
    _, _, answer = golden(net)
    assert np.allclose(answer.ravel(), np.fromfile(tmp_path / "expected.f64", "<f8"), rtol=1e-9)


PLAIN = file(Operator("RELU", ("x",), "y"), y=IMAGE)
FUSED = {"FusedActivationFunction": Act.RELU, "Axis": 3}
BEYOND = {"k": ints([[0, 1], [0, 0], [0, 0], [0, 2]])}
REFUSED = {
    "the operator ELU 'y' is not read": file(Operator("ELU", ("x",), "y"), y=IMAGE),
    "this is no TensorFlow Lite file": b"PK\3\4 something else",
    "this is no whole TensorFlow Lite file": PLAIN[: len(PLAIN) // 2],
    "padding of the batch": file(
        Operator("PAD", ("x", "k"), "y", ("PadOptions", {})), y=(2, 6, 8, 6), constants=BEYOND
    ),
    "a size that is computed of operator PAD 'y'": file(
        Operator("PAD", ("x", "x"), "y", ("PadOptions", {})), y=IMAGE
    ),
    "the activation TANH in the options of operator CONV_2D 'y'": convolution(
        1, 1, Act.TANH, Padding.SAME
    ),
    "an activation in the options of operator CONCATENATION 'y'": file(
        Operator("CONCATENATION", ("x", "x"), "y", ("ConcatenationOptions", FUSED)),
        y=(1, 6, 8, 8),
    ),
    "a corner that is kept of operator RESIZE_BILINEAR 'y'": file(
        Operator("RESIZE_BILINEAR", ("x", "k"), "y", ("ResizeBilinearOptions", {})),
        y=(1, 12, 16, 4),
        constants={"k": ints(12, 16)},
    ),
    "beta 2 of operator SOFTMAX 'y'": file(
        Operator("SOFTMAX", ("x",), "y", ("SoftmaxOptions", {"Beta": 2.0})), y=IMAGE
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_not_read_is_one_line_with_the_operator_s_name(tmp_path: Path, words: str) -> None:
    write(tmp_path, REFUSED[words])
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert words in caught.value.brief
    assert "\n" not in caught.value.brief
    assert str(caught.value.where).endswith("net.tflite")


def test_a_file_whose_input_is_of_8_bits_without_a_scale_says_what_to_take(tmp_path: Path) -> None:
    graph = Graph()
    graph.add(Tensor("x", shape=IMAGE, number="int8"))
    graph.add(Tensor("y", shape=IMAGE, number="int8"))
    graph.operators.append(Operator("RELU", ("x",), "y"))
    write(tmp_path, graph.serialized("net", inputs=["x"], outputs=["y"]))
    with pytest.raises(InputError, match="its input 'x' is of int8, not float32") as caught:
        read(tmp_path)
    assert "before it was quantized" in caught.value.hint


WHOLE = convolution(3, 2, Act.RELU6, Padding.SAME)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_damaged_file_ends_in_one_line_or_is_another_network(place: int, byte: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] = byte
    with TemporaryDirectory() as folder:
        write(Path(folder), bytes(damaged))
        # Raises nothing else: that would be the test's end.
        with contextlib.suppress(BuildmatrixError):
            lite.loaded(Path(folder) / "net.tflite")
