"""Units: a recipe with nothing left to decide, for what one container makes of it.

That is its library, and, for a stack that is measured, the forward-pass runner on that library.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buildmatrix import template
from buildmatrix.deciding import choice
from buildmatrix.errors import InputError
from buildmatrix.recipe import ARCHITECTURE, applies, build_options
from buildmatrix.selector import matches
from buildmatrix.workload import CALLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from buildmatrix.nouns import Options, Scalar
    from buildmatrix.recipe import (
        BenchSpec,
        BuildSpec,
        DependencySpec,
        LayersSpec,
        Recipe,
        RunnerSpec,
        SourceSpec,
    )
    from buildmatrix.template import Template
    from buildmatrix.toolchain import Toolchain


BENCH_SCRIPT = Path(__file__).parent / "harness" / "bench.sh.j2"


@dataclass(frozen=True)
class ResolvedBuild:
    """The library: what the recipe's build script makes."""

    recipe: Recipe
    options: tuple[tuple[str, Scalar], ...]  # of the recipe's own those that decide it, sorted
    script: str
    files: tuple[tuple[str, str], ...]  # (path in the recipe folder, sha256), sorted
    sources: tuple[SourceSpec, ...]
    products: tuple[str, ...]  # globs below /out
    limits: BuildSpec | RunnerSpec | BenchSpec


@dataclass(frozen=True)
class ResolvedRunner(ResolvedBuild):
    """The runner. It has no sources: it is compiled against what was built from them."""

    engine: str  # sha256
    model_format: str
    compiles_model: bool = False


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a script is filled in with, the option values excepted: many choices share it."""

    sources: tuple[SourceSpec, ...]
    source_paths: Mapping[str, str]
    context: Mapping[str, object]


class Resolver:
    """Decides builds and runners, each once for the options of its own that it really has.

    A recipe's files are read once. One resolver serves one reading of the project.
    """

    def __init__(self) -> None:
        self._builds: dict[tuple[object, ...], ResolvedBuild] = {}
        self._runners: dict[tuple[object, ...], ResolvedRunner] = {}
        self._conditions: dict[str, tuple[str, ...]] = {}  # names in a recipe's `when`s
        self._frames: dict[tuple[object, ...], _Frame] = {}
        self._templates: dict[tuple[str, str], Template] = {}  # by recipe, and path in its folder
        self._digests: dict[tuple[str, str], str] = {}  # (recipe, path in its folder) -> sha256

    def build(self, recipe: Recipe, options: Options, toolchain: Toolchain) -> ResolvedBuild:
        """Decide the library. `options` holds at least those of the recipe that decide the build.

        Raises InputError for a template fault or when no source is left for a choice.
        """
        own = {name: options[name] for name in build_options(recipe.spec)}
        at = (recipe.name, toolchain.name, *choice(own, own))
        if at not in self._builds:
            self._builds[at] = self._built(recipe, own, toolchain)
        return self._builds[at]

    def runner(
        self, recipe: Recipe, runner: RunnerSpec, options: Options, toolchain: Toolchain
    ) -> ResolvedRunner:
        """Decide the runner, which is `recipe.spec.runner`. `options` holds at least the recipe's.

        Raises InputError for a template fault or when no model format fits.
        """
        own = {name: options[name] for name in recipe.spec.options}
        at = (recipe.name, toolchain.name, *choice(own, own))
        if at not in self._runners:
            self._runners[at] = self._ran(recipe, runner, own, toolchain)
        return self._runners[at]

    def _built(self, recipe: Recipe, own: dict[str, Scalar], toolchain: Toolchain) -> ResolvedBuild:
        frame = self._frame(recipe, own, toolchain)
        build = recipe.spec.build
        context = {**frame.context, "option": own, "source": frame.source_paths}
        return ResolvedBuild(
            recipe=recipe,
            options=tuple(sorted(own.items())),
            script=self._template(recipe, build.script).render(context),
            files=self._hashed(recipe, build.files),
            sources=frame.sources,
            products=tuple(build.products),
            limits=build,
        )

    def _frame(self, recipe: Recipe, own: dict[str, Scalar], toolchain: Toolchain) -> _Frame:
        if recipe.name not in self._conditions:
            whens = [s.when for s in recipe.spec.sources]
            whens += [d.when for d in recipe.spec.dependencies]
            self._conditions[recipe.name] = tuple({name for when in whens for name in when})
        at = (recipe.name, toolchain.name, *choice(own, self._conditions[recipe.name]))
        if at not in self._frames:
            self._frames[at] = _framed(recipe, own, toolchain)
        return self._frames[at]

    def _ran(
        self, recipe: Recipe, runner: RunnerSpec, own: dict[str, Scalar], toolchain: Toolchain
    ) -> ResolvedRunner:
        frame = self._frame(recipe, own, toolchain)
        context = {**frame.context, "option": own, "engine": f"/recipe/{runner.engine}"}
        files = self._hashed(recipe, [*recipe.spec.build.files, runner.engine])
        return ResolvedRunner(
            recipe=recipe,
            options=tuple(sorted(own.items())),
            script=self._template(recipe, runner.script).render(context),
            files=files,
            sources=(),
            products=("bin/runner",),
            limits=runner,
            engine=dict(files)[runner.engine],
            model_format=model_format(recipe, runner, own),
            compiles_model=runner.compiles_model,
        )

    def bench(
        self, recipe: Recipe, bench: BenchSpec, options: Options, toolchain: Toolchain
    ) -> ResolvedRunner:
        """Decide the runner of a library's own calls, which is `recipe.spec.bench`.

        `options` holds at least those of the recipe.
        """
        own = {name: options[name] for name in recipe.spec.options}
        frame = self._frame(recipe, own, toolchain)
        dependencies = frame.context["dependency"]
        assert isinstance(dependencies, dict)
        context = {
            **frame.context,
            "main": f"/recipe/{bench.main}",
            "places": [f"/deps/{recipe.name}", *dependencies.values()],
            "links": bench.links,
            "number_format": bench.number_format,
        }
        files = self._hashed(recipe, [*recipe.spec.build.files, bench.main])
        return ResolvedRunner(
            recipe=recipe,
            options=tuple(sorted(own.items())),
            script=self._template(recipe, str(BENCH_SCRIPT)).render(context),
            files=files,
            sources=(),
            products=("bin/runner",),
            limits=bench,
            engine=dict(files)[bench.main],
            model_format=CALLS,
        )

    def _template(self, recipe: Recipe, name: str) -> Template:
        at = (recipe.name, name)
        if at not in self._templates:
            self._templates[at] = template.load(recipe.folder / name)
        return self._templates[at]

    def _hashed(self, recipe: Recipe, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
        for name in names:
            if (recipe.name, name) not in self._digests:
                self._digests[recipe.name, name] = _sha256(recipe, name)
        return tuple(sorted((name, self._digests[recipe.name, name]) for name in names))


def model_format(recipe: Recipe, runner: RunnerSpec, own: Options) -> str:
    """The format that a runner loads with these values of its recipe's options.

    Raises InputError where none fits.
    """
    if isinstance(runner.model_format, str):
        return runner.model_format
    fitting = (one.format for one in runner.model_format if matches(one.when, own))
    if (found := next(fitting, None)) is None:
        at = ("runner", "model_format")
        raise recipe.document.fault(at, f"no model format fits {_shown(own)}")
    return found


def built_layers(runner: RunnerSpec, own: Options) -> LayersSpec | None:
    """What a library with these values has kernels for; None where it has all."""
    return next((one for one in runner.layers if matches(one.when, own)), None)


def _shown(values: Options) -> str:
    return ", ".join(f"{k}={v}" for k, v in values.items())


def _framed(recipe: Recipe, own: Options, toolchain: Toolchain) -> _Frame:
    """The names that both script templates may use; the paths are those inside the container."""
    target = toolchain.target
    placed = {**own, ARCHITECTURE: toolchain.spec.architecture}
    sources = tuple(s for s in recipe.spec.sources if matches(s.when, placed))
    if recipe.spec.sources and not sources:
        raise recipe.document.fault(("sources",), f"no source fits {_shown(placed)}")
    needed = [d for d in recipe.spec.dependencies if d.kind != "run" and applies(recipe, d, placed)]
    _one_each(recipe, "sources", recipe.spec.sources, [(s, s.name) for s in sources])
    _one_each(recipe, "dependencies", recipe.spec.dependencies, [(d, d.recipe) for d in needed])
    context = {
        "target": {
            "triple": target.triple,
            "march": target.march,
            "fpu": target.fpu,
            ARCHITECTURE: toolchain.spec.architecture,
        },
        "flags": list(toolchain.spec.flags),
        "emulator": toolchain.spec.emulator,
        "dependency": {_identifier(d.recipe): f"/deps/{d.recipe}" for d in needed},
        "cmake_toolchain": "/toolchain.cmake",
    }
    return _Frame(sources, {_identifier(s.name): f"/src/{s.name}" for s in sources}, context)


def _one_each(
    recipe: Recipe,
    key: str,
    written: Sequence[object],
    used: Iterable[tuple[SourceSpec | DependencySpec, str]],
) -> None:
    """Raise InputError at the second thing of one name: both have one place in the container."""
    names: set[str] = set()
    for one, name in used:
        if _identifier(name) in names:
            raise recipe.document.fault(
                (key, written.index(one)),
                f"a second one of {key} is called '{name}', as a template writes it",
                hint="rename it, or write `when:` values that exclude each other",
            )
        names.add(_identifier(name))


@functools.cache
def _identifier(name: str) -> str:
    """A name as a template can write it after a dot: `blis-dev` is `blis_dev`."""
    return re.sub(r"\W", "_", name)


def _sha256(recipe: Recipe, name: str) -> str:
    try:
        return hashlib.sha256((recipe.folder / name).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(
            f"cannot read {name}: {error.strerror}", where=recipe.document.locate(("build",))
        ) from None
