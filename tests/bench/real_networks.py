"""Networks as people export them, through import and every format that has a reader here.

`python -m tests.bench.real_networks FOLDER...` takes folders of ONNX files, such as those that
`scripts/torchvision-onnx` writes, and prints the largest relative error of each reader's answer to
one image, or why the format cannot say the network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from buildmatrix import network, reference, schema
from buildmatrix.errors import InputError
from buildmatrix.export import able, export
from buildmatrix.imported import described
from buildmatrix.imported.spec import FileNetworkSpec
from tests import consumers

READERS = {
    "onnx": consumers.onnx_runtime,
    "tflite": consumers.lite_xnnpack,
    "ncnn": consumers.ncnn_float32,
}
MODEL = "version: 1\nname: mine\nsummary: ''\nfrom: {}\ntolerance: {{float32: 1.0e-3}}\n"


def answers(file: Path) -> str:
    """A line of the table: layers, multiply-adds, and of each format the error or the gap."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        for path in file.parent.glob(f"{file.name}*"):  # with the weights beside it
            (folder / path.name).symlink_to(path.resolve())
        (folder / "model.yaml").write_text(MODEL.format(file.name))
        try:
            net = described(schema.load(folder / "model.yaml", FileNetworkSpec), folder)
            cells = [_answer(net, format, folder / format) for format in READERS]
        except InputError as refused:
            return f"| {file.stem} | {refused.brief} |"
    size = f"{len(net.layers)} | {network.multiply_adds(net) / 1e6:.0f} M"
    gaps = [format for format in ("caffe", "mxnet", "tensorflow") if not able.gap(net, format)]
    return f"| {file.stem} | {size} | {' | '.join(cells)} | {', '.join(gaps) or '-'} |"


def _answer(net: network.ImportedNetwork, format: str, folder: Path) -> str:
    if words := able.gap(net, format):
        return words
    export(net, format=format, destination=folder)
    image = np.fromfile(folder / "input.f32", "<f4").reshape(network.input_shape(net))
    expected = np.fromfile(folder / "expected.f64", "<f8")
    (output,) = READERS[format](folder, image[None])
    return f"{reference.max_relative_error(output, expected):.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    sys.stdout.write(f"| file | layers | multiply-adds | {' | '.join(READERS)} | also said by |\n")
    sys.stdout.write(f"| --- | ---: | ---: | {' | '.join('---:' for _ in READERS)} | --- |\n")
    for folder in parser.parse_args().folders:
        for file in sorted(folder.glob("*.onnx")):
            sys.stdout.write(answers(file) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
