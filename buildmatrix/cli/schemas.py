"""JSON Schemas of the files that people write and of the documents that commands print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import RootModel

from buildmatrix.documents import schemas
from buildmatrix.imported.spec import FileNetworkSpec
from buildmatrix.matrix.spec import MatrixSpec
from buildmatrix.network import NetworkSpec, VariantSpec
from buildmatrix.recipe import RecipeSpec
from buildmatrix.schema import json_schema
from buildmatrix.toolchain import ToolchainSpec

if TYPE_CHECKING:
    from pydantic import BaseModel


class ModelFile(RootModel[NetworkSpec | FileNetworkSpec | VariantSpec]):
    """`model.yaml`: a network written layer by layer, one that stands in a file, or one made out of
    another model."""


FILES: dict[str, type[BaseModel]] = {
    "matrix.schema.json": MatrixSpec,
    "recipe.schema.json": RecipeSpec,
    "toolchain.schema.json": ToolchainSpec,
    "model.schema.json": ModelFile,
}


def texts() -> dict[str, str]:
    """File name -> schema, ready to write: of the files that people write, and below out/ of the
    documents that commands print."""
    written = {n: json.dumps(json_schema(model), indent=2) + "\n" for n, model in FILES.items()}
    return written | {f"out/{name}": text for name, text in schemas.texts().items()}
