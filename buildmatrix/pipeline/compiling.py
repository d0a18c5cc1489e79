"""A compile: its inputs in place, and its container, of which nothing is left when it ends."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from buildmatrix import build
from buildmatrix.graph import identify
from buildmatrix.nouns import Stage
from buildmatrix.pipeline.project import HARNESS
from buildmatrix.protocols import Mount, Output
from buildmatrix.recipe import SourceSpec
from buildmatrix.resolved import ResolvedBuild

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from buildmatrix.pipeline.project import Project
    from buildmatrix.protocols import Engine, Reporter
    from buildmatrix.sources import Sources
    from buildmatrix.store import Store
    from buildmatrix.works import Work

MAKER = "buildmatrix.maker"  # label of a container: who makes which key


def run(job: build.Job, *, maker: str, engine: Engine, reporter: Reporter) -> Path:
    """Run a job; returns the folder of what it made. Raises BuildError.

    What a killed `maker` left running is ended first, and this one's container when it is broken
    off.
    """
    engine.remove_stale(MAKER, maker)
    job = replace(job, labels=((MAKER, maker), *job.labels))
    try:
        return build.run(
            job, engine=engine, on_line=lambda line: reporter.emit(Output(job.id, line))
        )
    except BaseException:  # also Ctrl-C between creating a container and watching it
        engine.remove_stale(MAKER, maker)
        raise


def inputs(
    work: Work,
    resolved: ResolvedBuild,
    keys: Mapping[str, str],
    workspace: Path,
    *,
    project: Project,
    sources: Sources,
    store: Store,
) -> tuple[Mount, ...]:
    """All that a build or a runner needs, laid out below the workspace and mounted read-only;
    `keys` holds those of what it needs."""
    for need in work.needs:
        subject = project.graph.by_id[need].subject
        if isinstance(subject, SourceSpec):
            sources.unpack(identify(subject), workspace / "src" / subject.name)
        elif isinstance(subject, ResolvedBuild):
            store.checkout(keys[need], workspace / "deps" / subject.recipe.name)
    for name, _sha in resolved.files:
        target = workspace / "recipe" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(resolved.recipe.folder / name, target)
    toolchain = project.toolchains[work.toolchain]
    (workspace / "toolchain.cmake").write_text(toolchain.cmake_file)
    mounts = [Mount(workspace / "toolchain.cmake", "/toolchain.cmake")]
    mounts += [
        Mount(workspace / name, f"/{name}")
        for name in ("src", "deps", "recipe")
        if (workspace / name).exists()
    ]
    if work.stage is Stage.RUNNER:
        mounts.append(Mount(HARNESS, "/harness"))
    return tuple(mounts)
