"""The cache key of a model knows every module that decides its bytes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from buildmatrix.export import FORMATS

PACKAGE = Path(__file__).parents[2] / "buildmatrix"
NO_BYTES = {"errors.py"}  # words of a refusal


def imported(source: str) -> set[str]:
    """The files of the package that a file of it imports, as `Format.sources` writes them."""
    names = set()
    for node in ast.walk(ast.parse((PACKAGE / source).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("buildmatrix"):
            module = (node.module or "").replace(".", "/")
            names |= {module, *(f"{module}/{one.name}" for one in node.names)}
    files = {f"{name}.py".removeprefix("buildmatrix/") for name in names}
    return {file for file in files if (PACKAGE / file).is_file()}


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_is_written_with_is_in_its_key(name: str) -> None:
    """A module left out: a model of its former version would be taken for one of today's."""
    sources = FORMATS[name].sources
    exporters = [source for source in sources if source.startswith("export/")]
    needed = set.union(*(imported(source) for source in exporters)) - NO_BYTES
    assert needed <= set(sources)
    unused = set(exporters) - needed - {f"export/{FORMATS[name].module}.py", "export/__init__.py"}
    assert not unused
