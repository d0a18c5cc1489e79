"""The schemas under docs/ are the ones the models give now, and say what each key is for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from buildmatrix.cli.schemas import FILES, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parent.parent / "docs" / "schemas"
TAGS = {"type", "kind"}  # of a union: their one value says which form it is


def undescribed(schema: dict[str, Any]) -> Iterator[str]:
    """Keys of a schema's objects of which neither they nor what they are say anything."""
    definitions = schema.get("$defs", {})
    for name, shape in {"": schema, **definitions}.items():
        for key, value in shape.get("properties", {}).items():
            referred = definitions.get(value.get("$ref", "").rpartition("/")[2], {})
            if key not in TAGS and not {**referred, **value}.get("description"):
                yield f"{name}.{key}"


@pytest.mark.slow
def test_schemas_are_fresh() -> None:
    """Refresh them with: inv schema --out docs/schemas"""
    assert {str(p.relative_to(DOCS)): p.read_text() for p in DOCS.rglob("*.json")} == texts()


@pytest.mark.parametrize("file", FILES)
def test_every_key_that_people_write_says_in_their_editor_what_it_is_for(file: str) -> None:
    schema = json.loads((DOCS / file).read_text())
    assert list(undescribed(schema)) == []
