"""A detector's row of all scales' pixels is computed of each scale's image: YOLO's heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildmatrix import reference
from buildmatrix.export import able, prepared
from buildmatrix.imported import answered
from tests import onnx_files
from tests.onnx_files import drawn, node
from tests.unit.test_imported import imported, refused
from tests.unit.test_imported_ends import answer

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto, NodeProto

BINS, CLASSES = 4, 3
SCALES = ((8, 6), (4, 3), (1, 1))  # height and width of each
PIXELS = sum(height * width for height, width in SCALES)


def by_convolution() -> list[NodeProto]:
    """The distances that are each the mean of their bins, as Ultralytics computes them."""
    return [
        node("Reshape", "boxes bins", "parts"),
        node("Transpose", "parts", "turned", perm=[0, 2, 1, 3]),
        node("Softmax", "turned", "shares", axis=1),
        node("Conv", "shares counts", "means"),
        node("Reshape", "means four", "sides"),
    ]


def by_older_softmax() -> list[NodeProto]:
    """The same before operator set 13, whose Softmax is over all axes from one on."""
    return [
        node("Reshape", "boxes bins", "parts"),
        node("Transpose", "parts", "turned", perm=[0, 3, 1, 2]),
        node("Softmax", "turned", "shares", axis=3),
        node("Transpose", "shares", "back", perm=[0, 3, 2, 1]),
        node("Conv", "back counts", "means"),
        node("Reshape", "means four", "sides"),
    ]


def by_product() -> list[NodeProto]:
    """The same with pixels first and a vector, as YOLOv6 and PP-YOLOE have it."""
    return [
        node("Transpose", "boxes", "first", perm=[0, 2, 1]),
        node("Reshape", "first last_bins", "parts"),
        node("Softmax", "parts", "shares", axis=-1),
        node("MatMul", "shares numbers", "means"),
        node("Transpose", "means", "sides", perm=[0, 2, 1]),
    ]


def head(means: list[NodeProto], *, scales: int = 3, opset: int = 17) -> ModelProto:
    """YOLOv8's, of so many of the scales: boxes as a middle and a size, beside the classes."""
    made = BINS * 4 + CLASSES
    nodes = [
        node("Conv", "image w0 b0", "scale0", pads=[1] * 4),
        node("Conv", "scale0 w1 b1", "scale1", strides=[2, 2]),
        node("GlobalAveragePool", "scale1", "scale2"),
        *(node("Reshape", f"scale{n} length", f"row{n}") for n in range(scales)),
        node("Concat", " ".join(f"row{n}" for n in range(scales)), "rows", axis=2),
        node("Slice", "rows zero split one", "boxes"),
        node("Slice", "rows split end one", "scores"),
        *means,
        node("Slice", "sides zero two one", "before"),
        node("Slice", "sides two end one", "behind"),
        node("Sub", "places before", "low"),
        node("Add", "places behind", "high"),
        node("Add", "low high", "sum"),
        node("Div", "sum half", "middle"),
        node("Sub", "high low", "size"),
        node("Concat", "middle size", "box", axis=1),
        node("Mul", "box strides", "scaled"),
        node("Sigmoid", "scores", "classes"),
        node("Concat", "scaled classes", "prob", axis=1),
    ]
    areas = SCALES[:scales]
    pixels = sum(height * width for height, width in areas)
    grids = [np.indices(area)[::-1].reshape(2, -1) + 0.5 for area in areas]
    strides = [np.full((1, rows * columns), 8.0 * 2**n) for n, (rows, columns) in enumerate(areas)]
    numbers: dict[str, Any] = {
        **{"w0": drawn(made, 2, 3, 3), "b0": drawn(made)},
        **{"w1": drawn(made, made, 2, 2), "b1": drawn(made)},
        "places": np.concatenate(grids, axis=1)[None].astype(np.float32),
        "strides": np.concatenate(strides, axis=1).astype(np.float32),
        "counts": np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1),
        "numbers": np.arange(BINS, dtype=np.float32),
        "half": np.float32(2),
        "length": np.array([1, made, -1]),
        "bins": np.array([1, 4, BINS, pixels]),
        "last_bins": np.array([1, pixels, 4, BINS]),
        "four": np.array([1, 4, pixels]),
        **{name: np.array([n]) for name, n in (("zero", 0), ("one", 1), ("two", 2))},
        **{"split": np.array([4 * BINS]), "end": np.array([2**31])},
    }
    read = {name for one in nodes for name in one.input}
    kept = {name: value for name, value in numbers.items() if name in read}
    return onnx_files.model(nodes, kept, size=(1, 2, 8, 6), opset=opset)


FORMS = {
    "Conv": (by_convolution(), 17),
    "Conv, before Softmax had one axis": (by_older_softmax(), 11),
    "MatMul": (by_product(), 17),
}


@pytest.mark.parametrize("scales", [1, 3])
@pytest.mark.parametrize(("means", "opset"), FORMS.values(), ids=FORMS)
def test_yolos_head_is_read_whole_and_answers_as_the_file(
    tmp_path: Path, means: list[NodeProto], opset: int, scales: int
) -> None:
    net = imported(tmp_path, head(means, scales=scales, opset=opset))
    kinds = [layer.type for layer in net.layers]
    assert kinds.count("softmax") == 4 * scales
    # A scale of one pixel has one place: it is part of a convolution.
    assert kinds.count("shift") == 2 * min(scales, 2)
    _, image, expected = prepared(net)
    assert reference.max_relative_error(answer(net, image[None]), expected) < 1e-5
    assert not able.gap(net, "ncnn")
    assert "the format mxnet has no shift: layer " in able.gap(net, "mxnet")


@pytest.mark.parametrize(
    "inner", ["rows", "boxes", "parts", "sides", "low", "middle", "box", "classes"]
)
def test_the_network_may_end_within_the_head(tmp_path: Path, inner: str) -> None:
    model = head(by_convolution())
    net = imported(tmp_path, model, f"output: {inner}\n")
    _, image, expected = prepared(net)
    model.graph.output[0].name = inner
    onnx_files.write(tmp_path / "whole", model)
    theirs = answer(imported(tmp_path / "whole", model), image[None])
    assert reference.max_relative_error(theirs, expected) < 1e-4


def test_what_is_not_read_behind_a_row_names_the_values_to_end_with(tmp_path: Path) -> None:
    model = head(by_convolution())
    model.graph.node[-1].output[0] = model.graph.node[-1].name = "all"
    model.graph.node.append(node("Exp", "all", "prob"))
    fault = refused(tmp_path / "one", model)
    assert fault.brief == "the operator of node Exp 'prob' is not read"
    assert fault.hint.split("; ")[0].endswith("takes the network up to there: all")
    imported(tmp_path / "two", model, "output: all\n")


def test_the_last_values_before_what_is_not_read_are_named(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "image w b", "c"),
        node("Relu", "c", "r"),
        node("Transpose", "r", "t", perm=[0, 1, 3, 2]),
        node("Sigmoid", "r", "p"),
        node("MatMul", "p t", "prob"),
    ]
    numbers = {"w": drawn(5, 2, 3, 3), "b": drawn(5)}
    fault = refused(tmp_path / "one", onnx_files.model(nodes, numbers))
    assert fault.hint.endswith("takes the network up to there: p, r")


def test_a_sum_with_a_number_for_each_value_is_a_shift(tmp_path: Path) -> None:
    """One for each channel, or one for all, is part of the convolution."""
    nodes = [
        node("Conv", "image w b", "c"),
        node("Add", "each c", "one"),
        node("Sub", "one row", "two"),
        node("Sub", "row two", "three"),
        node("Add", "channel three", "prob"),
    ]
    numbers = {
        **{"w": drawn(4, 2, 3, 3), "b": drawn(4), "each": drawn(1, 4, 6, 6)},
        **{"row": drawn(6), "channel": drawn(4, 1, 1)},
    }
    numbers["row"] = drawn(1, 6)
    net = imported(tmp_path, onnx_files.model(nodes, numbers))
    assert [one.type for one in net.layers] == ["conv", "shift", "shift", "conv", "shift", "conv"]
    _, image, expected = prepared(net)
    assert reference.max_relative_error(answer(net, image[None]), expected) < 1e-5


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_computed_of_each_pixel_of_a_row_is_that_of_the_images(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Functions, constants of every form and sums, in a row with its pixels first or last."""
    count = 6
    nodes = [
        node("Conv", "image w b", "big", pads=[1] * 4),
        node("MaxPool", "big", "small", kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", "big length", "row0"),
        node("Reshape", "small length", "row1"),
        node("Concat", "row0 row1", "v0", axis=-1),
    ]
    numbers: dict[str, Any] = {
        **{"w": drawn(count, 2, 3, 3), "b": drawn(count)},
        "length": np.array([1, count, -1]),
    }
    last, turned = "v0", False
    for step in range(1, data.draw(st.integers(2, 5))):
        made = f"v{step}"
        match data.draw(st.sampled_from(["each", "with", "turn", "double"])):
            case "each":
                kind = data.draw(st.sampled_from(["Relu", "Sigmoid", "Tanh"]))
                nodes.append(node(kind, last, made))
            case "turn":
                nodes.append(node("Transpose", last, made, perm=[0, 2, 1]))
                turned = not turned
            case "double":
                nodes.append(node(data.draw(st.sampled_from(["Add", "Mul"])), f"{last} v0", made))
                if turned:
                    nodes[-1] = node("Add", f"{last} {last}", made)
            case _:
                kind = data.draw(st.sampled_from(["Add", "Sub"]))
                whole = (1, 60, count) if turned else (1, count, 60)
                shape = [n if data.draw(st.booleans()) else 1 for n in whole]
                numbers[f"k{step}"] = drawn(*shape, seed=step)
                nodes.append(node(kind, f"{last} k{step}", made))
        last = made
    nodes.append(node("Identity", last, "prob"))
    folder = tmp_path_factory.mktemp("rows")
    net = imported(folder, onnx_files.model(nodes, numbers, size=(1, 2, 8, 6)))
    # As golden it may be refused: what cancels out is all zeros, or less exact than is allowed.
    _, image, expected, _ = answered(net)
    np.testing.assert_allclose(answer(net, image[None]).ravel(), expected.ravel(), 1e-4, 1e-5)
