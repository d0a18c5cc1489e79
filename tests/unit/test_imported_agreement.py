"""Networks out of ONNX files, read back by the stacks' own libraries: all give the same answer.

Random small networks of the operators that are read, and a few that frameworks really write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from buildmatrix import imported, reference, schema
from buildmatrix.export import FORMATS, able, export, prepared
from buildmatrix.imported import described
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.network import VariantSpec, multiply_adds
from buildmatrix.pruning import pruned
from tests import consumers, onnx_files
from tests.onnx_files import drawn, node
from tests.unit.test_export_agreement import network
from tests.unit.test_imported_scales import by_convolution, by_product, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn
    from onnx import ModelProto, NodeProto

    from buildmatrix.network import ImportedNetwork, NetworkSpec
    from buildmatrix.reference import F32, F64

pytestmark = pytest.mark.slow  # other libraries read and run the networks

READERS = {  # the format that each is given
    consumers.onnx_runtime: "onnx",
    consumers.opencv: "onnx-opencv",
    consumers.lite: "tflite",
    consumers.ncnn_float32: "ncnn",
}
SMALLER = {"version": 1, "name": "s", "summary": "", "prune": {"keep": 0.7}}
ALLOWED = 1e-3  # outputs near zero beside large ones lose most of float32's digits


def written(model: ModelProto, folder: Path) -> ImportedNetwork:
    """The network of a file in a model's folder, which may lose as much as ALLOWED says."""
    onnx_files.write(folder, model)
    text = (folder / "model.yaml").read_text().replace("1.0e-4", str(ALLOWED))
    (folder / "model.yaml").write_text(text)
    return described(schema.load(folder / "model.yaml", FileNetworkSpec), folder)


def asked(net: NetworkSpec) -> tuple[F32, tuple[F64, F64]]:
    """Two images, and the reference's answers to them."""
    parameters, image, expected = prepared(net)
    other = 1 - image[:, ::-1]
    return np.stack([image, other]), (expected, reference.forward(net, parameters, other))


def disagreements(model: ModelProto) -> dict[str, float]:
    """Of two images by each library whose format can say the network: those that are wrong."""
    wrong = {}
    with TemporaryDirectory() as place:
        folder = Path(place) / "mine"
        net = written(model, folder)
        images, both = asked(net)
        for consumer, format in READERS.items():
            if able.gap(net, format):
                continue
            export(net, format=format, destination=folder / format)
            outputs = consumer(folder / format, images)
            errors = map(reference.max_relative_error, outputs, both)
            if (worst := max(errors)) > ALLOWED:
                wrong[consumer.__name__] = worst
        if not able.gap(net, "tflite"):
            again = read_back(folder / "tflite")
            answers = (reference.forward(again[0], again[1], one) for one in images)
            errors = map(reference.max_relative_error, answers, both)
            if (worst := max(errors)) > ALLOWED:
                wrong["tflite, read again"] = worst
    return wrong


def read_back(folder: Path) -> tuple[NetworkSpec, Any]:
    """The network in a TensorFlow Lite file that was written here."""
    form = {"version": 1, "name": "net", "summary": "", "from": "net.tflite"}
    spec = FileNetworkSpec.model_validate({**form, "tolerance": {"float32": ALLOWED}})
    return imported.read(spec, folder)


@dataclass
class Drawing:
    """A network while it is drawn: `open` are the values that may be read, with their sizes."""

    draw: DrawFn
    nodes: list[NodeProto] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    open: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def value(self) -> str:
        return str(self.one_of(*self.open))

    def add(self, kind: str, inputs: str, shape: tuple[int, int, int], /, **how: Any) -> None:
        name = f"v{len(self.nodes)}"
        self.nodes.append(node(kind, inputs, name, **how))
        self.open[name] = shape

    def constant(self, values: Any) -> str:
        name = f"k{len(self.weights)}"
        self.weights[name] = np.asarray(values, np.float32)
        return name

    def convolution(self) -> None:
        source = self.value()
        channels, height, width = self.open[source]
        outputs = channels * self.one_of(1, 2) if channels < 9 else channels
        groups = self.one_of(1, 1, channels, 2 if channels % 2 == 0 else 1)
        kernel = [self.one_of(1, 2, 3), self.one_of(1, 3)]
        dilation = self.one_of(1, 1, 2)
        stride = self.one_of(1, 1, 2) if dilation == 1 else 1
        pads = [self.one_of(0, 1, 2) for _ in range(4)]
        sizes = [
            (size + pads[at] + pads[at + 2] - (kernel[at] - 1) * dilation - 1) // stride + 1
            for at, size in enumerate((height, width))
        ]
        if min(sizes) < 1:
            return
        weight = drawn(outputs, channels // groups, *kernel, seed=len(self.nodes))
        names = f"{source} {self.constant(weight)} {self.constant(drawn(outputs))}"
        how = {"pads": pads, "strides": [stride] * 2, "dilations": [dilation] * 2}
        self.add("Conv", names, (outputs, sizes[0], sizes[1]), group=groups, **how)

    def pooling(self) -> None:
        source = self.value()
        channels, height, width = self.open[source]
        kernel, stride, pad = self.one_of(2, 3), self.one_of(1, 2), self.one_of(0, 0, 1)
        up = self.one_of(False, True) if pad == 0 else False
        kind = self.one_of("MaxPool", "AveragePool")
        rest = (stride - 1) if up else 0
        sizes = [(size + 2 * pad - kernel + rest) // stride + 1 for size in (height, width)]
        if min(sizes) < 1:
            return
        how = {"count_include_pad": 1} if kind == "AveragePool" and self.one_of(True, False) else {}
        how = {} if up else how
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        self.add(kind, source, (channels, sizes[0], sizes[1]), **window, **how, ceil_mode=int(up))

    def function(self) -> None:
        source = self.value()
        size = self.open[source]
        kind = self.one_of("Relu", "Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "Clip", "LRN")
        kind = self.one_of(
            kind, "HardSigmoid", "BatchNormalization", "Mul", "Softmax", "LogSoftmax"
        )
        names = source
        how: dict[str, Any] = {}
        if kind == "Clip":
            names = f"{source} {self.constant(self.one_of(0, -1))} {self.constant(6)}"
        if kind == "Mul":
            names = f"{source} {self.constant(drawn(1, size[0], 1, 1))}"
        if kind == "BatchNormalization":
            numbers = [drawn(size[0], seed=i) for i in range(3)] + [np.ones(size[0])]
            names = " ".join([source, *map(self.constant, numbers)])
        if kind in ("Softmax", "LogSoftmax"):
            how = {"axis": 1}
        if kind == "LRN":
            how = {"size": 3, "alpha": 0.1}
        self.add(kind, names, size, **how)

    def joining(self) -> None:
        one = self.value()
        size = self.open[one]
        alike = [name for name, other in self.open.items() if other == size]
        self.add(self.one_of("Add", "Mul"), f"{one} {self.one_of(*alike)}", size)

    def gating(self) -> None:
        one = self.value()
        channels, height, width = self.open[one]
        self.add("GlobalAveragePool", one, (channels, 1, 1))
        gate = f"v{len(self.nodes) - 1}"
        if kind := self.one_of("", "Sigmoid", "HardSigmoid"):
            self.add(kind, gate, (channels, 1, 1))
            gate = f"v{len(self.nodes) - 1}"
        self.add("Mul", f"{gate} {one}", (channels, height, width))

    def concatenation(self) -> None:
        one = self.value()
        size = self.open[one]
        beside = [name for name, other in self.open.items() if other[1:] == size[1:]]
        other = self.one_of(*beside)
        channels = size[0] + self.open[other][0]
        if channels <= 24:
            self.add("Concat", f"{one} {other}", (channels, *size[1:]), axis=1)

    def enlarging(self) -> None:
        one = self.value()
        channels, height, width = self.open[one]
        if height * width <= 64:
            scales = self.constant([1, 1, 2, 2])
            how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
            if self.one_of(True, False):
                how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
            size = (channels, 2 * height, 2 * width)
            self.nodes.append(node("Resize", f"{one}  {scales}", f"v{len(self.nodes)}", **how))
            self.nodes[-1].attribute.extend(node("x", "x", "x", nearest_mode="floor").attribute)
            self.open[f"v{len(self.nodes) - 1}"] = size

    def splitting(self) -> None:
        one = self.value()
        channels, height, width = self.open[one]
        if channels < 2:
            return
        first = self.one_of(*range(1, channels))
        parts = [f"v{len(self.nodes)}", f"v{len(self.nodes)}b"]
        sizes = np.array([first, channels - first])
        self.weights[f"n{len(self.nodes)}"] = sizes
        names = [one, f"n{len(self.nodes)}"]
        self.nodes.append(helper.make_node("Split", names, parts, parts[0], axis=1))
        self.open |= {p: (int(n), height, width) for p, n in zip(parts, sizes, strict=True)}

    def shuffling(self) -> None:
        one = self.value()
        channels, height, width = self.open[one]
        groups = self.one_of(*(n for n in range(1, channels + 1) if channels % n == 0))
        at = len(self.nodes)
        self.weights |= {
            f"n{at}": np.array([1, groups, channels // groups, height, width]),
            f"n{at}b": np.array([1, channels, height, width]),
        }
        self.nodes.append(node("Reshape", f"{one} n{at}", f"v{at}g"))
        self.nodes.append(node("Transpose", f"v{at}g", f"v{at}t", perm=[0, 2, 1, 3, 4]))
        self.nodes.append(node("Reshape", f"v{at}t n{at}b", f"v{at}"))
        self.open[f"v{at}"] = (channels, height, width)

    def unfolding(self) -> None:
        one = self.value()
        channels, height, width = self.open[one]
        if channels % 4 == 0 and height * width <= 64:
            how = {"blocksize": 2, "mode": self.one_of("DCR", "CRD")}
            self.add("DepthToSpace", one, (channels // 4, 2 * height, 2 * width), **how)

    def slopes(self) -> None:
        one = self.value()
        size = self.open[one]
        self.add("PRelu", f"{one} {self.constant(drawn(size[0], 1, 1, seed=1))}", size)

    def padding(self) -> None:
        one = self.value()
        channels, height, width = self.open[one]
        sides = [self.one_of(0, 1, 2) for _ in range(4)]
        if min(height, width) < 3 or height * width > 100:
            return
        top, left, bottom, right = sides
        name = f"n{len(self.nodes)}"
        mode = self.one_of("constant", "reflect", "edge")
        before, behind = (self.one_of(0, 1, 4) if mode == "constant" else 0 for _ in range(2))
        self.weights[name] = np.array([0, before, top, left, 0, behind, bottom, right])
        size = (channels + before + behind, height + top + bottom, width + left + right)
        filling = f" {self.constant(np.float32(self.one_of(0, -3)))}" if mode == "constant" else ""
        self.add("Pad", f"{one} {name}{filling}", size, mode=mode)

    def spreading(self) -> None:
        one = self.value()
        channels, height, width = self.open[one]
        kernel, stride, pad = self.one_of(2, 3), self.one_of(1, 2), self.one_of(0, 0, 1)
        groups = self.one_of(1, 1, channels, 2 if channels % 2 == 0 else 1)
        more = self.one_of(0, 1) if stride == 2 and pad else 0
        sizes = [(size - 1) * stride + kernel - 2 * pad + more for size in (height, width)]
        if min(sizes) < 1 or max(sizes) > 20:
            return
        weight = drawn(channels, self.one_of(1, 2), kernel, kernel, seed=len(self.nodes))
        outputs = weight.shape[1] * groups
        if outputs > 24:
            return
        how = {"strides": [stride] * 2, "pads": [pad] * 4, "output_padding": [more] * 2}
        names = f"{one} {self.constant(weight)} {self.constant(drawn(outputs))}"
        self.add("ConvTranspose", names, (outputs, sizes[0], sizes[1]), group=groups, **how)

    def gelu(self) -> None:
        """As PyTorch writes it."""
        source = self.value()
        shape, count = self.open[source], len(self.nodes)
        root, one, half = map(self.constant, (np.sqrt(2), 1, 0.5))
        for kind, names in (
            *(("Div", f"{source} {root}"), ("Erf", f"v{count}"), ("Add", f"v{count + 1} {one}")),
            *(("Mul", f"{source} v{count + 2}"), ("Mul", f"v{count + 3} {half}")),
        ):
            self.nodes.append(node(kind, names, f"v{len(self.nodes)}"))
        self.open[f"v{len(self.nodes) - 1}"] = shape

    def placing(self) -> None:
        """A number of its own for each value, or for each place."""
        source = self.value()
        shape = self.open[source]
        number = self.constant(drawn(self.one_of(1, shape[0]), *shape[1:]))
        kind, names = self.one_of("Add", "Sub"), [source, number]
        self.add(kind, " ".join(self.one_of(names, names[::-1])), shape)

    def finished(self) -> ModelProto:
        last = list(self.open)[-1]
        count = int(np.prod(self.open[last]))
        self.nodes.append(node("Flatten", last, "flat"))
        names = f"flat {self.constant(drawn(3, count))} {self.constant(drawn(3))}"
        self.nodes.append(node("Gemm", names, "prob", transB=1))
        return onnx_files.model(self.nodes, self.weights, size=("N", *self.open["image"]))


@st.composite
def networks(draw: DrawFn) -> ModelProto:
    drawing = Drawing(draw)
    sides = st.integers(4, 9)
    drawing.open["image"] = (draw(st.sampled_from([1, 2, 3, 4])), draw(sides), draw(sides))
    steps = (
        *(drawing.convolution, drawing.convolution, drawing.pooling, drawing.function),
        *(drawing.function, drawing.joining, drawing.gating, drawing.concatenation),
        *(drawing.enlarging, drawing.splitting, drawing.shuffling, drawing.slopes),
        *(drawing.padding, drawing.spreading, drawing.unfolding, drawing.placing, drawing.gelu),
    )
    for _ in range(draw(st.integers(1, 7))):
        draw(st.sampled_from(steps))()
    return drawing.finished()


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(networks())
def test_random_networks_give_one_answer_in_every_stack_that_can_say_them(
    model: ModelProto,
) -> None:
    assert disagreements(model) == {}


@pytest.mark.parametrize("added", [(0, 4), (0, 3), (4, 0), (3, 2)], ids=str)
@pytest.mark.parametrize("filling", [0, 2])
def test_a_shortcut_with_more_channels_gives_one_answer(
    added: tuple[int, int], filling: int
) -> None:
    """As BlazeFace has it; ncnn keeps four channels together, and eight."""
    before, behind = added
    nodes = [
        node("Conv", "image w wb", "w8", pads=[1] * 4),
        node("Pad", "w8 sides filling", "wide"),
        node("Conv", "w8 v vb", "more", pads=[1] * 4),
        node("Add", "wide more", "sum"),
        node("Relu", "sum", "r"),
        node("Flatten", "r", "flat"),
        node("Gemm", "flat f fb", "prob", transB=1),
    ]
    count = 8 + before + behind
    numbers = {
        **{"w": drawn(8, 3, 3, 3), "wb": drawn(8), "v": drawn(count, 8, 3, 3), "vb": drawn(count)},
        **{"f": drawn(3, count * 36), "fb": drawn(3), "filling": np.float32(filling)},
        "sides": np.array([0, before, 0, 0, 0, behind, 0, 0]),
    }
    made = onnx_files.model(nodes, numbers, size=("N", 3, 6, 6))
    assert disagreements(made) == {}


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_pixels_out_of_channels_give_one_answer(mode: str) -> None:
    """Of a super-resolution network; its last convolution makes nine values of each pixel."""
    nodes = [
        node("Conv", "image w wb", "many", pads=[1] * 4),
        node("DepthToSpace", "many", "large", blocksize=3, mode=mode),
        node("Flatten", "large", "flat"),
        node("Gemm", "flat f fb", "prob", transB=1),
    ]
    numbers = {"w": drawn(18, 3, 3, 3), "wb": drawn(18), "f": drawn(3, 2 * 15 * 12), "fb": drawn(3)}
    assert disagreements(onnx_files.model(nodes, numbers, size=("N", 3, 5, 4))) == {}


def turned_then_parted(head: str) -> list[NodeProto]:
    """As TensorFlow's detectors make rows of each pixel."""
    return [
        node("Transpose", head, f"{head}_t", perm=[0, 2, 3, 1]),
        node("Reshape", f"{head}_t rows", f"{head}_rows"),
    ]


def parted_then_turned(head: str) -> list[NodeProto]:
    """As torchvision's SSDLite does, 0.28.0; of a single pixel onnxruntime makes two Reshapes."""
    return [
        node("Reshape", f"{head} {head}_parts", f"{head}_p"),
        node("Transpose", f"{head}_p", f"{head}_t", perm=[0, 3, 4, 1, 2]),
        node("Reshape", f"{head}_t rows", f"{head}_rows"),
    ]


@pytest.mark.parametrize("rows", [turned_then_parted, parted_then_turned])
def test_the_rows_that_a_detector_makes_of_each_pixel_give_one_answer(
    rows: Callable[[str], list[NodeProto]],
) -> None:
    """Three heads, each pixel's channels parted into rows of three, put one after the other; the
    last of them has a single pixel."""
    sizes = {"fine": (4, 6), "coarse": (2, 3), "pixel": (1, 1)}
    nodes = [
        node("Conv", "image w wb", "fine", pads=[1] * 4),
        node("Conv", "fine v vb", "coarse", strides=[2, 2]),
        node("GlobalAveragePool", "coarse", "pixel"),
        *(one for head in sizes for one in rows(head)),
        node("Concat", " ".join(f"{head}_rows" for head in sizes), "all", axis=1),
        node("Sigmoid", "all", "prob"),
    ]
    numbers = {"w": drawn(6, 3, 3, 3), "wb": drawn(6), "v": drawn(9, 6, 2, 2), "vb": drawn(9)}
    numbers |= {f"{head}_parts": np.array([1, -1, 3, *size]) for head, size in sizes.items()}
    made = onnx_files.model(
        nodes, {**numbers, "rows": np.array([1, -1, 3])}, size=("N", 3, 4, 6), opset=13
    )
    assert disagreements(made) == {}


@pytest.mark.parametrize("means", [by_convolution, by_product])
def test_yolos_head_gives_one_answer(means: Callable[[], list[NodeProto]]) -> None:
    assert disagreements(head(means())) == {}


def test_a_network_as_frameworks_write_it_gives_one_answer() -> None:
    assert disagreements(onnx_files.small()) == {}


@pytest.mark.parametrize("name", ["lenet-5", "mobilenet-v1-0.25-128", "mine"])
def test_what_is_left_of_a_pruned_network_is_read_by_every_stack(name: str, tmp_path: Path) -> None:
    """Of ours, and of one out of a file: its branches, its gate, its depthwise convolution."""
    if name == "mine":
        folder = onnx_files.write(tmp_path / "mine", onnx_files.small())
        whole: NetworkSpec = described(schema.load(folder / "model.yaml", FileNetworkSpec), folder)
    else:
        whole = network(name)
    left = pruned(VariantSpec.model_validate({**SMALLER, "of": name}), whole)
    _, image, expected = prepared(left)
    assert multiply_adds(left) < 0.75 * multiply_adds(whole)
    said = {reader: format for reader, format in READERS.items() if not able.gap(left, format)}
    assert set(READERS) - set(said) <= {consumers.opencv}  # of "mine" it computes a layer otherwise
    for consumer, format in said.items():
        export(left, format=format, destination=tmp_path / format)
        (answer,) = consumer(tmp_path / format, image[None])
        assert reference.max_relative_error(answer, expected) < 1e-4, format


def test_every_format_is_one_that_the_rules_know() -> None:
    assert set(able.RULES) == set(FORMATS)
