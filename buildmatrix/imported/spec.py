"""`model.yaml` of a network that stands in a file of a framework's own format."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, RootModel, field_validator

from buildmatrix.network import InputSpec, NetworkSpec, NumberFormat
from buildmatrix.schema import Spec


class FileNetworkSpec(Spec):
    """`from` is the file, beside model.yaml. `input`: size of one image, where the file leaves it
    open. `values`: a .npy file with that image; drawn from `seed` otherwise. `output`: which of
    several outputs. `tolerance`: largest relative error of a right answer, by number format.
    """

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    summary: str
    file: Annotated[str, Field(alias="from")]
    input: InputSpec | None = None
    output: str = ""
    values: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    tolerance: Annotated[dict[NumberFormat, PositiveFloat], Field(min_length=1)]

    @field_validator("file", "values")
    @classmethod
    def _beside(cls, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name} must lie in the folder of model.yaml")
        return name

    @field_validator("file")
    @classmethod
    def _known(cls, name: str) -> str:
        if not name.endswith(".onnx"):
            raise ValueError(f"{name} is no .onnx file, which is the one format that is read")
        return name


class ModelFile(RootModel[NetworkSpec | FileNetworkSpec]):
    """`model.yaml`: a network written layer by layer, or one that stands in a file."""
