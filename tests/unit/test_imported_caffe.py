"""Caffe's nets as models: what they compute is kept, and what is not read is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from buildmatrix import schema
from buildmatrix.caffe_schema import ENUMS, SCHEMA
from buildmatrix.errors import InputError
from buildmatrix.export import export
from buildmatrix.imported import described, golden
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.messages import messages
from buildmatrix.network import ImportedNetwork, NetworkSpec

MODELS = Path(__file__).parents[2] / "models"
# As people write nets: an old way to say the input's size, fillers, dropout, layers in place.
WRITTEN = """
name: "small"
input: "data"
input_dim: 10 input_dim: 2 input_dim: 5 input_dim: 5
layer {
  name: "mix" type: "Convolution" bottom: "data" top: "mix"
  param { lr_mult: 1 decay_mult: 1 }
  convolution_param {
    num_output: 3 kernel_size: 1 bias_term: false
    weight_filler { type: "msra" variance_norm: FAN_OUT }
  }
}
layer { name: "norm" type: "BatchNorm" bottom: "mix" top: "mix" batch_norm_param { eps: 0.25 } }
layer { name: "gain" type: "Scale" bottom: "mix" top: "mix" scale_param { bias_term: true } }
layer { name: "cut" type: "ReLU" bottom: "mix" top: "mix" }
layer { name: "learn" type: "Dropout" bottom: "mix" top: "mix" include { phase: TRAIN } }
layer {
  name: "pool" type: "Pooling" bottom: "mix" top: "pool"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 }
}
layer {
  name: "last" type: "InnerProduct" bottom: "pool" top: "last" inner_product_param { num_output: 4 }
}
"""


def blobs(**layers: list[Any]) -> bytes:
    network = messages("caffe", SCHEMA, ENUMS)["NetParameter"]
    made = [
        {"name": name, "blobs": [{"data": np.ravel(values).tolist()} for values in learnt]}
        for name, learnt in layers.items()
    ]
    return network(layer=made).SerializeToString()


RANDOM = np.random.default_rng(7)
MIX, LAST = RANDOM.normal(size=(3, 2)), RANDOM.normal(size=(4, 27))
MEAN, VARIANCE, GAIN, SHIFT = RANDOM.uniform(0.5, 2, (4, 3))
LEARNT = {
    "mix": [MIX],
    "norm": [4 * MEAN, 4 * VARIANCE, [4]],  # as Caffe keeps them: with a factor of their own
    "gain": [GAIN, SHIFT],
    "last": [LAST, np.arange(4)],
}


def model(folder: Path, text: str = WRITTEN, **layers: list[Any]) -> ImportedNetwork:
    (folder / "net.prototxt").write_text(text)
    (folder / "net.caffemodel").write_bytes(blobs(**(layers or LEARNT)))
    return read(folder)


def read(folder: Path, **more: Any) -> ImportedNetwork:
    form = {"version": 1, "name": "net", "summary": "", "from": "net.prototxt"}
    spec = FileNetworkSpec.model_validate({**form, "tolerance": {"float32": 1e-4}, **more})
    return described(spec, folder)


def test_a_net_as_people_write_it_computes_what_caffe_would(tmp_path: Path) -> None:
    """A window that reaches beyond the image is a window: Caffe rounds up."""
    net = model(tmp_path)
    _, image, answer = golden(net)
    mixed = np.einsum("oc,chw->ohw", MIX, image.astype(np.float64))
    normal = (mixed - MEAN[:, None, None]) / np.sqrt(VARIANCE + 0.25)[:, None, None]
    values = np.maximum(normal * GAIN[:, None, None] + SHIFT[:, None, None], 0)
    pooled = [
        [[value[y : y + 2, x : x + 2].max() for x in (0, 2, 4)] for y in (0, 2, 4)]
        for value in values
    ]
    assert np.allclose(answer.ravel(), LAST @ np.ravel(pooled) + np.arange(4), rtol=1e-5)
    assert set(net.files) == {"net.prototxt", "net.caffemodel"}, "both are in the key"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet-5", "face-cnn"])
def test_what_is_written_for_caffe_is_read_as_the_network_that_it_was(
    name: str, tmp_path: Path
) -> None:
    one = schema.load(MODELS / name / "model.yaml", NetworkSpec)
    export(one, format="caffe", destination=tmp_path)
    size = (one.input.channels, one.input.height, one.input.width)
    np.save(tmp_path / "image.npy", np.fromfile(tmp_path / "input.f32", "<f4").reshape(size))
    _, _, answer = golden(read(tmp_path, values="image.npy"))
    assert np.array_equal(answer.ravel(), np.fromfile(tmp_path / "expected.f64", "<f8"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"Pooling"', '"SPP"', "the layer SPP 'pool' is not read"),
        (
            'type: "Pooling" bottom: "mix" top: "pool"\n  pooling_param',
            'type: "Normalize" bottom: "mix" top: "pool"\n  norm_param',
            "the layer Normalize 'pool' is not read",
        ),
        (
            "pool: MAX",
            "pool: STOCHASTIC",
            "by chance of layer Pooling 'pool' is not read",
        ),
        ("num_output: 4", "num_output: 5", "layer 'last' has 108 weights"),
        ('name: "gain"', 'name: "other"', "the weights of layer 'other' are not in its caffemodel"),
        ('bottom: "pool"', 'bottom: "pond"', "reads ['pond'], made by no layer"),
        ("layer {", "layers {", "this is no net that is read"),
        ('input: "data"', 'input: "data" input: "label"', "it has 2 inputs"),
        ("eps: 0.25", "epsilon: 0.25", 'has no field named "epsilon"'),
    ],
)
def test_what_is_not_read_is_one_line_with_the_layer_s_name(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        model(tmp_path, WRITTEN.replace(old, new))
    assert words in caught.value.brief
    assert "\n" not in caught.value.brief
    assert str(tmp_path / "net.prototxt") in str(caught.value.where)


def test_a_net_without_its_weights_names_the_file_that_lacks(tmp_path: Path) -> None:
    model(tmp_path)
    (tmp_path / "net.caffemodel").unlink()
    with pytest.raises(InputError, match="No such file") as caught:
        read(tmp_path)
    assert str(caught.value.where).endswith("net.caffemodel")
    (tmp_path / "net.caffemodel").write_bytes(b"\xff\xff\xff")
    with pytest.raises(InputError, match="this is no caffemodel"):
        read(tmp_path)
