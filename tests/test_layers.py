"""The import order of pyproject.toml, enforced: down only, and one owner per library."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["buildmatrix"]
ORDER: list[list[str]] = SETTINGS["layers"]["order"]
INSIDE: dict[str, list[list[str]]] = SETTINGS["layers"]["inside"]
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


def test_imports_point_down() -> None:
    layered = [path for path in MODULES if stage(path) not in FREE]
    missing = [str(path) for path in layered if stage(path) not in LEVEL]
    assert missing == [], "no layer in pyproject.toml"
    assert [fault for path in layered for fault in faults(path)] == []


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


# ---- inside packages


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_known(paths: list[Path]) -> dict[str, set[str]]:
    """Each module, and those of ours that it imports, for types only or inside functions too."""
    known = {dotted(path): path for path in paths}
    return {name: (set(imports(path)) & known.keys()) - {name} for name, path in known.items()}


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Modules that reach themselves, each circle once."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [*graph[start]]
        while todo:
            if (one := todo.pop()) not in seen:
                seen.add(one)
                todo += graph[one]
        return seen

    reached = {name: reach(name) for name in graph}
    found = []
    for name in graph:
        circle = {other for other in reached[name] if name in reached[other]}
        if circle and circle not in found:
            found.append(circle)
    return found


@pytest.mark.slow
def test_no_module_is_in_a_circle() -> None:
    graph = modules_known(MODULES)
    for name, others in graph.items():  # a package's name alone is not its __init__'s content
        others -= {other for other in others if name.startswith(f"{other}.")}
    assert circles(graph) == []


@pytest.mark.parametrize("package", INSIDE)
def test_a_room_has_an_order_of_its_own(package: str) -> None:
    level = {module: -depth for depth, layer in enumerate(INSIDE[package]) for module in layer}
    folder = ROOT / "buildmatrix" / package
    assert set(level) == {path.stem for path in folder.glob("*.py")} - FREE
    prefix = f"buildmatrix.{package}."
    wrong = [
        f"{path.stem} imports {other}"
        for path in sorted(folder.glob("*.py"))
        if path.stem not in FREE
        for name in imports(path)
        if name.startswith(prefix)
        if (other := name.removeprefix(prefix).split(".")[0]) in level
        if other != path.stem and level[other] >= level[path.stem]
    ]
    assert wrong == []


def test_a_seeded_circle_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "buildmatrix"
    package.mkdir()
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (package / "a.py").write_text("if TYPE_CHECKING:\n    from buildmatrix.b import B\n")
    (package / "b.py").write_text("def f():\n    from buildmatrix import a\n")
    graph = modules_known([package / "a.py", package / "b.py"])
    assert circles(graph) == [{"buildmatrix.a", "buildmatrix.b"}]
