"""Small ONNX files, written with the format's own library as other tools write them."""

from __future__ import annotations

from math import prod, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from buildmatrix import schema
from buildmatrix.export import able
from buildmatrix.network import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

MODEL = """\
version: 1
name: {name}
summary: somebody's network
from: net.onnx
tolerance: {{float32: 1.0e-4}}
"""


def node(kind: str, inputs: str, output: str, **settings: Any) -> NodeProto:
    """A node that is called as what it makes; `inputs` are names with blanks between them."""
    return helper.make_node(kind, inputs.split(" "), [output], output, **settings)


def model(
    nodes: Sequence[NodeProto],
    weights: Mapping[str, Any],
    *,
    size: Sequence[int | str] = ("N", 2, 8, 8),
    output: str = "prob",
    opset: int = 17,
    number: int = TensorProto.FLOAT,
) -> ModelProto:
    """A model with the input 'image' and one output, of no size that is written."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info("image", number, list(size))],
        [helper.make_tensor_value_info(output, number, None)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def drawn(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Weights of a size that neither lets signals die nor grow."""
    values = np.random.default_rng((seed, *shape)).standard_normal(shape)
    return np.asarray(values / sqrt(prod(shape[1:])), np.float32)


def small(**settings: Any) -> ModelProto:
    """A convolution with batch normalization, a branch with squeeze and excitation, a classifier:
    what frameworks write of such a network."""
    weights = {
        "c.w": drawn(8, 2, 3, 3),
        "bn.scale": np.float32(1) + drawn(8) / 4,
        "bn.shift": drawn(8),
        "bn.mean": drawn(8, seed=1),
        "bn.var": np.float32(1) + drawn(8, seed=2) ** 2,
        "d.w": drawn(8, 1, 3, 3),
        "d.b": drawn(8),
        "s.w": drawn(8, 8, 1, 1),
        "s.b": drawn(8, seed=3),
        "f.w": drawn(5, 8 * 2 * 2),
        "f.b": drawn(5),
    }
    nodes = [
        node("Conv", "image c.w", "c", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c bn.scale bn.shift bn.mean bn.var", "bn"),
        node("Relu", "bn", "r"),
        node("Conv", "r d.w d.b", "d", pads=[0, 0, 1, 1], strides=[2, 2], group=8),
        node("HardSwish", "d", "h"),
        node("GlobalAveragePool", "h", "g"),
        node("Conv", "g s.w s.b", "s"),
        node("HardSigmoid", "s", "hs", alpha=1 / 6, beta=0.5),
        node("Mul", "h hs", "m"),
        node("Add", "m h", "a"),
        node("MaxPool", "a", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "p", "flat"),
        node("Gemm", "flat f.w f.b", "f", transB=1),
        node("Softmax", "f", "prob"),
    ]
    return model(nodes, weights, **settings)


def written_models(folder: Path, format: str = "onnx") -> list[str]:
    """Names of the models in a folder that are written layer by layer, and not in a file, as far
    as a format can say them."""
    paths = [path for path in folder.glob("*/model.yaml") if "\nlayers:" in path.read_text()]
    nets = [schema.load(path, NetworkSpec) for path in paths]
    return sorted(net.name for net in nets if not able.gap(net, format))


def write(folder: Path, what: ModelProto, **settings: Any) -> Path:
    """The file and its model.yaml, in a folder named after the model; that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save(what, folder / "net.onnx", **settings)
    (folder / "model.yaml").write_text(MODEL.format(name=folder.name))
    return folder
