"""The exported files, held against bytes that upstream's own schema produced."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from buildmatrix import reference
from buildmatrix.errors import UsageError
from buildmatrix.export import caffe, export
from buildmatrix.export.messages import messages
from buildmatrix.network import NetworkSpec, parameters
from buildmatrix.schema import load

FACE_CNN = Path(__file__).parents[2] / "models" / "face-cnn" / "model.yaml"
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
    network = messages("caffe", caffe.SCHEMA, caffe.ENUMS)["NetParameter"]
    export(tiny(), format="caffe", destination=tmp_path)
    topology = text_format.Parse((tmp_path / "net.prototxt").read_text(), network())
    assert topology.SerializeToString() == TINY
    blob = {"data": [1, -0.5], "shape": {"dim": [2, 1]}}
    assert network(layer=[{"name": "c", "blobs": [blob]}]).SerializeToString() == BLOB


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
    trained = messages("caffe", caffe.SCHEMA, caffe.ENUMS)["NetParameter"]()
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


def test_exporting_twice_gives_the_same_bytes(
    net: NetworkSpec, exported: Path, tmp_path: Path
) -> None:
    export(net, format="caffe", destination=tmp_path)
    assert digests(tmp_path) == digests(exported)
    assert sorted(digests(tmp_path)) == sorted(FILES)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model format 'cafe'") as e:
        export(tiny(), format="cafe", destination=tmp_path / "model")
    assert "caffe" in e.value.hint
    assert list(tmp_path.iterdir()) == []
