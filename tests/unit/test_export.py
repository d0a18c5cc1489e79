"""The exported files, held against bytes that upstream's own schema produced."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from buildmatrix import caffe_schema, reference
from buildmatrix.errors import InputError, UsageError
from buildmatrix.export import FORMATS, able, export, tensorflow
from buildmatrix.messages import messages
from buildmatrix.network import NetworkSpec, parameters
from buildmatrix.schema import load
from tests.onnx_files import written_models

PACKAGE = Path(__file__).parents[2] / "buildmatrix"
MODELS = PACKAGE.parent / "models"
FACE_CNN = MODELS / "face-cnn" / "model.yaml"
OUTSIDE = {
    "errors.py",
    "cachekey.py",
    "schema.py",
}  # messages, cache keys, reading: no bytes of a model
FILES = ("net.prototxt", "net.caffemodel", "input.f32", "expected.f64")

# `protoc --encode caffe.NetParameter` (3.21.12) with src/caffe/proto/caffe.proto of BVLC/caffe
# 99bd997, on the prototxt of `tiny` below and on one trained blob.
TINY = bytes.fromhex(
    "0a0474696e79a2061e0a04646174611205496e707574220464617461fa08080a060a0401010404a206200a016312"
    "0b436f6e766f6c7574696f6e1a0464617461220163d2060408022003a2060f0a0172120452654c551a0163220163"
    "a2061b0a01701207506f6f6c696e671a0163220170ca0706080010021802a2061c0a0166120c496e6e657250726f"
    "647563741a0170220166aa07020803a206120a01731207536f66746d61781a0166220173"
)
BLOB = bytes.fromhex("a206150a01633a102a080000803f000000bf3a040a020201")


@pytest.fixture(scope="module")
def net() -> NetworkSpec:
    return load(FACE_CNN, NetworkSpec)


@pytest.fixture(scope="module")
def exported(net: NetworkSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "not" / "there" / "yet"
    assert export(net, format="caffe", destination=folder) == FILES
    return folder


def tiny() -> NetworkSpec:
    return NetworkSpec.model_validate(
        {
            "version": 1,
            "name": "tiny",
            "summary": "",
            "input": {"channels": 1, "height": 4, "width": 4},
            "seed": 1,
            "tolerance": {"float32": 1e-4},
            "layers": [
                {"type": "conv", "name": "c", "outputs": 2, "kernel": 3},
                {"type": "relu", "name": "r"},
                {"type": "pool", "name": "p", "method": "max", "kernel": 2, "stride": 2},
                {"type": "fc", "name": "f", "outputs": 3},
                {"type": "softmax", "name": "s"},
            ],
        }
    )


def test_the_field_numbers_are_upstream_s(tmp_path: Path) -> None:
    network = messages("caffe", caffe_schema.SCHEMA, caffe_schema.ENUMS)["NetParameter"]
    export(tiny(), format="caffe", destination=tmp_path)
    topology = text_format.Parse((tmp_path / "net.prototxt").read_text(), network())
    assert topology.SerializeToString() == TINY
    blob = {"data": [1, -0.5], "shape": {"dim": [2, 1]}}
    assert network(layer=[{"name": "c", "blobs": [blob]}]).SerializeToString() == BLOB


@pytest.mark.slow
def test_the_prototxt_can_be_read_by_people(exported: Path) -> None:
    text = (exported / "net.prototxt").read_text()
    assert text.startswith('name: "face-cnn"\nlayer {\n  name: "data"\n  type: "Input"\n')
    assert text.count("    dim: ") == 4
    assert (
        '  name: "pool2"\n  type: "Pooling"\n  bottom: "conv2"\n  top: "pool2"\n'
        "  pooling_param {\n    pool: MAX\n    kernel_size: 3\n    stride: 3\n  }\n"
    ) in text
    assert "blobs" not in text


def test_every_blob_of_the_caffemodel_is_a_weight_or_a_bias(
    net: NetworkSpec, exported: Path
) -> None:
    trained = messages("caffe", caffe_schema.SCHEMA, caffe_schema.ENUMS)["NetParameter"]()
    trained.ParseFromString((exported / "net.caffemodel").read_bytes())
    layers = {layer.name: layer for layer in trained.layer}  # type: ignore[attr-defined]
    assert sum(len(b.data) for layer in layers.values() for b in layer.blobs) == parameters(net)
    for learnt in reference.weights(net):
        weight, bias = layers[learnt.layer].blobs
        assert tuple(weight.shape.dim) == learnt.weight.shape
        assert np.array_equal(np.array(weight.data, np.float32), learnt.weight.ravel())
        assert np.array_equal(np.array(bias.data, np.float32), learnt.bias)


def test_relu_works_in_place_but_never_on_the_input(tmp_path: Path) -> None:
    """The harness sets the input once for all passes."""
    relu_first = {**tiny().model_dump(), "layers": [{"type": "relu", "name": "r"}]}
    export(NetworkSpec.model_validate(relu_first), format="caffe", destination=tmp_path)
    assert 'bottom: "data"\n  top: "r"' in (tmp_path / "net.prototxt").read_text()


def test_the_input_and_the_golden_output_are_little_endian(
    net: NetworkSpec, exported: Path
) -> None:
    image = reference.image(net)
    read = np.fromfile(exported / "input.f32", dtype="<f4")
    assert np.array_equal(read, image.ravel())
    golden = np.fromfile(exported / "expected.f64", dtype="<f8")
    assert np.array_equal(golden, reference.forward(net, reference.weights(net), image))


@pytest.mark.slow
def test_exporting_twice_gives_the_same_bytes(
    net: NetworkSpec, exported: Path, tmp_path: Path
) -> None:
    export(net, format="caffe", destination=tmp_path)
    assert digests(tmp_path) == digests(exported)
    assert sorted(digests(tmp_path)) == sorted(FILES)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("format", [one for one in FORMATS if one != able.GIVEN])
def test_the_same_network_gives_the_same_bytes_in_every_format(format: str, tmp_path: Path) -> None:
    """Also in another process, where hashes of strings differ."""
    net = load(MODELS / "lenet-5" / "model.yaml", NetworkSpec)
    export(net, format=format, destination=tmp_path / "here")
    command = (
        "import sys; from pathlib import Path; from buildmatrix.export import export;"
        "from buildmatrix.network import NetworkSpec; from buildmatrix.schema import load;"
        "export(load(Path(sys.argv[1]), NetworkSpec), format=sys.argv[2],"
        " destination=Path(sys.argv[3]))"
    )
    source = str(MODELS / "lenet-5" / "model.yaml")
    subprocess.run(
        [sys.executable, "-c", command, source, format, str(tmp_path / "there")], check=True
    )
    assert digests(tmp_path / "here") == digests(tmp_path / "there")


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_a_format_names_every_source_that_decides_its_bytes(format: str) -> None:
    """A module that is imported and not named would leave stale models in the cache."""
    named = set(FORMATS[format].sources)
    assert {one for name in named for one in ours(PACKAGE / name)} <= named | OUTSIDE


def ours(path: Path) -> set[str]:
    """The modules of buildmatrix that a file imports, as files below the package."""
    names = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("buildmatrix")
        for alias in node.names
    ]
    parts = [name.split(".")[1:] for name in names]
    files = {"/".join(p[:i]) + ".py" for p in parts for i in range(1, len(p) + 1)}
    return {name for name in files if (PACKAGE / name).is_file()}


@pytest.mark.slow
def test_the_graph_has_only_operators_of_tensorflow_s_makefile_build(tmp_path: Path) -> None:
    """tensorflow/contrib/makefile/tf_op_files.txt of 1.15 names a kernel file for each."""
    operators = set()
    for name in written_models(MODELS, "tensorflow"):
        path = MODELS / name / "model.yaml"
        export(load(path, NetworkSpec), format="tensorflow", destination=tmp_path)
        graph = messages("tensorflow", tensorflow.SCHEMA)["GraphDef"]()
        graph.ParseFromString((tmp_path / "graph.pb").read_bytes())
        operators |= {node.op for node in graph.node}  # type: ignore[attr-defined]
    assert operators == {
        "AvgPool",
        "BiasAdd",
        "Const",
        "Conv2D",
        "DepthwiseConv2dNative",
        "MatMul",
        "MaxPool",
        "Pad",
        "Placeholder",
        "Relu",
        "Reshape",
        "Softmax",
    }


def test_mxnet_as_shipped_has_no_bound_on_its_scratch_memory(tmp_path: Path) -> None:
    for format, bound in (("mxnet", "64"), ("mxnet-as-shipped", None)):
        export(tiny(), format=format, destination=tmp_path)
        nodes = json.loads((tmp_path / "net-symbol.json").read_text())["nodes"]
        (conv,) = (node for node in nodes if node["op"] == "Convolution")
        assert conv["attr"].get("workspace") == bound


def test_the_raw_form_is_the_layers_line_by_line_and_the_numbers_in_order(tmp_path: Path) -> None:
    export(tiny(), format="raw", destination=tmp_path)
    assert (tmp_path / "net.txt").read_text() == (
        "input 1 4 4\nconv c 2 1 3 1 0 1\nrelu r\npool p max 2 2\nfc f 3 2\nsoftmax s\n"
    )
    conv, full = reference.weights(tiny())
    want = np.concatenate([a.ravel() for a in (conv.weight, conv.bias, full.weight, full.bias)])
    assert np.array_equal(np.fromfile(tmp_path / "net.f32", "<f4"), want)


@pytest.mark.parametrize("format", ["tensorflow", "tflite"])
def test_an_output_that_would_come_in_another_order_is_refused(format: str, tmp_path: Path) -> None:
    relu_only = {**tiny().model_dump(), "layers": [{"type": "relu", "name": "r"}]}
    with pytest.raises(InputError, match="the output is 1x4x4") as e:
        export(NetworkSpec.model_validate(relu_only), format=format, destination=tmp_path)
    assert "fully connected" in e.value.hint


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model format 'cafe'") as e:
        export(tiny(), format="cafe", destination=tmp_path / "model")
    assert "caffe" in e.value.hint
    assert list(tmp_path.iterdir()) == []
