"""Networks with branches as Caffe, MXNet and TensorFlow are given them; nothing is run.

What the stacks' own libraries make of such files was seen by hand (docs/models.md).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.protobuf import text_format

from buildmatrix import caffe_schema
from buildmatrix.errors import InputError
from buildmatrix.export import export, tensorflow
from buildmatrix.export.able import gap
from buildmatrix.messages import messages
from buildmatrix.network import NetworkSpec
from tests.networks import with_outputs

if TYPE_CHECKING:
    from pathlib import Path


GATED = with_outputs(
    {"type": "conv", "name": "c", "outputs": 4, "kernel": 3, "pad": 1},
    {"type": "relu", "name": "r"},
    {"type": "pool", "name": "g", "method": "average", "kernel": 6, "stride": 1},
    {"type": "hard-sigmoid", "name": "h"},
    {"type": "mul", "name": "m", "inputs": ["r", "h"]},
    {"type": "slice", "name": "s", "first": 1, "channels": 2},
    {"type": "concat", "name": "k", "inputs": ["s", "m"]},
    {"type": "relu", "name": "q", "inputs": ["k"]},
)


def layers_of_caffe(net: NetworkSpec, folder: Path) -> dict[str, Any]:
    export(net, format="caffe", destination=folder)
    made = messages("caffe", caffe_schema.SCHEMA, caffe_schema.ENUMS)["NetParameter"]()
    text_format.Parse((folder / "net.prototxt").read_text(), made)
    return {layer.name: layer for layer in made.layer}  # type: ignore[attr-defined]


def test_caffe_multiplies_by_a_column_and_leaves_one_output(tmp_path: Path) -> None:
    layers = layers_of_caffe(GATED, tmp_path)
    assert [*layers["m"].bottom] == ["c", "m/column"]
    assert (layers["m"].type, layers["m"].scale_param.axis) == ("Scale", 0)
    assert layers["m/column"].type == "Flatten"
    assert [*layers["s/parts"].top] == ["s/0", "s", "s/2"]
    assert layers["s/rest"].type == "Silence"
    tops = {top for layer in layers.values() for top in layer.top}
    read = {name for layer in layers.values() for name in layer.bottom}
    assert tops - read == {"prob"}


def test_a_relu_of_caffe_works_in_place_only_where_nobody_else_sees_its_input(
    tmp_path: Path,
) -> None:
    """A Flatten shares its numbers: a ReLU in place behind it would change those before it."""
    relu = {"type": "relu", "name": "r"}
    convolution = {"type": "conv", "name": "c", "outputs": 4, "kernel": 1}
    both = {"type": "add", "name": "a", "inputs": ["c", "r"]}
    layers = layers_of_caffe(with_outputs(convolution, relu, both), tmp_path)
    assert [*layers["r"].top] == ["r"]
    flat = {"type": "flatten", "name": "f"}
    layers = layers_of_caffe(with_outputs(convolution, flat, relu), tmp_path)
    assert [*layers["r"].top] == ["r"]
    layers = layers_of_caffe(with_outputs(convolution, relu), tmp_path)
    assert [*layers["r"].top] == ["c"]


@pytest.mark.parametrize(
    ("pool", "side", "said"),
    [
        ({"kernel": 3, "stride": 2, "pad": (1, 1, 0, 0)}, 6, "FLOOR"),
        ({"kernel": 3, "stride": 2, "pad": (0, 0, 1, 1)}, 6, ""),
        ({"kernel": 2, "stride": 2}, 6, ""),
        ({"kernel": 3, "stride": 3, "pad": (0, 0, 3, 3)}, 6, None),
    ],
)
def test_caffe_rounds_a_pooling_as_the_network_does_or_refuses(
    pool: dict[str, Any], side: int, said: str | None, tmp_path: Path
) -> None:
    layer = {"type": "pool", "name": "p", "method": "max", **pool}
    net = with_outputs(layer, size=(1, side, side))
    if said is None:
        assert gap(net, "caffe").startswith("the format caffe has no windows or pads")
        return
    made = layers_of_caffe(net, tmp_path)["p"].pooling_param
    assert (made.round_mode == caffe_schema.ENUMS["RoundMode"]["FLOOR"]) == (said == "FLOOR")


def test_mxnet_is_told_every_layer_once_and_its_last_is_the_head(tmp_path: Path) -> None:
    export(GATED, format="mxnet", destination=tmp_path)
    symbol = json.loads((tmp_path / "net-symbol.json").read_text())
    nodes = symbol["nodes"]
    by_name = {node["name"]: node for node in nodes}
    assert len(by_name) == len(nodes)
    assert nodes[symbol["heads"][0][0]]["name"] == "prob"
    assert by_name["m"]["op"] == "broadcast_mul"
    assert by_name["s"]["attr"] == {"axis": "1", "begin": "1", "end": "3"}
    assert all(one < place for place, node in enumerate(nodes) for one, *_ in node["inputs"])


def test_tensorflow_is_told_every_node_once_before_it_is_read(tmp_path: Path) -> None:
    export(GATED, format="tensorflow", destination=tmp_path)
    graph = messages("tensorflow", tensorflow.SCHEMA)["GraphDef"]()
    graph.ParseFromString((tmp_path / "graph.pb").read_bytes())
    names: list[str] = []
    for node in graph.node:  # type: ignore[attr-defined]
        assert set(node.input) <= set(names)
        names.append(node.name)
    assert len(set(names)) == len(names)
    assert names[-1] == "prob"


def test_the_output_has_the_name_that_engines_ask_for(tmp_path: Path) -> None:
    """A network out of a file ends in a layer that is called as its node."""
    renamed = GATED.model_dump()
    renamed["layers"][-1]["name"] = "last"
    renamed["layers"][0]["name"] = "prob"
    net = NetworkSpec.model_validate(renamed)
    export(net, format="ncnn", destination=tmp_path)
    lines = (tmp_path / "net.param").read_text().splitlines()
    assert lines[-1].split()[1] == "prob"
    assert lines[3].split()[1] == "prob_2"


@pytest.mark.parametrize("format", ["mxnet", "tensorflow"])
def test_what_lies_between_pixels_is_refused_by_name(format: str, tmp_path: Path) -> None:
    net = with_outputs({"name": "x", "type": "upsample", "factor": 2, "mode": "linear"})
    with pytest.raises(InputError, match=f"the format {format} has no linear upsample: layer x"):
        export(net, format=format, destination=tmp_path)


def test_channels_that_are_added_are_the_last_sides_of_tensorflow(tmp_path: Path) -> None:
    net = with_outputs({"type": "pad", "name": "x", "channels": [1, 2], "pad": [3, 4, 5, 6]})
    assert numbers_of_tensorflow(net, "x/sides", tmp_path) == [0, 0, 3, 5, 4, 6, 1, 2]


def numbers_of_tensorflow(net: NetworkSpec, name: str, folder: Path) -> list[int]:
    export(net, format="tensorflow", destination=folder)
    graph = messages("tensorflow", tensorflow.SCHEMA)["GraphDef"]()
    graph.ParseFromString((folder / "graph.pb").read_bytes())
    (sides,) = (n for n in graph.node if n.name == name)  # type: ignore[attr-defined]
    (value,) = (a.value for a in sides.attr if a.key == "value")
    written: list[int] = np.frombuffer(value.tensor.tensor_content, "<i4").tolist()
    return written


def test_mxnet_puts_constant_channels_beside_those_that_are_there(tmp_path: Path) -> None:
    """MXNet 1.9.1's wheel: at most 1.6e-5, with and without rows and columns beside them."""
    sides = {"channels": [1, 2], "pad": [3, 4, 5, 6], "value": 2.0}
    nodes = nodes_of_mxnet(with_outputs({"type": "pad", "name": "x", **sides}), tmp_path)
    assert nodes["x_sides"]["attr"]["pad_width"] == "(0, 0, 0, 0, 3, 5, 4, 6)"
    assert nodes["x_filling"]["attr"] == {"scalar": "2.0"}
    assert [nodes[f"x_{n}"]["attr"]["size"] for n in ("before", "behind")] == ["1", "2"]
    assert nodes["x"]["reads"] == ["x_before", "x_sides", "x_behind"]


def test_mxnet_makes_pixels_out_of_channels_by_turning_them(tmp_path: Path) -> None:
    net = with_outputs({"type": "depth-to-space", "name": "x", "block": 2}, size=(8, 3, 5))
    nodes = nodes_of_mxnet(net, tmp_path)
    assert nodes["x_parts"]["attr"]["shape"] == "(0, 2, 2, 2, 3, 5)"
    assert nodes["x_turned"]["attr"]["axes"] == "(0, 3, 4, 1, 5, 2)"
    assert nodes["x"]["attr"]["shape"] == "(0, 2, 6, 10)"


def nodes_of_mxnet(net: NetworkSpec, folder: Path) -> dict[str, Any]:
    export(net, format="mxnet", destination=folder)
    nodes = json.loads((folder / "net-symbol.json").read_text())["nodes"]
    names = [node["name"] for node in nodes]
    return {
        node["name"]: {**node, "reads": [names[one] for one, *_ in node["inputs"]]}
        for node in nodes
    }


def test_more_channels_are_refused_by_node_where_a_format_has_none(tmp_path: Path) -> None:
    net = with_outputs({"type": "pad", "name": "x", "channels": [0, 4], "node": "Pad 'wider'"})
    with pytest.raises(InputError, match=r"the format caffe has no pad: layer x \(Pad 'wider'\)"):
        export(net, format="caffe", destination=tmp_path)


def test_tensorflow_makes_pixels_out_of_channels_by_turning_them(tmp_path: Path) -> None:
    """The runner on TensorFlow 1.15's wheel reads such files (docs/models.md)."""
    net = with_outputs({"type": "depth-to-space", "name": "x", "block": 2}, size=(8, 3, 5))
    assert numbers_of_tensorflow(net, "x/parts/shape", tmp_path) == [-1, 3, 5, 2, 2, 2]
    assert numbers_of_tensorflow(net, "x/turned/order", tmp_path) == [0, 1, 3, 2, 4, 5]
    assert numbers_of_tensorflow(net, "x/shape", tmp_path) == [-1, 6, 10, 2]


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "upsample", "factor": 2},
        {"type": "pad", "pad": 1},
        {"type": "depth-to-space", "block": 2},
    ],
)
def test_what_caffe_lacks_is_refused_by_name(layer: dict[str, Any], tmp_path: Path) -> None:
    net = with_outputs({"name": "x", **layer})
    with pytest.raises(InputError, match=f"the format caffe has no {layer['type']}: layer x"):
        export(net, format="caffe", destination=tmp_path)
