"""The schemas under docs/ are the ones the models give now."""

from __future__ import annotations

from pathlib import Path

from buildmatrix.cli.schemas import texts

DOCS = Path(__file__).parent.parent / "docs" / "schemas"


def test_schemas_are_fresh() -> None:
    """Refresh them with: inv schema --out docs/schemas"""
    assert {str(p.relative_to(DOCS)): p.read_text() for p in DOCS.rglob("*.json")} == texts()
