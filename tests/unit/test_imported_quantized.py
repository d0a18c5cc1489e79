"""Quantized files of TensorFlow Lite: they pass as they are, and LiteRT says what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as lite_schema
from tflite import ActivationFunctionType as Act
from tflite import BuiltinOperator, Padding, TensorType

from buildmatrix import workload
from buildmatrix.errors import InputError
from buildmatrix.export import FORMATS, able, export
from buildmatrix.export.flat import IDENTIFIER, TYPES, Graph, Operator, Tensor
from buildmatrix.imported import described, golden, litert
from buildmatrix.imported.remembered import recalled
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.network import NetworkSpec, QuantizedNetwork
from buildmatrix.pipeline import project
from tests import consumers
from tests.unit import commands

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RANDOM = np.random.default_rng(11)
IMAGE = (1, 6, 8, 4)  # channels last
GIVEN = "tflite-int8-as-given"


def small(*sizes: int) -> Any:
    return RANDOM.integers(-90, 90, size=sizes).astype(np.int8)


class Net(Graph):
    """A network of 8 bits that is written operator by operator, from `x` on."""

    def value(self, name: str, *shape: int, number: str = "int8", scale: float = 0.0) -> str:
        zero = {"int8": -3, "uint8": 120}.get(number, 0)
        scales = (scale,) if scale else ()
        return self.add(Tensor(name, shape=shape, number=number, scales=scales, zero=zero))

    def apply(self, code: str, *inputs: str, to: str, version: int = 1, **options: Any) -> None:
        table = None
        if options:
            kind = {"CONV_2D": "Conv2DOptions", "FULLY_CONNECTED": "FullyConnectedOptions"}[code]
            table = (kind, options)
        self.operators.append(Operator(code, inputs, to, table, version))

    def convolution(self, read: str, to: str, *shape: int, scale: float) -> None:
        filters, channels = shape[-1], self.tensors[read].shape[-1]
        steps = tuple((0.01 + 0.002 * RANDOM.random(filters)).tolist())
        (before,) = self.tensors[read].scales
        sums = tuple(before * one for one in steps)
        biases = RANDOM.integers(-900, 900, size=filters).astype(np.int32)
        self.value(to, *shape, scale=scale)
        self.add(Tensor(f"{to}/w", small(filters, 3, 3, channels), scales=steps))
        self.add(Tensor(f"{to}/b", biases, scales=sums))
        how = {"Padding": Padding.SAME, "StrideH": 1, "StrideW": 1}
        how["FusedActivationFunction"] = Act.RELU
        self.apply("CONV_2D", read, f"{to}/w", f"{to}/b", to=to, version=3, **how)

    def content(self, *outputs: str) -> bytes:
        return self.serialized("net", inputs=["x"], outputs=outputs)


def eight_bits() -> Net:
    net = Net()
    net.value("x", *IMAGE, scale=0.03)
    net.convolution("x", "y", 1, 6, 8, 5, scale=0.4)
    net.convolution("y", "z", 1, 6, 8, 2, scale=1.5)
    return net


def read(folder: Path, content: bytes, **more: Any) -> QuantizedNetwork:
    folder.mkdir(exist_ok=True)
    (folder / "net.tflite").write_bytes(content)
    form = {"version": 1, "name": "net", "summary": "", "from": "net.tflite"}
    spec = FileNetworkSpec.model_validate({**form, "tolerance": {"int8": 2.0}, **more})
    net = described(spec, folder)
    assert isinstance(net, QuantizedNetwork)
    return net


def answers(net: QuantizedNetwork, folder: Path, batch: int) -> tuple[Any, Any]:
    """The golden output, and what LiteRT says to as many images of the exported file."""
    export(net, format=GIVEN, destination=folder)
    image = np.fromfile(folder / "input.f32", "<f4")
    shape = (net.input.channels, net.input.height, net.input.width)
    images = np.repeat(image.reshape(1, *shape), batch, axis=0)
    expected = np.fromfile(folder / "expected.f64", "<f8")
    return expected, consumers.lite(folder, images).reshape(batch, -1)


def test_what_is_told_of_a_file_is_what_stands_in_it(tmp_path: Path) -> None:
    net = read(tmp_path, eight_bits().content("z"))
    assert (net.input.channels, net.input.height, net.input.width) == (4, 6, 8)
    assert net.at == "CONV_2D 'y'"
    assert net.step == 1.5
    assert np.allclose((net.low, net.high), (-125 * 0.03, 130 * 0.03))
    assert net.weights == 9 * 4 * 5 + 5 + 9 * 5 * 2 + 2
    assert net.products == 6 * 8 * 9 * (4 * 5 + 5 * 2)
    about = workload.described(net)
    assert (about.parameters, about.multiply_adds, about.bound) == (net.weights, net.products, None)
    assert workload.answer_of(workload.answerer(net)) == "LiteRT's answer"


@pytest.mark.parametrize("batch", [1, 3])
def test_between_float_ends_the_file_answers_what_it_did(tmp_path: Path, batch: int) -> None:
    net = read(tmp_path, eight_bits().content("z"))
    expected, given = answers(net, tmp_path / "out", batch)
    assert len(np.unique(expected)) > 20
    for one in given:
        assert litert.apart(net, expected, one.astype(np.float64)) < 1.01
    image = litert.drawn(net, np.zeros((4, 6, 8), np.float32))
    other = litert.answer(net, image, litert.REFERENCE)
    assert litert.apart(net, expected, other) > 5


def test_all_that_the_user_gave_is_in_it_byte_for_byte(tmp_path: Path) -> None:
    content = eight_bits().content("z")
    export(read(tmp_path, content), format=GIVEN, destination=tmp_path / "out")
    made = (tmp_path / "out" / "net.tflite").read_bytes()
    before, after = (lite_schema.ModelT.InitFromPackedBuf(one, 0) for one in (content, made))
    for old, new in zip(before.buffers, after.buffers, strict=False):
        assert (old.data is None) == (new.data is None)
        assert old.data is None or bytes(old.data) == bytes(new.data)
    (one,), (other,) = before.subgraphs, after.subgraphs
    assert [t.name for t in other.tensors[: len(one.tensors)]] == [t.name for t in one.tensors]
    for old, new in zip(one.tensors, other.tensors, strict=False):
        if old.quantization is not None:
            assert np.array_equal(old.quantization.scale, new.quantization.scale)
            assert np.array_equal(old.quantization.zeroPoint, new.quantization.zeroPoint)
    assert len(other.operators) == len(one.operators) + 2
    export(read(tmp_path, content), format=GIVEN, destination=tmp_path / "again")
    assert (tmp_path / "again" / "net.tflite").read_bytes() == made


def floats_at_the_ends() -> Net:
    net = Net()
    net.value("x", *IMAGE, number="float32")
    net.value("q", *IMAGE, scale=0.02)
    net.apply("QUANTIZE", "x", to="q")
    net.convolution("q", "y", 1, 6, 8, 3, scale=0.5)
    net.value("f", 1, 6, 8, 3, number="float32")
    net.apply("DEQUANTIZE", "y", to="f", version=2)
    return net


def test_a_file_with_float_ends_is_not_touched(tmp_path: Path) -> None:
    content = floats_at_the_ends().content("f")
    net = read(tmp_path, content)
    assert (net.step, round(net.low, 4), round(net.high, 4)) == (0.5, -2.5, 2.6)
    expected, (one,) = answers(net, tmp_path / "out", 1)
    assert (tmp_path / "out" / "net.tflite").read_bytes() == content
    assert litert.apart(net, expected, one.astype(np.float64)) < 1.01


def test_what_ends_in_floats_of_its_own_is_judged_by_relative_error(tmp_path: Path) -> None:
    made = floats_at_the_ends()
    made.value("g", 1, 6, 8, 3, number="float32")
    made.apply("LOGISTIC", "f", to="g")
    net = read(tmp_path, made.content("g"), tolerance={"int8": 0.5})
    assert net.step == 0
    expected, (one,) = answers(net, tmp_path / "out", 1)
    assert litert.apart(net, expected, one.astype(np.float64)) < 0.5


@pytest.mark.parametrize("number", ["float32", "int8"])
def test_a_row_of_values_comes_as_an_image_of_one_channel(tmp_path: Path, number: str) -> None:
    net = Net()
    net.value("x", 1, 7, number=number, scale=0.05 if number == "int8" else 0)
    if number == "float32":
        net.value("q", 1, 7, scale=0.05)
        net.apply("QUANTIZE", "x", to="q")
    net.value("y", 1, 3, scale=0.2)
    net.add(Tensor("w", small(3, 7), scales=(0.01,)))
    net.add(Tensor("b", np.array([30, -40, 5], np.int32), scales=(0.0005,)))
    first = "q" if number == "float32" else "x"
    net.apply("FULLY_CONNECTED", first, "w", "b", to="y", version=4, WeightsFormat=0)
    model = read(tmp_path, net.content("y"))
    assert (model.input.channels, model.input.height, model.input.width) == (1, 1, 7)
    assert model.products == 21
    for batch in (1, 3):
        expected, given = answers(model, tmp_path / "out", batch)
        assert all(litert.apart(model, expected, one.astype(float)) < 1.01 for one in given)


def test_numbers_without_a_sign_pass_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TYPES, "uint8", TensorType.UINT8)
    net = eight_bits()
    net.value("u", 1, 6, 8, 2, number="uint8", scale=1.5)
    net.apply("QUANTIZE", "z", to="u", version=2)
    model = read(tmp_path, net.content("u"))
    assert model.step == 1.5
    expected, (one,) = answers(model, tmp_path / "out", 1)
    assert litert.apart(model, expected, one.astype(np.float64)) < 1.01


def test_one_of_several_outputs_is_asked_for_by_its_name(tmp_path: Path) -> None:
    content = eight_bits().content("y", "z")
    with pytest.raises(InputError, match="it has 2 outputs: y, z"):
        read(tmp_path, content)
    versions = set()
    for name, step in (("y", 0.4), ("z", 1.5)):
        net = read(tmp_path, content, output=name)
        assert round(net.step, 6) == step
        expected, (one,) = answers(net, tmp_path / name, 1)
        assert litert.apart(net, expected, one.astype(np.float64)) < 1.01
        versions.add(workload.version(net))
    assert len(versions) == 2


def test_every_other_format_says_in_a_line_why_it_has_no_such_cell(tmp_path: Path) -> None:
    net = read(tmp_path, eight_bits().content("z"))
    for format in FORMATS:
        words = able.gap(net, format)
        assert bool(words) == (format != GIVEN)
        if words:
            assert "\n" not in words
            assert "net.tflite is quantized (CONV_2D 'y' computes in 8 bits)" in words
            assert GIVEN in words
            assert f"the format {format} " in words
            with pytest.raises(InputError, match="is quantized"):
                export(net, format=format, destination=tmp_path / "out")


def test_a_network_of_layers_is_no_file_that_was_given(tmp_path: Path) -> None:
    layers = [{"name": "a", "type": "relu"}]
    size = {"channels": 1, "height": 1, "width": 1}
    form = {"version": 1, "name": "n", "summary": "", "seed": 0, "input": size, "layers": layers}
    net = NetworkSpec.model_validate({**form, "tolerance": {"float32": 1e-4}})
    assert able.gap(net, GIVEN) == f"the format {GIVEN} is of files that are quantized"


def with_state() -> bytes:
    """Its number stands in the new field alone, as it is above 127."""
    net = eight_bits()
    net.value("v", 1, 6, 8, 2, scale=1.5)
    net.apply("RELU", "z", to="v")
    model = lite_schema.ModelT.InitFromPackedBuf(net.content("v"), 0)
    for code in model.operatorCodes:
        if code.builtinCode == BuiltinOperator.RELU:
            code.builtinCode, code.deprecatedBuiltinCode = BuiltinOperator.READ_VARIABLE, 127
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def of_size(*sizes: int) -> bytes:
    net = Net()
    net.value("x", *sizes, scale=0.1)
    net.value("y", *sizes, scale=0.1)
    net.apply("RELU", "x", to="y", version=2)
    return net.content("y")


REFUSED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "it keeps a state from one pass to the next (READ_VARIABLE 'v')": (with_state(), {}),
    "`calibration` is given, and net.tflite is quantized": (
        eight_bits().content("z"),
        {"calibration": "net.tflite"},
    ),
    "its `tolerance` names no int8": (
        eight_bits().content("z"),
        {"tolerance": {"float32": 1e-4}},
    ),
    "the size of its input 'x' is ?x?x8x4": (of_size(1, -1, 8, 4), {}),
    "the size of its input 'x' is ?x2x3x4x5": (of_size(1, 2, 3, 4, 5), {}),
    "which `input:` says otherwise": (
        eight_bits().content("z"),
        {"input": {"channels": 1, "height": 6, "width": 8}},
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_pass_is_one_line(tmp_path: Path, words: str) -> None:
    content, more = REFUSED[words]
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, **more)
    assert words in caught.value.brief
    assert "\n" not in caught.value.brief
    assert caught.value.hint


def test_what_litert_does_not_take_is_told_with_its_words(tmp_path: Path) -> None:
    net = eight_bits()
    net.value("n", 1, 6, 8, 9, scale=1.5)
    net.apply("ADD", "y", "z", to="n", version=2)  # 5 channels and 2
    model = read(tmp_path, net.content("n"))
    with pytest.raises(InputError, match="LiteRT does not take it: ") as caught:
        golden(model)
    assert "\n" not in caught.value.brief


def test_kernels_that_differ_by_more_than_is_tolerated_build_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = read(tmp_path, eight_bits().content("z"))
    exact = litert.answer

    def rounding(model: QuantizedNetwork, image: Any, kernels: litert.Kernels) -> Any:
        off = 0 if kernels == litert.REFERENCE else 3 * model.step
        return exact(model, image, kernels) + off

    monkeypatch.setattr(litert, "answer", rounding)
    with pytest.raises(InputError, match="differ by 3 steps, and 2 is tolerated"):
        golden(net)


def test_an_image_of_the_user_s_own_is_in_the_units_of_the_input(tmp_path: Path) -> None:
    content = eight_bits().content("z")
    seeded = read(tmp_path, content)
    _, image, expected = golden(seeded)
    np.save(tmp_path / "image.npy", np.moveaxis(image, 0, -1))  # as the file has it
    net = read(tmp_path, content, values="image.npy")
    assert np.array_equal(golden(net)[2], expected)
    numbers = np.round(image / 0.03).astype(int)
    assert numbers.min() < -115  # all that the input can say is drawn
    assert numbers.max() > 120


def test_what_was_read_is_kept_and_counts_until_the_file_changes(tmp_path: Path) -> None:
    net = read(tmp_path, eight_bits().content("z"))
    form = {"version": 1, "name": "net", "summary": "", "from": "net.tflite"}
    spec = FileNetworkSpec.model_validate({**form, "tolerance": {"int8": 2.0}})
    records = tmp_path / "records"
    twice = [recalled(spec, tmp_path, reader="r", records=records) for _ in range(2)]
    assert twice == [net, net]
    assert len([*records.iterdir()]) == 1
    assert all(isinstance(one, QuantizedNetwork) for one in twice)


def begun(folder: Path, content: bytes, *flags: str) -> Sequence[str]:
    (folder / "net.tflite").write_bytes(content)
    done = commands.run("init", "mine", "--from", "net.tflite", *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    return (folder / "mine" / "models" / "net" / "model.yaml").read_text().splitlines()


def test_init_writes_a_tolerance_in_steps_and_a_cell_that_takes_the_file(tmp_path: Path) -> None:
    lines = begun(tmp_path, eight_bits().content("z"))
    (tolerance,) = (line for line in lines if line.startswith("tolerance:"))
    assert tolerance.startswith("tolerance: {int8: ")
    assert 2 <= float(tolerance.partition("int8: ")[2].rstrip("}")) <= 8
    assert any("In steps of 1.5: LiteRT's reference kernels" in line for line in lines)
    loaded = project.load(tmp_path / "mine" / "matrix.yaml")
    assert [(cell.id, dict(cell.options)["numbers"]) for cell in loaded.cells] == [
        ("tflite", "int8-as-given")
    ]
    assert isinstance(loaded.networks["net"], QuantizedNetwork)


def test_no_filter_is_taken_out_of_it(tmp_path: Path) -> None:
    begun(tmp_path, eight_bits().content("z"))
    home = tmp_path / "mine" / "models" / "less"
    home.mkdir()
    text = "version: 1\nname: less\nsummary: s\nof: net\nprune: {keep: 0.5}\n"
    (home / "model.yaml").write_text(text)
    matrix = tmp_path / "mine" / "matrix.yaml"
    matrix.write_text(matrix.read_text().replace("model: net", "model: less"))
    with pytest.raises(InputError, match="net is quantized: its layers are not read"):
        project.load(matrix)
