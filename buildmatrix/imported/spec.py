"""`model.yaml` of a network that stands in a file of a framework's own format."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, field_validator

from buildmatrix.network import (
    FormVersion,
    InputSpec,
    ModelName,
    Summary,
    Tolerance,
)
from buildmatrix.schema import Spec

ENDINGS = (".onnx", ".tflite", ".prototxt")
FROM = (
    "the file, beside model.yaml: .onnx, .tflite (a quantized one goes to TensorFlow Lite as it "
    "is), or .prototxt of Caffe with the .caffemodel of its name beside it"
)


class FileNetworkSpec(Spec):
    """`model.yaml` of a network in a file of somebody's own, which lies beside it."""

    version: FormVersion
    name: ModelName
    summary: Summary
    file: Annotated[str, Field(alias="from", description=FROM)]
    input: InputSpec | None = Field(
        None, description="size of one image, where the file leaves it open"
    )
    output: str = Field("", description="which of several outputs; empty: the only one")
    values: str = Field("", description="a .npy file with the image; empty: drawn from the seed")
    calibration: str = Field(
        "", description="a .npy file of images that int8 is calibrated on; empty: drawn ones"
    )
    held_out: str = Field(
        "",
        description="a .npz file of `pictures` that were not learnt from and the `labels` of what "
        "they show, as numbers of outputs: every cell is asked for them on the board",
    )
    seed: Annotated[int, Field(ge=0, description="what the image is drawn from")] = 0
    tolerance: Tolerance

    @field_validator("file", "values", "calibration", "held_out")
    @classmethod
    def _beside(cls, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name} must lie in the folder of model.yaml")
        return name

    @field_validator("file")
    @classmethod
    def _known(cls, name: str) -> str:
        if not name.endswith(ENDINGS):
            there = ", ".join(ENDINGS)
            raise ValueError(f"{name} is none of ONNX, TensorFlow Lite and Caffe: {there}")
        return name
