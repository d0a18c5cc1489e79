"""JSON Schemas of the files that people write, from the models that read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from buildmatrix.matrix.spec import MatrixSpec
from buildmatrix.network import NetworkSpec
from buildmatrix.recipe import RecipeSpec
from buildmatrix.schema import json_schema
from buildmatrix.toolchain import ToolchainSpec

if TYPE_CHECKING:
    from pydantic import BaseModel

FILES: dict[str, type[BaseModel]] = {
    "matrix.schema.json": MatrixSpec,
    "recipe.schema.json": RecipeSpec,
    "toolchain.schema.json": ToolchainSpec,
    "model.schema.json": NetworkSpec,
}


def texts() -> dict[str, str]:
    """File name -> schema, ready to write."""
    return {name: json.dumps(json_schema(model), indent=2) + "\n" for name, model in FILES.items()}
