"""The import order of pyproject.toml, enforced: down only, and one owner per library."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["buildmatrix"]
ORDER: list[list[str]] = SETTINGS["layers"]["order"]
OWNERS: dict[str, list[str]] = SETTINGS["owners"]
LEVEL = {module: -depth for depth, layer in enumerate(ORDER) for module in layer}
FREE = {"__init__", "__main__"}
MODULES = sorted((ROOT / "buildmatrix").rglob("*.py"))


def stage(path: Path) -> str:
    """A package counts as one module of the same name."""
    parts = path.relative_to(ROOT / "buildmatrix").with_suffix("").parts
    return parts[0]


def imports(path: Path) -> list[str]:
    """Dotted names imported anywhere in the file, function bodies included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def faults(path: Path) -> list[str]:
    me = stage(path)
    wrong = []
    for name in imports(path):
        if name.startswith("buildmatrix."):
            other = name.split(".")[1]
            if other in LEVEL and other != me and LEVEL[other] >= LEVEL[me]:
                wrong.append(f"{me} imports {other}, which is not below it")
        for library, owners in OWNERS.items():
            if (name == library or name.startswith(library + ".")) and me not in owners:
                wrong.append(f"{me} imports {library}, which belongs to {' and '.join(owners)}")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=[str(p.relative_to(ROOT)) for p in MODULES])
def test_imports_point_down(path: Path) -> None:
    if stage(path) in FREE:
        return
    assert stage(path) in LEVEL, f"{path.name} has no layer in pyproject.toml"
    assert faults(path) == []


def test_every_layer_exists() -> None:
    """A layer naming a module that is gone would check nothing."""
    assert set(LEVEL) == {stage(p) for p in MODULES} - FREE


def test_a_seeded_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself: a stage that reaches for an edge inside a function body is named."""
    package = tmp_path / "buildmatrix"
    package.mkdir()
    seeded = package / "plan.py"
    seeded.write_text("def f():\n    from buildmatrix import store\n    import paramiko\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert faults(seeded) == [
        "plan imports store, which is not below it",
        "plan imports paramiko, which belongs to ssh",
    ]
