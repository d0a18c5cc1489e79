"""Units: a recipe with nothing left to decide, for what one container makes of it.

That is its library, and, for a stack that is measured, the forward-pass runner on that library.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildmatrix.errors import InputError
from buildmatrix.recipe import ARCHITECTURE, applies, build_options
from buildmatrix.selector import matches
from buildmatrix.template import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from buildmatrix.nouns import Options, Scalar
    from buildmatrix.recipe import BuildSpec, Recipe, RunnerSpec, SourceSpec
    from buildmatrix.toolchain import Toolchain


@dataclass(frozen=True)
class ResolvedBuild:
    """The library: what the recipe's build script makes."""

    recipe: Recipe
    options: tuple[tuple[str, Scalar], ...]  # of the recipe's own those that decide it, sorted
    script: str
    files: tuple[tuple[str, str], ...]  # (path in the recipe folder, sha256), sorted
    sources: tuple[SourceSpec, ...]
    products: tuple[str, ...]  # globs below /out
    limits: BuildSpec | RunnerSpec


@dataclass(frozen=True)
class ResolvedRunner(ResolvedBuild):
    """The runner. It has no sources: it is compiled against what was built from them."""

    engine: str  # sha256
    model_format: str


def resolve(recipe: Recipe, options: Options, toolchain: Toolchain) -> ResolvedBuild:
    """Decide the library. `options` holds at least those of the recipe that decide the build.

    Raises InputError for a template fault or when no source is left for a choice.
    """
    own = {name: options[name] for name in build_options(recipe.spec)}
    placed = {**own, ARCHITECTURE: toolchain.spec.architecture}
    sources = tuple(s for s in recipe.spec.sources if matches(s.when, placed))
    if recipe.spec.sources and not sources:
        raise recipe.document.fault(("sources",), f"no source fits {_shown(placed)}")
    build = recipe.spec.build
    paths = {re.sub(r"\W", "_", s.name): f"/src/{s.name}" for s in sources}
    return ResolvedBuild(
        recipe=recipe,
        options=tuple(sorted(own.items())),
        script=_script(recipe, build.script, {**_context(recipe, own, toolchain), "source": paths}),
        files=_hashed(recipe, build.files),
        sources=sources,
        products=tuple(build.products),
        limits=build,
    )


def resolve_runner(
    recipe: Recipe, runner: RunnerSpec, options: Options, toolchain: Toolchain
) -> ResolvedRunner:
    """Decide the runner, which is `recipe.spec.runner`. `options` holds at least the recipe's own.

    Raises InputError for a template fault or when no model format fits.
    """
    own = {name: options[name] for name in recipe.spec.options}
    context = {**_context(recipe, own, toolchain), "engine": f"/recipe/{runner.engine}"}
    files = _hashed(recipe, [*recipe.spec.build.files, runner.engine])
    return ResolvedRunner(
        recipe=recipe,
        options=tuple(sorted(own.items())),
        script=_script(recipe, runner.script, context),
        files=files,
        sources=(),
        products=("bin/runner",),
        limits=runner,
        engine=dict(files)[runner.engine],
        model_format=_model_format(recipe, runner, own),
    )


def _model_format(recipe: Recipe, runner: RunnerSpec, own: Options) -> str:
    if isinstance(runner.model_format, str):
        return runner.model_format
    fitting = (one.format for one in runner.model_format if matches(one.when, own))
    if (found := next(fitting, None)) is None:
        at = ("runner", "model_format")
        raise recipe.document.fault(at, f"no model format fits {_shown(own)}")
    return found


def _shown(values: Options) -> str:
    return ", ".join(f"{k}={v}" for k, v in values.items())


def _context(recipe: Recipe, own: Options, toolchain: Toolchain) -> dict[str, object]:
    """The names that both script templates may use; the paths are those inside the container."""
    target = toolchain.target
    placed = {**own, ARCHITECTURE: toolchain.spec.architecture}
    return {
        "option": dict(own),
        "target": {
            "triple": target.triple,
            "march": target.march,
            "fpu": target.fpu,
            ARCHITECTURE: toolchain.spec.architecture,
        },
        "flags": list(toolchain.spec.flags),
        "emulator": toolchain.spec.emulator,
        "dependency": {
            re.sub(r"\W", "_", d.recipe): f"/deps/{d.recipe}"
            for d in recipe.spec.dependencies
            if d.kind != "run" and applies(recipe, d, placed)
        },
        "cmake_toolchain": "/toolchain.cmake",
    }


def _script(recipe: Recipe, name: str, context: Mapping[str, object]) -> str:
    path = recipe.folder / name
    return render(path, context, name=str(path))


def _hashed(recipe: Recipe, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, _sha256(recipe, name)) for name in names))


def _sha256(recipe: Recipe, name: str) -> str:
    try:
        return hashlib.sha256((recipe.folder / name).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(
            f"cannot read {name}: {error.strerror}", where=recipe.document.locate(("build",))
        ) from None
