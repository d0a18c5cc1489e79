"""Reads models by a library that cannot be installed beside the rest: `apart.py NAME FOLDER...`.

Run by a Python that has it, with nothing of buildmatrix. For each folder, of a model and
images.npy, it writes a line of JSON: the answers, an image's in each row, or what failed, in words.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def opencv(folder: Path, images: Any) -> Any:
    """Its own kernels."""
    import cv2

    net: Any = cv2.dnn.readNetFromONNX(str(folder / "net.onnx"))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setInput(images)
    return net.forward()


def openvino(folder: Path, images: Any) -> Any:
    """In float32."""
    import openvino as library  # type: ignore[import-not-found]

    core = library.Core()
    model = core.read_model(str(folder / "net.onnx"))
    return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images)[0]


def mxnet(folder: Path, images: Any) -> Any:
    """As its wheel comes: with oneDNN."""
    import mxnet as library  # type: ignore[import-not-found]

    symbol = library.sym.load(str(folder / "net-symbol.json"))
    given = library.nd.load(str(folder / "net-0000.params"))
    kinds: dict[str, dict[str, Any]] = {"arg": {"data": library.nd.array(images)}, "aux": {}}
    for name, values in given.items():
        kind, plain = name.split(":", 1)
        kinds[kind][plain] = values
    bound = symbol.bind(library.cpu(), kinds["arg"], aux_states=kinds["aux"])
    return bound.forward()[0].asnumpy()


READERS = {read.__name__: read for read in (opencv, openvino, mxnet)}


def main() -> None:
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library says there is no line of ours
    read, *folders = sys.argv[1:]
    for folder in map(Path, folders):
        images = np.load(folder / "images.npy")
        try:
            answers = np.asarray(READERS[read](folder, images), np.float64)
            told: Any = answers.reshape(len(images), -1).tolist()
        except Exception as fault:  # noqa: BLE001 - whatever a library raises is its answer
            told = str(fault)
        lines.write(json.dumps(told) + "\n")
        lines.flush()


if __name__ == "__main__":
    main()
