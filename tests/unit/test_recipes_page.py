"""docs/recipes.md names what a script may use: no name more, and none less."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from buildmatrix import recipe, toolchain
from buildmatrix.recipe import Alternate, DependencySpec
from buildmatrix.resolved import Resolver
from buildmatrix.template import Template
from tests.unit import projects

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
OF_THE_RECIPE = ("source", "dependency", "option")  # names below these are the recipe's own
ROW = re.compile(r"^\| `([\w.]+)` \| (build, runner|build|runner) \|", re.MULTILINE)


def named(script: str) -> set[str]:
    return {name for name, scripts in ROW.findall(PAGE) if script in scripts.split(", ")}


def flat(context: Mapping[str, Any]) -> set[str]:
    names = set()
    for name, value in context.items():
        if name in OF_THE_RECIPE:
            names.add(f"{name}.NAME")
        elif isinstance(value, dict):
            names |= {f"{name}.{below}" for below in value}
        else:
            names.add(name)
    return names


@pytest.mark.parametrize("script", ["build", "runner"])
def test_every_name_that_a_script_may_use_is_on_the_page(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts: list[Mapping[str, Any]] = []

    def render(_self: Template, context: Mapping[str, Any]) -> str:
        contexts.append(context)
        return ""

    monkeypatch.setattr(Template, "render", render)
    root = projects.write(tmp_path)
    net = recipe.load_all(root / "recipes")["net"]
    compiler = toolchain.load_all(root / "toolchains")["tc"]
    if script == "build":
        Resolver().build(net, {}, compiler)
    else:
        assert net.spec.runner is not None
        Resolver().runner(net, net.spec.runner, {}, compiler)
    assert named(script) == flat(contexts[-1])  # a toolchain's own files are filled in before


def test_every_kind_of_source_and_of_dependency_is_on_the_page() -> None:
    union, _ = get_args(Alternate)
    kinds = {get_args(one.model_fields["kind"].annotation)[0] for one in get_args(union)}
    kinds |= set(get_args(DependencySpec.model_fields["kind"].annotation))
    assert {kind for kind in kinds if f"| `{kind}` |" not in PAGE} == set()
